"""What the standard says: its tables as data and look-ups, with their edition. No opinions."""

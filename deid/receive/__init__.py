"""Ways in: each ends with a ticket."""

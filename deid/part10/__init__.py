"""The encoded data set (PS3.5) and its file (PS3.10): walk, rewrite, read and publish bytes. No opinions."""

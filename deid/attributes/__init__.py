"""The header engine: what happens to each attribute, as bytes in and bytes out."""

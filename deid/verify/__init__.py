"""A second look at the very bytes that are about to be published."""

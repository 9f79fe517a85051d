"""The version of the program, which the output states (0012,0063)."""

__version__ = "0.1.0"

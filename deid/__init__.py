"""De-identify DICOM by PS3.15 and verify every byte before it is released."""

__version__ = "0.1.0"

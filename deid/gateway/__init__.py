"""The journey of the gateway: DICOM in over TLS, de-identified DICOM out over TLS, nothing lost in between."""

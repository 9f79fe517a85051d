"""How we speak DICOM (PS3.7, PS3.8): associations, messages, TLS, peers and statuses; no decisions about data."""

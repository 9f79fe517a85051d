"""The DICOM conformance statement, printed from the tables that the program itself runs on."""

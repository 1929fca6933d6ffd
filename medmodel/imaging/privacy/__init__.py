"""What a DICOM file tells about a person: its header, a copy without it, redaction."""

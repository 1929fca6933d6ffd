"""Any image file to pixels: DICOM, NIfTI, pictures, windows, enhancement, privacy."""

"""Any image file to pixels: DICOM, NIfTI, images, windows, enhancement, privacy."""

"""Reports of one image: PDF, HTML, DICOM SR and Encapsulated PDF."""

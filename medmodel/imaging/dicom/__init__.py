"""DICOM: one frame of a file to grey levels or colours, as PS3.3 says.

* `reading`: the file, what it must be, the frame that is asked for.
* `display`: stored values to what is shown, through rescale, tables and windows.
* `elements`, `header`, `lookup_tables`: values of the data set, damaged or not.
"""

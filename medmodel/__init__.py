"""MedModel: train, watch, diagnose and compare medical image classifiers in a browser.

Everything in this package works without a web server; the pages only call it.
Importing it costs nothing: no module is loaded until it is asked for.
"""

__version__ = "0.1.0"

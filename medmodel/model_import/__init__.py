"""Models that were trained elsewhere: read without running anything from their files.

Nothing here loads TensorFlow: `medmodel.inference.import_model` reads and converts in a
process of its own, with limits of memory and time.
"""

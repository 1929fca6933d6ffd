"""Models that were trained elsewhere: read without running anything from their files.

Nothing here loads TensorFlow: `medmodel.inference.importing` reads and converts in a
process of its own, with limits of memory and time.
"""

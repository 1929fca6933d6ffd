"""Evaluation of segmentations: overlap, lesions, area, distance of the surfaces."""

"""What is told of an image before any network sees it."""

from __future__ import annotations

import numpy as np

from medmodel.evaluation.ood.traits import ImageTraits, image_traits


def test_facts_of_a_picture() -> None:
    picture = np.zeros((50, 80, 3), np.uint8)
    assert image_traits(picture) == ImageTraits(50, 0)
    picture[..., 0] = 90
    assert image_traits(picture) == ImageTraits(50, 90)
    assert image_traits(picture[..., :1]) == ImageTraits(50, 0)

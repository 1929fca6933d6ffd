"""Overlap and surface distance, against numbers computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medmodel.evaluation.segmentation.overlap import overlap, surface_distance


def box(rows: slice, columns: slice) -> np.ndarray:
    area = np.zeros((20, 30), bool)
    area[rows, columns] = True
    return area


def test_dice_and_iou_of_two_boxes() -> None:
    # 4 x 6 and 4 x 6 pixels, 4 x 3 in common.
    result = overlap(box(slice(2, 6), slice(3, 9)), box(slice(2, 6), slice(6, 12)))
    assert result.dice == pytest.approx(2 * 12 / 48)
    assert result.iou == pytest.approx(12 / 36)
    assert (result.area, result.predicted_area) == (24, 24)


def test_the_surface_distance_follows_the_spacing() -> None:
    truth, shifted = box(slice(2, 8), slice(3, 9)), box(slice(2, 8), slice(6, 12))
    assert surface_distance(truth, truth) == 0
    assert surface_distance(truth, shifted) == 3
    assert surface_distance(truth, shifted, (2.0, 0.5)) == 1.5
    down = box(slice(5, 11), slice(3, 9))
    assert surface_distance(truth, down, (2.0, 0.5)) == pytest.approx(6.0, abs=3)


def test_the_largest_twentieth_of_distances_does_not_count() -> None:
    truth = box(slice(1, 19), slice(1, 19))
    spiked = truth.copy()
    spiked[9, 19:29] = True  # 10 pixels, of which most lie far out
    assert surface_distance(truth, truth) == 0
    # 68 pixels of a surface, and 10 more: the 95th percentile is within the spike.
    assert 5 < surface_distance(truth, spiked) < 10
    one = truth.copy()
    one[9, 19] = True
    assert surface_distance(truth, one) == 0


def test_where_there_is_nothing_there_is_no_dice() -> None:
    empty, some = np.zeros((20, 30), bool), box(slice(2, 4), slice(2, 4))
    result = overlap(empty, some)
    assert math.isnan(result.dice)
    assert math.isnan(result.iou)
    assert math.isnan(result.hd95)
    assert (result.lesions, result.found, result.predicted_area) == (0, 0, 4)
    missed = overlap(some, empty)
    assert (missed.dice, missed.iou, missed.lesions, missed.found) == (0, 0, 1, 0)
    assert math.isnan(missed.hd95)


def test_a_lesion_is_found_where_half_of_it_is_covered() -> None:
    truth = box(slice(2, 4), slice(2, 6)) | box(slice(10, 12), slice(2, 6))
    half = box(slice(2, 4), slice(2, 4)) | box(slice(10, 12), slice(2, 4))
    assert (overlap(truth, half).lesions, overlap(truth, half).found) == (2, 2)
    half[2, 2] = False
    assert overlap(truth, half).found == 1


def test_pixels_that_touch_at_a_corner_are_one_lesion() -> None:
    truth = np.zeros((6, 6), bool)
    truth[1, 1] = truth[2, 2] = True
    assert overlap(truth, truth).lesions == 1


@given(arrays(bool, (6, 7)), arrays(bool, (6, 7)))
def test_dice_and_iou_agree_and_distances_are_symmetric(
    truth: np.ndarray, predicted: np.ndarray
) -> None:
    result = overlap(truth, predicted)
    if truth.any():
        assert result.dice == pytest.approx(2 * result.iou / (1 + result.iou))
        assert 0 <= result.iou <= 1
    there, back = (
        surface_distance(truth, predicted),
        surface_distance(predicted, truth),
    )
    assert there == back or (math.isnan(there) and math.isnan(back))


@given(st.integers(0, 5), st.integers(0, 5))
def test_a_shift_of_one_pixel_is_a_distance_of_its_length(
    down: int, right: int
) -> None:
    area = np.zeros((20, 20), bool)
    moved = area.copy()
    area[5, 5] = moved[5 + down, 5 + right] = True
    assert surface_distance(area, moved) == pytest.approx(math.hypot(down, right))

"""Dice as loss and as metric, against numbers computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from medmodel.networks.dice import DiceCrossEntropy, image_dice, mean_dice


def one_hot(classes: np.ndarray, count: int) -> np.ndarray:
    return np.eye(count, dtype=np.float32)[classes]


TRUTH = np.zeros((2, 4, 4), np.uint8)
TRUTH[0, :2, :2] = 1  # 4 pixels


def test_dice_of_each_image() -> None:
    answer = TRUTH.copy()
    answer[0, :2, :2] = [[0, 1], [0, 1]]
    answer[0, :2, 2] = 1  # 4 pixels, of which 2 overlap: 2 * 2 / (4 + 4)
    dice = image_dice(TRUTH, one_hot(answer, 2), 2).numpy()
    assert dice == pytest.approx([0.5, 1.0])


def test_a_lesion_where_there_is_none_has_dice_0() -> None:
    answer = TRUTH.copy()
    answer[1, 3, 3] = 1
    assert image_dice(TRUTH, one_hot(answer, 2), 2).numpy()[1] == 0


def test_classes_that_are_absent_do_not_count() -> None:
    dice = image_dice(TRUTH, one_hot(TRUTH * 2, 4), 4).numpy()
    assert dice == pytest.approx([0.0, 1.0])  # 1 missed, 2 invented, 3 absent
    truth = TRUTH.copy()
    truth[0, 3] = 2
    dice = image_dice(truth, one_hot(TRUTH, 4), 4).numpy()
    assert dice[0] == pytest.approx(0.5)  # 1 right, 2 missed


def test_the_metric_is_the_mean_over_images() -> None:
    metric = mean_dice(2)
    metric.update_state(TRUTH, one_hot(TRUTH, 2))
    metric.update_state(TRUTH[:1], one_hot(TRUTH[:1] * 0, 2))
    assert metric.name == "dice"
    assert float(metric.result()) == pytest.approx(2 / 3)


def test_the_loss_is_cross_entropy_plus_what_dice_lacks() -> None:
    loss = DiceCrossEntropy(2)
    even = np.full((2, 4, 4, 2), 0.5, np.float32)
    # 4 of 32 pixels: overlap 2, areas 4 + 16, with one pixel of smoothing.
    expected = np.log(2) + 1 - (2 * 2 + 1) / (4 + 16 + 1)
    assert float(loss(TRUTH, even)) == pytest.approx(expected, rel=1e-5)


def test_a_perfect_answer_costs_nothing_and_a_certain_wrong_one_is_finite() -> None:
    loss = DiceCrossEntropy(2)
    assert float(loss(TRUTH, one_hot(TRUTH, 2))) == pytest.approx(0, abs=1e-6)
    empty = TRUTH * 0
    assert float(loss(empty, one_hot(empty, 2))) == pytest.approx(0, abs=1e-6)
    wrong = float(loss(TRUTH, one_hot(1 - TRUTH, 2)))
    assert 10 < wrong < 20

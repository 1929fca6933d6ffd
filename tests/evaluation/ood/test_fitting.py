"""A detector is fitted to the vectors of a few or many images."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from medmodel.core.job import Job
from medmodel.evaluation.ood.fitting import (
    Origin,
    cross_fitted_log_residuals,
    fit_detector,
    one_thread,
)
from medmodel.evaluation.ood.residuals import Directions, log_residuals, standardised
from medmodel.evaluation.ood.vectors import WIDTH
from tests.evaluation.ood.drawn_vectors import FEATURES, drawn


def test_very_few_images() -> None:
    training = drawn(2, 1)
    origin = Origin(32, own=False, smallest=0, grey=False)
    names = [("a", "x"), ("b", "y")]
    found = fit_detector(training, drawn(1, 2), training[:, :FEATURES], names, origin)
    (said,) = found.compare(drawn(1, 3), [])
    assert len(said.neighbours) == 2
    assert np.isfinite(found.distances(drawn(5, 4))).all()


@pytest.mark.parametrize(("of_one", "judged", "units"), [(True, 4, 2), (False, 14, 7)])
def test_patients_are_counted_where_images_of_them_were_judged(
    of_one: bool, judged: int, units: int
) -> None:
    training, names = drawn(10, 1), [("a", "b")] * 10
    patients = np.zeros(10) if of_one else np.arange(10) // 2
    found = fit_detector(
        *(training, drawn(4, 2), training[:, :FEATURES], names),
        Origin(96, True, 0, True),
        (patients, np.arange(4) // 2),
    )
    assert (len(found.judged), found.units) == (judged, units)


def test_one_outlier_in_the_validation_images_lets_nothing_pass() -> None:
    """The threshold used to be the largest distance of up to 38 validation images."""
    training, validation = drawn(150, 1), drawn(30, 2)
    validation[0] += 40 * np.random.default_rng(9).normal(size=WIDTH)
    names = [(f"{i}", "x") for i in range(150)]
    origin = Origin(32, own=True, smallest=1, grey=False)
    found = fit_detector(training, validation, training[:, :FEATURES], names, origin)
    strange = drawn(50, 4) + np.random.default_rng(5).normal(size=(50, WIDTH))
    assert (found.distances(strange.astype(np.float32)) > found.threshold).all()
    refused = found.distances(drawn(400, 3)) > found.threshold
    assert 0.02 <= refused.mean() <= 0.08
    basis = found.basis
    assert (basis.validation, basis.training, basis.units) == (30, 150, 180)
    assert basis.low < 0.05 < basis.high and basis.enough


@pytest.mark.parametrize("count", [20, 40, 200])
def test_training_images_left_out_are_as_far_as_new_ones(count: int) -> None:
    training = drawn(count, 1)
    left_out = cross_fitted_log_residuals(training, np.arange(count))
    names = [(f"{i}", "x") for i in range(count)]
    origin = Origin(32, own=True, smallest=1, grey=False)
    found = fit_detector(training, drawn(30, 2), training[:, :FEATURES], names, origin)
    new = log_residuals(
        standardised(drawn(300, 3), found.mean, found.scale), found.axes
    )
    seen = log_residuals(standardised(training, found.mean, found.scale), found.axes)
    assert left_out.shape == (count, 7)
    gap = np.abs(np.median(left_out, axis=0) - np.median(new, axis=0)).max()
    assert gap < 0.35
    if count < 100:
        assert gap < np.abs(np.median(seen, axis=0) - np.median(new, axis=0)).max() / 2


def test_images_of_a_patient_are_left_out_together() -> None:
    """One's other images would make it look familiar."""
    people = drawn(40, 1)
    rng = np.random.default_rng(8)
    training = np.repeat(people, 4, axis=0)
    training = training + 0.05 * rng.normal(size=training.shape).astype(np.float32)
    patients = np.repeat(np.arange(40), 4)
    together = cross_fitted_log_residuals(training, patients)
    apart = cross_fitted_log_residuals(training, np.arange(160))
    assert (np.median(together, axis=0) > np.median(apart, axis=0) + 0.5).all()


def test_a_number_that_never_varied_in_training_decides_nothing() -> None:
    training, validation, asked = drawn(60, 1), drawn(30, 2), drawn(5, 3)
    for numbers in (training, validation, asked):
        numbers[:, 10] = 0.5
    names = [(f"{i}", "x") for i in range(60)]
    origin = Origin(32, own=True, smallest=1, grey=False)
    found = fit_detector(training, validation, training[:, :FEATURES], names, origin)
    nudged = asked.copy()
    nudged[:, 10] += 1e-3
    assert found.distances(nudged) == pytest.approx(found.distances(asked), abs=1e-3)


def test_small_matrices_are_left_to_one_thread() -> None:
    def threads() -> set[int]:
        pools = threadpool_info()
        return {p["num_threads"] for p in pools if p["user_api"] == "blas"}

    before = threads()
    with one_thread():
        assert threads() <= {1}
    assert threads() == before


def test_a_fit_tells_how_far_it_is() -> None:
    told: list[tuple[str, int, int]] = []
    job = Job(lambda *progress: told.append(progress))
    training, names = drawn(12, 1), [("a", "x")] * 12
    origin = Origin(32, own=False, smallest=0, grey=False)
    patients = np.arange(12) // 4, np.arange(5)  # three patients, three folds
    points = training[:, :FEATURES]
    fit_detector(training, drawn(5, 2), points, names, origin, patients, job)
    # One fit of all images, one without each patient, and one more of all.
    assert told == [("reference", done, 5) for done in range(5)]


def test_what_lies_between_two_classes_is_familiar_to_neither() -> None:
    """From the mean of all, the middle of two classes is the most familiar place."""
    apart = np.random.default_rng(3).normal(size=WIDTH).astype(np.float32)
    labels = np.arange(160) % 2
    training = drawn(160, 1) + 2 * labels[:, None] * apart
    validation = drawn(40, 2) + 2 * (np.arange(40) % 2)[:, None] * apart
    middle = drawn(40, 3) + apart
    names = [(f"{i}", "x") for i in range(160)]
    shares = {}
    for known in (None, labels):
        origin = Origin(32, own=True, smallest=1, grey=False, labels=known)
        found = fit_detector(
            training, validation, training[:, :FEATURES], names, origin
        )
        shares[known is None] = (found.distances(middle) > found.threshold).mean()
        kept = drawn(200, 4) + 2 * (np.arange(200) % 2)[:, None] * apart
        assert (found.distances(kept) > found.threshold).mean() < 0.12
    assert shares[True] < 0.3 and shares[False] > 0.9


def test_a_class_of_a_few_images_has_no_mean_of_its_own() -> None:
    training = drawn(60, 1)
    labels = np.array(["a"] * 40 + ["b"] * 10 + ["c"] * 9 + ["d"])
    found = Directions.of(training, labels)
    assert len(found.means) == 3
    assert found.means[0] == pytest.approx(training[:40].mean(axis=0))
    assert found.means[2] == pytest.approx(training[50:].mean(axis=0))
    assert len(Directions.of(training).means) == 1

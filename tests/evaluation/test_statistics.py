"""The simulations behind the rows interval_coverage and test_size, in small."""

from collections import defaultdict
from functools import partial

import numpy as np
import pytest

from medmodel.benchmark.validity import (
    interval_coverage,
    reader_coverage,
    risk_coverage,
    segmentation_coverage,
    statistics,
    survival_coverage,
    unfamiliar,
)
from medmodel.benchmark.validity.simulation import SETTINGS, Setting, simulate
from medmodel.evaluation.comparison.model_comparison import COMPARED
from medmodel.evaluation.ood.vectors import WIDTH


def test_simulated_splits_are_what_they_say() -> None:
    rng = np.random.default_rng(0)
    for setting in SETTINGS:
        a, b = simulate(setting, rng, (2.0, 2.0))
        assert (a.truth == b.truth).all() and (a.scores != b.scores).any()
        assert a.scores.sum(axis=1) == pytest.approx(1)
        assert (a.patients is None) == (setting.patients == 0)


@pytest.fixture
def few_populations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interval_coverage, "SHIFTS", (0.0,))
    monkeypatch.setattr(interval_coverage, "_TRUTH", 20_000)


@pytest.mark.usefixtures("few_populations")
def test_coverage_of_a_few_simulations() -> None:
    counts: interval_coverage.Counts = defaultdict(interval_coverage.Count)
    setting = Setting("two", (0.5, 0.5), images=120, separation=1.5)
    interval_coverage.count_covered(setting, 15, counts)
    assert {unit for _, unit, _ in counts} == {"images"}
    shares = [count.share for count in counts.values() if count.given >= 10]
    assert len(shares) > 35 and min(shares) > 0.6
    # 120 images are less than twice the fewest of a temperature, not of an accuracy.
    assert counts["temperature", "images", True].given == 15
    assert counts["accuracy, all classes", "images", False].given == 15


@pytest.mark.usefixtures("few_populations")
def test_the_row_tells_the_lowest_and_highest_coverage_of_each_kind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    setting = Setting("two", (0.5, 0.5), images=60, separation=1.5)
    monkeypatch.setattr(interval_coverage, "SETTINGS", [setting])
    monkeypatch.setattr(interval_coverage, "PAIRED", [])
    monkeypatch.setattr(interval_coverage, "AREAS", [])
    monkeypatch.setattr(interval_coverage, "SAMPLES", [])
    monkeypatch.setattr(interval_coverage, "OUTLINES", [])
    monkeypatch.setattr(interval_coverage, "ROOMS", [])
    monkeypatch.setattr(interval_coverage, "SETS", [])
    monkeypatch.setattr(interval_coverage, "POPULATIONS", [])
    monkeypatch.setattr(interval_coverage, "_FEWEST", 5)
    row = interval_coverage.interval_coverage(5, processes=1)
    (lowest, highest) = [m for m in row if m.note.startswith("accuracy, all classes")]
    assert (lowest.goal, highest.goal) == (0.93, 0.985)
    assert lowest.value == highest.value
    assert lowest.note.startswith("accuracy, all classes, by images: from twice the")
    assert row[-1].value == 300 and "log_loss 200 (60)" in row[-1].note


@pytest.mark.usefixtures("few_populations")
def test_intervals_of_segmentations_rooms_and_sets_are_covered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(segmentation_coverage, "_TRUTH", 5_000)
    monkeypatch.setattr(segmentation_coverage, "UNITS", {False: (20,), True: (100,)})
    monkeypatch.setattr(reader_coverage, "IMAGES", (9, 20))
    outlines, room = segmentation_coverage.OUTLINES[1], reader_coverage.ROOMS[1]
    setting = Setting("two", (0.5, 0.5), images=40, separation=1.5)
    asked = [
        *segmentation_coverage.asked_metrics(outlines, 6, 0),
        *reader_coverage.asked_readers(room, 4, 0),
        *interval_coverage.asked_sets(setting, 20),
        *survival_coverage.asked_survival((0.8, 20.0), 4, 0),
    ]
    counts: interval_coverage.Counts = defaultdict(interval_coverage.Count)
    interval_coverage._count(partial(iter, asked), counts)
    given: dict[tuple[str, str], int] = defaultdict(int)
    for (name, unit, _), count in counts.items():
        given[name, unit] += count.given
    assert given["dice of a segmentation", "images"] == 6
    assert ("hd95 of a segmentation", "images") not in given
    assert given["hd95 of a segmentation", "patients"] == 6
    assert given["coverage of sets", "images"] == 20
    assert given["observed risk", "patients"] == 4 * 6
    # Nine images are too few of five numbers of readers.
    assert given["readers' mean accuracy", "images"] == 4 * 5
    right = sum(count.right for count in counts.values())
    assert right > 0.8 * sum(given.values())


@pytest.mark.usefixtures("few_populations")
def test_differences_of_two_models_are_covered() -> None:
    counts: interval_coverage.Counts = defaultdict(interval_coverage.Count)
    setting = Setting("two", (0.5, 0.5), images=300, separation=1.5)
    compared = ("accuracy", "f1", "auc", "brier")
    interval_coverage.count_covered(setting, 6, counts, lead=0.3, compared=compared)
    assert {name for name, _, _ in counts} == {
        f"difference of {metric}" for metric in compared
    }
    assert sum(count.right for count in counts.values()) >= 19


def test_every_metric_that_is_compared_is_in_the_row() -> None:
    assert {*interval_coverage._COMPARED, "auc"} == set(COMPARED)


def test_true_risks_are_shares_of_those_who_are_drawn() -> None:
    rng = np.random.default_rng(0)
    for scores in risk_coverage.SCORES[2:4]:
        for patients in (False, True):
            sample = risk_coverage.Sample(60_000, 0.3, patients)
            truth, x, _ = risk_coverage._draw(scores, sample, rng)
            for low in (-2.0, 0.0, 1.0):
                inside = (low < x) & (x < low + 0.3)
                risk = scores.risks(x[inside], 0.3).mean()
                assert truth[inside].mean() == pytest.approx(risk, abs=0.03)


def test_risks_are_covered_whatever_the_shape_of_scores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    samples = [risk_coverage.Sample(200, 0.5), risk_coverage.Sample(60, 0.5, True)]
    monkeypatch.setattr(interval_coverage, "SAMPLES", samples)
    counts: interval_coverage.Counts = defaultdict(interval_coverage.Count)
    interval_coverage.count_risks(8, counts)
    assert {key[:2] for key in counts} == {("risk", "images"), ("risk", "patients")}
    for count in counts.values():
        assert count.given > 150 and count.share > 0.88


@pytest.mark.usefixtures("few_populations")
def test_differences_of_areas_are_covered_whatever_the_lead() -> None:
    counts: interval_coverage.Counts = defaultdict(interval_coverage.Count)
    for lead in interval_coverage.LEADS:
        setting = Setting("two", (0.5, 0.5), images=70, separation=2.1)
        interval_coverage.count_covered(
            setting, 20, counts, lead=lead, compared=("auc",)
        )
    (key,) = counts
    assert key == ("difference of auc", "images", True)
    assert counts[key].given > 30 and counts[key].share > 0.9


@pytest.mark.usefixtures("few_populations")
def test_intervals_that_are_not_given_are_not_counted() -> None:
    counts: interval_coverage.Counts = defaultdict(interval_coverage.Count)
    setting = Setting("two", (0.5, 0.5), patients=4)
    interval_coverage.count_covered(setting, 5, counts)
    assert not counts


def test_equal_models_are_rarely_told_apart() -> None:
    same = statistics.rejections(SETTINGS[1], 0.0, 10)
    apart = statistics.rejections(SETTINGS[1], 1.5, 3)
    assert max(same.values()) < 0.5
    assert apart["auc"] == apart["accuracy"] == 1


def test_table_of_runs_is_measured() -> None:
    (found,) = statistics.compare_1000(5)
    assert found.name == "compare_1000" and found.value > 0


def test_strange_images_are_refused_and_familiar_ones_are_not() -> None:
    mixing = np.random.default_rng(0).normal(size=(5, WIDTH))
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(260, 5)) @ mixing + 0.3 * rng.normal(size=(260, WIDTH))
    names = [f"test/{i}.png" if i < 100 else f"train/{i}.png" for i in range(260)]
    strange = rng.normal(size=(20, WIDTH)).astype(np.float32)
    familiar = unfamiliar._familiar(
        vectors.astype(np.float32), names, {"noise": 9 * strange}
    )
    assert familiar.tested.sum() == 100
    refused = unfamiliar.refused_shares(familiar, 30, draws=1)
    assert refused.false < 0.15 and refused.true == 1
    assert refused.held == [True]


def test_patients_of_public_xrays_are_known_by_their_names() -> None:
    names = [f"train/person1_virus_{i}.jpeg" for i in range(8)]
    names += [f"train/NORMAL2-IM-0{i}-0001.jpeg" for i in range(12)]
    familiar = unfamiliar._familiar(np.zeros((20, 3)), names, {})
    assert len(set(familiar.patients)) == 13
    rng = np.random.default_rng(0)
    tested = unfamiliar._tested(familiar, rng)
    assert not familiar.tested.any() and 1 <= tested.sum() < 14
    others = unfamiliar._tested(familiar, np.random.default_rng(5))
    assert (tested != others).any()
    validation, training = unfamiliar._drawn(familiar, tested, 4, rng)
    assert not tested[validation].any() and not tested[training].any()
    people = set(familiar.patients[validation]) & set(familiar.patients[training])
    assert len(validation) == 4 and not people

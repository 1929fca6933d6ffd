"""The benchmark command: its list, its output, its exit status."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medmodel import benchmark
from medmodel.benchmark import Measurement, at_least, at_most, main
from medmodel.benchmark.pairs import paired
from medmodel.benchmark.time_left import share_right
from medmodel.core.errors import DataError


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> None:
    results = {
        "pipeline": [at_least("pipeline", 0.97, 0.95, note="97 / 100 images/s")],
        "start": [at_most("start", 1.5, 1.3)],
    }
    monkeypatch.setattr(benchmark, "measure", lambda name: results[name])


def test_lists_its_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "quality_pneumonia" in capsys.readouterr().out


@pytest.mark.usefixtures("rows")
def test_prints_value_goal_ratio_and_machine(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["pipeline"]) == 0
    out = capsys.readouterr().out
    assert "[pipeline] 0.97 ratio, goal 0.95 (met, 1.02 × goal)  97 / 100" in out
    assert "machine: " in out and "cores" in out


@pytest.mark.usefixtures("rows")
def test_json_has_the_five_fields_and_misses_are_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["pipeline", "start", "--json"]) == 1
    first, second = json.loads(capsys.readouterr().out)
    assert set(first) == {"name", "value", "goal", "unit", "ok"}
    assert first["ok"] and not second["ok"]


def test_unknown_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["magic"]) == 2
    assert "no row 'magic'" in capsys.readouterr().out


def test_missing_data_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDMODEL_BENCH_DATA", str(tmp_path))
    with pytest.raises(DataError, match="MEDMODEL_BENCH_DATA"):
        benchmark.bench_data("chest_xray")


def test_goals_are_inclusive() -> None:
    assert at_least("x", 1.0, 1.0).ok and at_most("x", 1.0, 1.0).ok
    assert Measurement("x", 2.0, 1.0, "s", False).ok is False


def test_the_share_of_estimates_that_are_right_by_hand() -> None:
    # A run of 30 s: looks before 10 s and of the last two seconds do not count.
    looks = [(5.0, 900.0), (10.0, 20.0), (12.0, 27.0), (15.0, 23.0), (20.0, None)]
    assert share_right([*looks, (29.0, 500.0), (30.0, 0.0)]) == 0.5
    assert share_right([(0.1, 3.0), (1.0, 0.0)]) == 1.0


def test_a_pair_is_measured_side_by_side_and_the_first_warms_up() -> None:
    order: list[str] = []
    # A slow moment meets both of a pair, or one of them: neither moves the median.
    ours = iter([9.0, 2.0, 4.0, 8.0])
    theirs = iter([1.0, 1.0, 2.0, 2.0])

    def first() -> float:
        order.append("A")
        return next(ours)

    def second() -> float:
        order.append("B")
        return next(theirs)

    measured = paired(first, second, pairs=3)
    assert "".join(order) == "ABABABAB"
    assert measured.ratios == [2.0, 2.0, 4.0]
    assert measured.median == 2.0
    assert measured.note("ms", 1000) == (
        "4,000 ms / 2,000 ms, medians of 3 pairs, ratios 2.00 to 4.00"
    )


def test_an_answer_is_seen_once_as_many_are_counted() -> None:
    from medmodel.benchmark.browser.reading_room import late

    sent = [10.0, 10.1, 10.3, 12.0]
    counted = [(9.0, 4), (10.2, 1), (10.4, 3)]
    assert late(sent, counted) == pytest.approx([0.2, 0.3, 0.1])


def test_the_fastest_way_is_taken_and_building_does_not_count() -> None:
    from medmodel.benchmark.pytorch.speed import fastest

    calls: list[str] = []

    def built_slowly() -> None:
        time.sleep(0.02 if "built" not in calls else 0)
        calls.append("built")

    assert fastest({"slow": lambda: time.sleep(0.005), "built": built_slowly}) == (
        "built"
    )


def test_a_row_on_pytorch_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    from medmodel.benchmark.pytorch.speed import pytorch

    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(DataError, match="tests/requirements-benchmark.txt"):
        pytorch()


@pytest.fixture
def torch() -> Any:
    """PyTorch, of which the product needs nothing."""
    if importlib.util.find_spec("torch") is None:
        pytest.skip("needs torch, see tests/requirements-benchmark.txt")
    return importlib.import_module("torch")


@pytest.mark.parametrize("size", [28, 45])
def test_pytorchs_features_are_ours(torch: Any, size: int) -> None:
    from medmodel.benchmark.pytorch.networks import InstantFeatures
    from medmodel.core.preprocessing import Preprocessing
    from medmodel.networks.instant_onnx import instant_features

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, size, size, 3), np.uint8)
    with torch.inference_mode():
        theirs = InstantFeatures()(torch.from_numpy(images)).numpy()
    ours = instant_features(Preprocessing(size))(images)
    np.testing.assert_allclose(theirs, ours, atol=1e-3)


@pytest.mark.usefixtures("torch")
def test_pytorchs_compact_network_has_as_many_weights() -> None:
    from medmodel.benchmark.pytorch.networks import CompactResNet
    from medmodel.core.preprocessing import Preprocessing
    from medmodel.networks.models import build_model

    ours = build_model("compact_resnet", Preprocessing(96, colour="grey"), 3)
    theirs = CompactResNet(3, 1)
    trained = sum(weight.numel() for weight in theirs.parameters())
    assert trained == sum(int(np.prod(w.shape)) for w in ours.trainable_weights)


def test_areas_are_found_among_what_a_script_prints() -> None:
    from medmodel.benchmark.pytorch.time_to_auc import areas_in

    printed = "Found 5216 images belonging to 2 classes.\n0.91\n0.9561\n"
    assert areas_in(printed) == ", test AUC by epoch 0.910, 0.956"
    assert areas_in("") == ", no epoch was finished"


def test_growth_is_told_by_the_two_largest() -> None:
    from medmodel.benchmark.browser.growth import power, said

    counts = [1_000, 10_000, 100_000]
    assert power(counts, [5.0, 1.0, 10.0]) == pytest.approx(1)
    assert said("check", counts, [5.0, 1.0, 10.0]) == (
        "check 5, 1, 10 s (linear, 1.00; a million computed: 100 s)"
    )
    assert said("page", counts, [1.0, 1.0, 1.0]) == (
        "page 1, 1, 1 s (flat, 0.00; a million computed: 1 s)"
    )


def test_every_phase_of_growth_is_measured() -> None:
    from medmodel.benchmark.browser.growth import generated, phases
    from medmodel.benchmark.servers import temporary_workspace

    with temporary_workspace() as workspace:
        seconds = phases(generated(workspace, 24))
    assert list(seconds) == ["check", "prepare", "features", "epoch"]
    assert all(taken > 0 for taken in seconds.values())


def test_what_viewers_saw_in_words() -> None:
    from medmodel.benchmark.browser.viewers import Watched
    from medmodel.benchmark.pairs import PairedRatio

    seen = Watched([0.1, 0.3, 0.2], PairedRatio([9.0, 8.0], [10.0, 10.0]), 0.1)
    assert seen.late == "3 points received, median 0.200 s"
    assert seen.slowed.startswith("8.5 steps/s / 10 steps/s, medians of 2 pairs")


def test_ridge_and_discriminants_are_those_of_scikit_learn() -> None:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import Ridge

    from medmodel.benchmark.quality import heads

    rng, n, k = np.random.default_rng(0), 60, 3
    targets = rng.permutation(np.arange(n) % k)
    groups = np.eye(k)[targets]
    for d in (20, 90):  # more images than features, and fewer
        features = rng.normal(size=(n, d)) + groups @ rng.normal(size=(k, d))
        learned = heads._Learned(features, targets, np.full(n, 1 / n))
        for strength, share, found, other in zip(
            heads._RIDGE,
            heads._SHRINKAGE,
            heads.ridge(learned),
            heads.lda(learned),
            strict=False,
        ):
            ridge = Ridge(alpha=strength * n).fit(features, groups)
            assert np.allclose(found[:-1], ridge.coef_.T, atol=1e-5)
            assert np.allclose(found[-1], ridge.intercept_, atol=1e-5)
            wanted = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=share)
            gone = np.std(features - (groups / groups.sum(0)) @ groups.T @ features, 0)
            scaled = heads._Learned(features / gone, targets, learned.weights)
            said = wanted.fit(features / gone, targets).decision_function(
                features / gone
            )
            mine = heads.lda(scaled)[list(heads._SHRINKAGE).index(share)]
            answer = (features / gone) @ mine[:-1] + mine[-1]
            apart = (answer - said) - (answer - said).mean(1, keepdims=True)
            assert np.abs(apart).max() < 1e-3 * np.abs(said).max()
            assert other.shape == found.shape

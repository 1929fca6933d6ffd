"""The same settings with other seeds."""

import math

import numpy as np
import pandas as pd
import pytest

from medmodel.core.config import TrainConfig, config_for
from medmodel.core.config_problems import config_problems
from medmodel.core.errors import DataError
from medmodel.evaluation.cross_validation import (
    CrossValidation,
    cross_validations,
    digests_of_models,
    fold_configs,
    out_of_fold_predictions,
    repeats_of,
    seed_configs,
    summarize,
)
from medmodel.runs.copies import LEFT_OUT, write_near_copies
from medmodel.runs.run import Run
from medmodel.runs.run_index import entries
from medmodel.runs.run_store import RunStore
from medmodel.runs.tables.predictions import SAMPLE_COLUMNS, write_predictions
from medmodel.runs.tables.split import write_split


def test_spread_by_hand() -> None:
    found = summarize([0.8, 0.9, 0.85])
    assert (found.mean, found.low, found.high) == pytest.approx((0.85, 0.8, 0.9))
    assert found.deviation == pytest.approx(0.05)
    assert str(found) == (
        "0.850 on average, 0.800 to 0.900 (standard deviation 0.050, 3 runs)"
    )
    assert math.isnan(summarize([0.8]).deviation)
    # After the first fold: no "standard deviation nan, 1 runs".
    assert str(summarize([0.8])) == "0.800 (1 run)"


def test_siblings_differ_by_seed_and_name_alone() -> None:
    store = RunStore()
    for seed, changes in ((0, {}), (1, {"name": "again"}), (2, {"epochs": 3})):
        store.create(config_for("compact", "/data/x", seed=seed, **changes))
    store.create(config_for("compact", "/data/other", seed=3))
    store.create(config_for("compact", "/data/x", seed=4, folds=2))
    found = entries(store)
    first = next(entry for entry in found if entry.config.seed == 0)
    assert sorted(e.config.seed for e in repeats_of(first, found)) == [0, 1]


def test_other_seeds_are_new_ones() -> None:
    config = config_for("compact", "/data/x", name="CT, seed 1", seed=1)
    found = seed_configs(config, [1, 2], 3)
    assert [c.seed for c in found] == [0, 3, 4]
    assert [c.name for c in found] == ["CT, seed 0", "CT, seed 3", "CT, seed 4"]
    assert seed_configs(config_for("compact", "/x"), [], 1)[0].name == ""
    assert len(seed_configs(config, [], 1000)) == 20


def test_folds_of_a_configuration() -> None:
    config = config_for("compact", "/data/x", seed=7)
    found = fold_configs(config, 3)
    assert [(c.fold, c.folds, c.seed) for c in found] == [
        (1, 3, 7),
        (2, 3, 7),
        (3, 3, 7),
    ]
    assert found[1].title == "Compact CNN on x, fold 2 of 3"
    assert fold_configs(config, 1) == [config]
    wrong = TrainConfig("/data/x", folds=2, fold=3)
    assert config_problems(wrong) == {"fold": "Tested fold must lie between 1 and 2."}
    assert set(config_problems(TrainConfig("/data/x", folds=21))) == {"folds"}


def fold_run(config: TrainConfig, *paths: str, images: tuple[str, ...] = ()) -> Run:
    run = RunStore().create(config)
    rows = [*([path, "", "test", "a"] for path in paths), ["v", "", "val", "b"]]
    scores = np.array([[0.75, 0.25]] * len(paths) + [[0.5, 0.5]])
    samples = pd.DataFrame(rows, columns=SAMPLE_COLUMNS)
    write_predictions(run, ["a", "b"], samples, scores)
    write_split(run, pd.DataFrame({"path": images, "patient": "", "split": "train"}))
    return run


def test_out_of_fold_predictions_are_every_image_once() -> None:
    images = ("1", "2", "3")
    first, second = fold_configs(config_for("compact", "/data/x"), 2)
    fold_run(first, "1", "3", images=images)
    (begun,) = _experiments()
    assert (len(begun.tested), begun.complete) == (1, False)
    with pytest.raises(DataError, match="1 of 2 folds were tested"):
        out_of_fold_predictions(begun)
    # Another seed is another experiment; without predictions a run does not count.
    fold_run(TrainConfig(**{**vars(second), "seed": 1}), "2", images=images)
    fold_run(second, "2", images=images)
    RunStore().create(second)
    found = next(e for e in _experiments() if e.seed == 0)
    assert found.complete and [e.config.fold for e in found.runs] == [1, 2]
    table = out_of_fold_predictions(found)
    assert table["path"].tolist() == ["1", "2", "3"]
    assert table["fold"].tolist() == [1, 2, 1]
    assert set(table["split"]) == {"test"} and table["score_a"].dtype == float


@pytest.mark.parametrize(
    ("path", "images"), [("1", ("1", "2")), ("2", ("1", "2", "3"))]
)
def test_folds_of_a_changed_data_set_are_not_pooled(
    path: str, images: tuple[str, ...]
) -> None:
    first, second = fold_configs(config_for("compact", "/data/x"), 2)
    fold_run(first, "1", images=("1", "2"))
    fold_run(second, path, images=images)
    with pytest.raises(DataError, match="The data set changed"):
        out_of_fold_predictions(_experiments()[0])


def test_a_fold_of_nothing_but_copies_is_left_out_as_others_are() -> None:
    images = ("1", "2", "3")
    first, second = fold_configs(config_for("compact", "/data/x"), 2)
    fold_run(first, "1", "3", images=images)
    copied = fold_run(second, "2", images=images)
    write_near_copies(copied, {"2"})
    table = out_of_fold_predictions(_experiments()[0])
    assert dict(zip(table["path"], table["split"], strict=True)) == {
        "1": "test",
        "2": LEFT_OUT,
        "3": "test",
    }
    # Where nothing else is left in any fold they stay, and that is said.
    for entry in _experiments()[0].tested:
        write_near_copies(entry.run, {"1", "2", "3"})
    assert set(out_of_fold_predictions(_experiments()[0])["split"]) == {"test"}


def _experiments() -> list[CrossValidation]:
    found = entries(RunStore())
    return cross_validations(found[-1], found)


def test_digests_are_asked_for_only_where_models_are_of_several_folders() -> None:
    store = RunStore()
    runs = [store.create(TrainConfig(f"/data/{name}")) for name in "abb"]
    for run in runs:
        run.split_path.write_text(
            f"path,label,patient,split,digest\n1.png,x,,test,{run.config.dataset}\n"
            "2.png,x,,test,\n"
        )
    first, second, third = runs
    one_folder = {"one": [second], "two": [third]}
    assert digests_of_models(one_folder) == {}
    assert digests_of_models({"one": [first], "two": [second]}) == {
        "one": {"1.png": "/data/a"},
        "two": {"1.png": "/data/b"},
    }

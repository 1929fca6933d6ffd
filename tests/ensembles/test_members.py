"""Members of an ensemble: which runs fit each other, and on what it is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from medmodel.core.config import TrainConfig
from medmodel.core.errors import DataError, RunError
from medmodel.core.storage import write_json
from medmodel.ensembles.members import (
    MOST,
    common_preprocessing,
    common_split,
    submit,
)
from medmodel.runs import queue
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import ImportedModel, RunStatus
from medmodel.runs.tables.split import read_split, write_split
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run


@pytest.fixture(autouse=True)
def nobody_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "start_worker", lambda store: None)


@pytest.fixture
def pair(tmp_path: Path) -> list[Run]:
    folder = draw_class_folders(tmp_path / "set", images_per_class=6)
    return [write_finished_run(folder, f"run {n}", seed=n) for n in (1, 2)]


def facts(run: Run, **changes: object) -> None:
    known = run.model_facts
    preprocessing = replace(known.preprocessing, **changes)  # type: ignore[arg-type]
    run.write_model_facts(replace(known, preprocessing=preprocessing))


def test_it_waits_like_any_run(pair: list[Run]) -> None:
    facts(pair[1], size=96, colour="grey")
    made = submit(pair, RunStore(), "both")
    assert made.status.state is RunStatus.QUEUED
    assert made.ensemble
    assert made.ensemble.members == {run.id: run.title for run in pair}
    assert (made.title, made.config.recipe_title) == ("both", "Ensemble")
    # As large as the largest, in colour where one sees colour.
    assert (made.config.size, made.config.colour) == (96, "rgb")


@pytest.mark.parametrize("encoders", [[0], [1], [0, 1]])
@pytest.mark.parametrize("size", [16, 518])
def test_encoders_are_members(pair: list[Run], encoders: list[int], size: int) -> None:
    for at in encoders:
        frozen = replace(pair[at].config, model="encoder:vit", size=0)
        pair[at].write_config(replace(frozen, training="frozen"))
    for run in pair:
        facts(run, size=size)
    made = submit(pair, RunStore())
    assert (made.config.size, made.config.encoder) == (size, "")


def test_grey_where_all_see_grey(pair: list[Run]) -> None:
    for run in pair:
        facts(run, colour="grey")
    assert common_preprocessing(pair).colour == "grey"


def external(run: Run) -> None:
    write_json(run.folder / "external.json", {"model": run.id, "mapping": {}})


def imported(run: Run) -> None:
    origin = ImportedModel("a.onnx", "onnx", "0", "unit")
    write_json(run.folder / "imported.json", origin)


def ensemble(run: Run) -> None:
    write_json(run.folder / "ensemble.json", {"members": {run.id: "a"}})


def running(run: Run) -> None:
    run.write_status(replace(run.status, state=RunStatus.QUEUED))


def without_predictions(run: Run) -> None:
    run.predictions_path.unlink()


def elsewhere(run: Run) -> None:
    write_json(run.folder / "config.json", TrainConfig("/other", name=run.title))


def renamed_class(run: Run) -> None:
    run.write_model_facts(replace(run.model_facts, class_names=["x", "y"]))


def flipped(run: Run) -> None:
    run.write_model_facts(replace(run.model_facts, flips="horizontal"))


def several_findings(run: Run) -> None:
    config = replace(run.config, multi_label=True)
    write_json(run.folder / "config.json", config)


def segments(run: Run) -> None:
    config = replace(run.config, model="compact_unet")
    write_json(run.folder / "config.json", config)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (external, "whose model was tested"),
        (imported, "training images are not known"),
        (ensemble, "choose its members"),
        (running, "only finished runs"),
        (without_predictions, "only finished runs"),
        (elsewhere, "different data sets"),
        (renamed_class, "different classes"),
        (several_findings, "several findings on one image"),
        (flipped, "different mirror images"),
        (segments, "is a segmentation"),
        (lambda run: facts(run, fit="stretch"), "“Fit to the input size” differs"),
        (lambda run: facts(run, window="lung"), "“Window of scans” differs"),
        (lambda run: facts(run, steps=["clahe"]), "“Enhancement steps” differs"),
        (lambda run: facts(run, axis="coronal"), "are cut” differs"),
        (lambda run: facts(run, frame=3), "“Frame” differs"),
    ],
)
def test_runs_that_cannot_be_averaged(
    pair: list[Run], spoil: Callable[[Run], None], sentence: str
) -> None:
    spoil(pair[1])
    with pytest.raises(RunError, match=sentence):
        common_split(pair)


def test_so_many_members(pair: list[Run]) -> None:
    with pytest.raises(RunError, match="between 2 and 10 members: 1 "):
        common_split(pair[:1])
    with pytest.raises(RunError, match=f"{MOST + 1} were chosen"):
        common_split([pair[0]] * (MOST + 1))
    with pytest.raises(RunError, match="only once"):
        common_split([pair[0]] * 2)


def splits(run: Run, **by_path: str) -> None:
    table = read_split(run)
    chosen = table["path"].map(lambda path: by_path.get(Path(path).stem))
    write_split(run, table.assign(split=chosen.fillna(table["split"])))


def test_an_image_is_held_out_where_no_member_learned_from_it(pair: list[Run]) -> None:
    names = sorted(Path(p).stem for p in read_split(pair[0])["path"])
    first, second, third, *_rest = names
    splits(pair[0], **{first: "test", second: "val", third: "test"})
    splits(pair[1], **{first: "train", second: "test", third: "test"})
    table = common_split(pair)
    assert list(table.columns) == list(read_split(pair[0]).columns)
    stems = table["path"].map(lambda path: Path(path).stem)
    found = dict(zip(stems, table["split"], strict=True))
    assert [found[n] for n in (first, second, third)] == ["train", "val", "test"]


def test_folds_keep_no_image_from_all(pair: list[Run]) -> None:
    paths = read_split(pair[0])["path"]
    for at, run in enumerate(pair):
        half = {
            Path(p).stem: ("test", "train")[(n + at) % 2] for n, p in enumerate(paths)
        }
        splits(run, **half)
    with pytest.raises(DataError, match="of dark, light no image was kept"):
        submit(pair, RunStore())


@pytest.mark.parametrize("split", ["val", "test"])
def test_what_one_member_held_out_is_needed_to_judge_by(
    pair: list[Run], split: str
) -> None:
    table = read_split(pair[0])
    lost = (table["split"] == split) & (table["label"] == "dark")
    for run in pair:
        write_split(run, table)
    write_split(pair[0], table.assign(split=table["split"].mask(lost, "train")))
    with pytest.raises(DataError, match="of dark no image"):
        common_split(pair)
    # Nobody had a test image of it: their models were judged without, too.
    write_split(pair[1], table.assign(split=table["split"].mask(lost, "train")))
    common = common_split(pair)
    assert set(common.loc[common["split"] == split, "label"]) == {"light"}


def test_without_any_test_image(pair: list[Run]) -> None:
    table = read_split(pair[0])
    moved = table["split"].replace("test", "val")
    for run in pair:
        write_split(run, table.assign(split=moved))
    assert set(common_split(pair)["split"]) == {"val"}


def fewer(table: pd.DataFrame) -> pd.DataFrame:
    return table.iloc[1:]


def more(table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([table, table.iloc[:1].assign(path="new.png")])


def other_label(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(label=table["label"][::-1].to_numpy())


@pytest.mark.parametrize("change", [fewer, more])
def test_other_images(
    pair: list[Run], change: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    write_split(pair[1], change(read_split(pair[1])))
    with pytest.raises(DataError, match="different images: the data set has changed"):
        common_split(pair)


def test_labels_that_were_corrected(pair: list[Run]) -> None:
    write_split(pair[1], other_label(read_split(pair[1])))
    with pytest.raises(DataError, match="different labels of the same images"):
        common_split(pair)


@pytest.mark.parametrize("older", [0, 1])
def test_a_member_of_an_earlier_version_wrote_no_digests(
    pair: list[Run], older: int
) -> None:
    for at, run in enumerate(pair):
        table = read_split(run).drop(columns="digest", errors="ignore")
        digests = {} if at == older else {"digest": [*map(str, range(len(table)))]}
        write_split(run, table.assign(**digests))
    assert "digest" in common_split(pair)


def test_images_of_the_same_name_that_were_replaced(pair: list[Run]) -> None:
    for at, run in enumerate(pair):
        table = read_split(run)
        write_split(run, table.assign(digest=[f"{at}"] * len(table)))
    with pytest.raises(DataError, match="has changed between them"):
        common_split(pair)

"""A batch: one line for each image, whatever the files are; stopped, resumed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medmodel import worker
from medmodel.batch import decoding, jobs, table
from medmodel.batch.images import BatchImage, list_images
from medmodel.core.errors import Cancelled, FileError, RunError
from medmodel.core.job import UNATTENDED, Job
from medmodel.core.storage import write_json
from medmodel.evaluation.ood.fitting import Origin, fit_detector
from medmodel.imaging.images import decode, pixel_digest
from medmodel.inference import batch_prediction, prediction
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run
from medmodel.runs.status import RunStatus
from medmodel.runs.tables.predictions import read_predictions
from tests.conftest import draw_class_folders
from tests.evaluation.ood.drawn_vectors import FEATURES, drawn
from tests.pages.page import work_in
from tests.tiny_run import make_tiny_run


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("batch")
    with pytest.MonkeyPatch.context() as patch:
        work_in(root, patch)
        folder = draw_class_folders(root / "data" / "easy", images_per_class=4)
        make_tiny_run(folder, "tiny")
        (folder / "light" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
        (folder / "text.dcm").write_text("no image")
    return root


@pytest.fixture(autouse=True)
def here(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work_in(home, monkeypatch)


def model() -> Run:
    from medmodel.runs.run_store import RunStore

    return RunStore().list()[-1]


def submitted(home: Path, monkeypatch: pytest.MonkeyPatch, listed: str = "") -> Run:
    monkeypatch.setattr("medmodel.runs.queue.ensure_worker", lambda store: None)
    return jobs.submit(model(), home / "data" / "easy", listed)


def worked(batch: Run) -> RunStatus:
    with StatusWriter(batch) as reporter:
        return batch_prediction.work(batch, reporter)


def test_a_damaged_file_is_one_line(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = submitted(home, monkeypatch)
    assert worked(batch) is RunStatus.DONE
    rows = table.read(batch).set_index("path")
    assert len(rows) == 10
    assert "broken.png" in rows["problem"]["light/broken.png"]
    assert "text.dcm" in rows["problem"]["text.dcm"]
    assert rows.loc["text.dcm", ["score_dark", "score_light"]].isna().all()
    assert set(rows.loc[rows["label"] == "", "problem"].index) == {"text.dcm"}
    # The very images that the run was asked about get the same scores.
    known = read_predictions(model()).set_index("path")
    same = rows.loc[known.index, "score_dark"].to_numpy()
    assert same == pytest.approx(known["score_dark"].to_numpy(), abs=1e-5)
    # Without digests nobody knows whether it was trained on; without a reference
    # nothing is known of what is like the training data.
    assert set(rows["split"]) == {""}
    assert rows["unlike_training"].isna().all() and rows["distance"].isna().all()
    assert not list(batch.folder.glob("*.part"))


def test_several_blocks_give_the_same(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = home / "data" / "easy"
    images = list_images(folder, ["dark", "light"])
    batch_prediction.predict_images(
        model(), folder, images, tmp_path / "whole.csv", UNATTENDED
    )
    monkeypatch.setattr(decoding, "BLOCK", 3)
    told: list[tuple[str, int, int]] = []
    job = Job(lambda *progress: told.append(progress))
    batch_prediction.predict_images(
        model(), folder, images, tmp_path / "blocks.csv", job
    )
    assert [done for _phase, done, _total in told] == [0, 3, 6, 9, 10]
    lines = (tmp_path / "whole.csv").read_text().splitlines()
    assert (tmp_path / "blocks.csv").read_text().splitlines() == lines
    assert [line.split(",")[0] for line in lines[1:]] == [i.path for i in images]


def test_stopped_it_goes_on_where_it_was(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder, path = home / "data" / "easy", tmp_path / "batch.csv"
    images = list_images(folder, ["dark", "light"])
    monkeypatch.setattr(decoding, "BLOCK", 4)
    done = 0

    def count(phase: str, so_far: int, total: int) -> None:
        nonlocal done
        done = so_far

    with pytest.raises(Cancelled):
        job = Job(count, lambda: done >= 4)
        batch_prediction.predict_images(model(), folder, images, path, job)
    first = path.read_text()
    assert len(first.splitlines()) == 5
    # Half a line, as a machine leaves it that goes down.
    path.write_text(first + "light/li")
    batch_prediction.predict_images(model(), folder, images, path, UNATTENDED)
    text = path.read_text()
    assert text.startswith(first) and len(text.splitlines()) == 11
    assert table.answered_paths(path) == {image.path for image in images}


def test_a_table_of_another_model_is_not_gone_on_with(
    home: Path, tmp_path: Path
) -> None:
    path = tmp_path / "batch.csv"
    table.append(path, ["cat"], [table.ImageRow("a.png", scores=[1.0])])
    images = [BatchImage("dark/dark_000.png")]
    with pytest.raises(FileError, match="other columns"):
        batch_prediction.predict_images(
            model(), home / "data" / "easy", images, path, UNATTENDED
        )


def test_a_model_that_was_trained_further_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = submitted(home, monkeypatch)
    request = jobs.batch_request(batch)
    write_json(batch.folder / "batch.json", replace(request, model_digest="0" * 64))
    with pytest.raises(RunError, match="has changed"):
        worked(batch)
    write_json(batch.folder / "batch.json", replace(request, model="gone"))
    with pytest.raises(RunError, match="was deleted"):
        worked(batch)


def test_lines_of_a_table_without_a_file_are_lines_of_the_result(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = home / "data" / "easy" / "list.csv"
    listed.write_text("file\ndark/dark_001.png\nnowhere.png\n")
    batch = submitted(home, monkeypatch, "list.csv")
    assert worked(batch) is RunStatus.DONE
    rows = table.read(batch)
    assert list(rows["path"]) == ["dark/dark_001.png", "nowhere.png"]
    assert rows["problem"][1] == "named in list.csv, but not there"
    listed.unlink()


def test_a_file_that_ends_its_process_is_one_line(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answers = [([(0, "a.png")], None), ([(1, "b.png")], [{"path": "b.png"}])]
    monkeypatch.setattr(decoding.pool, "map_chunks", lambda *_a, **_k: iter(answers))
    (block,) = decoding.decoded_blocks(
        [BatchImage("a.png"), BatchImage("b.png")],
        home,
        model().model_facts.preprocessing,
        tmp_path,
        UNATTENDED,
    )
    assert [bool(fact.problem) for fact in block.facts] == [True, False]
    assert block.pixels.shape == (2, 32, 32, 1) and not np.any(block.pixels)


def test_the_worker_knows_a_batch(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = submitted(home, monkeypatch)
    with StatusWriter(batch) as reporter:
        assert worker._work(batch, reporter) is RunStatus.DONE
        worker._close_ended(reporter, RunStatus.STOPPED)
    assert batch.status.message == "Stopped. Resume goes on where it was."


def test_familiarity_is_in_the_table(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    training = drawn(200, 1)
    names = [(f"{n}.png", "dark") for n in range(200)]
    origin = Origin(32, own=True, smallest=10, grey=False)
    detector = fit_detector(
        training, drawn(100, 2), training[:, :FEATURES], names, origin
    )
    loaded = replace(prediction.load(model()), detector=detector)
    monkeypatch.setattr(prediction, "load", lambda run: loaded)
    # The first image as the training images are, the second far from them.
    vectors = np.concatenate([training[:1], drawn(1, 3, shift=9.0)])
    monkeypatch.setattr(
        batch_prediction.ood_features, "detector_vectors", lambda *_: vectors
    )
    digest = pixel_digest(decode(home / "data/easy/dark/dark_000.png").pixels)
    monkeypatch.setattr(
        batch_prediction, "training_digests", lambda run: {digest: "val"}
    )
    images = [BatchImage("dark/dark_000.png"), BatchImage("dark/dark_001.png")]
    batch_prediction.predict_images(
        model(), home / "data" / "easy", images, tmp_path / table.FILE, UNATTENDED
    )
    lines: list[Any] = list(table.read(Run(tmp_path)).itertuples())
    near, far = lines
    assert (near.unlike_training, far.unlike_training) == (0, 1)
    assert near.distance < far.distance and far.farther_than == 1
    assert near.why_unlike == "" and "do not rely on" in far.why_unlike
    assert (near.split, far.split) == ("val", "")

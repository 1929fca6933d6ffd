"""A reference is written by training and used by the predictor."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from medmodel.core.config import config_for
from medmodel.core.errors import Cancelled
from medmodel.core.job import Job
from medmodel.core.processes.messages import Command, Message
from medmodel.data import datasets
from medmodel.evaluation.ood.detector import FILE_NAME, OodDetector
from medmodel.evaluation.ood.results import OodResult
from medmodel.evaluation.ood.traits import ImageTraits, image_traits
from medmodel.imaging.images import decode, prepare_image
from medmodel.inference import prediction
from medmodel.inference.model_cache import ModelCache
from medmodel.inference.predictor_process import answer
from medmodel.networks import features
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.training import ood_reference, train
from medmodel.training.ood_reference import write_reference
from tests.conftest import draw_class_folders


@pytest.fixture(scope="module", params=["instant", "document"])
def run(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Run]:
    root = tmp_path_factory.mktemp("reference")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDMODEL_WORKSPACE", str(root / "workspace"))
        patch.setenv("MEDMODEL_DATA", str(root / "data"))
        folder = draw_class_folders(root / "data" / "easy")
        config = config_for(request.param, str(folder), size=32, epochs=2)
        run = RunStore().create(replace(config, precision="float32"))
        with StatusWriter(run) as reporter:
            train.train(run, reporter)
    yield run


def test_the_predictor_compares(run: Run) -> None:
    folder = Path(run.config.dataset)
    known = OodDetector.load(run.folder / FILE_NAME)
    assert known.own == (run.config.training == "frozen")
    pixels = [decode(file).pixels for file in sorted(folder.glob("*/*.png"))[:4]]
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    preprocessing = run.model_facts.preprocessing
    images = [prepare_image(x, preprocessing) for x in [*pixels, noise]]
    shelf = ModelCache(1 << 30)
    facts = {"command": Command.PREDICT, "folder": str(run.folder)}
    plain = answer(Message(facts, [np.stack(images)]), shelf)
    assert "ood" not in plain.facts
    seen = [[200, 0.0]] * 5
    question = {**facts, "compare": seen}
    told = answer(Message(question, [np.stack(images)]), shelf)
    np.testing.assert_allclose(told.arrays[0], plain.arrays[0], atol=1e-5)
    with_map = {**question, "heatmap_for": [-1] * 5}
    explained = answer(Message(with_map, [np.stack(images)]), shelf)
    np.testing.assert_allclose(explained.arrays[0], plain.arrays[0], atol=1e-5)
    for message in (told, explained):
        found = msgspec.convert(message.facts["ood"], list[OodResult])
        assert found[-1].is_ood
        assert sum(one.is_ood for one in found[:4]) <= 2
        assert (folder / found[0].neighbours[0].path).is_file()


def test_an_older_run_is_not_compared(run: Run, tmp_path: Path) -> None:
    run = Run(shutil.copytree(run.folder, tmp_path / run.id))
    (run.folder / FILE_NAME).unlink()
    loaded = prediction.load(run)
    assert loaded.detector is None
    images = np.zeros((1, *loaded.facts.preprocessing.shape), np.uint8)
    facts = {
        "command": Command.PREDICT,
        "folder": str(run.folder),
        "compare": [[32, 0.0]],
    }
    told = answer(Message(facts, [images]), ModelCache(1 << 30))
    assert told.facts["ood"] == []


def test_a_stopped_instant_run_is_compared_by_what_it_had(
    class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_for("instant", str(class_folders), size=32, epochs=2)
    run = RunStore().create(config)
    with StatusWriter(run) as reporter:
        context, _ = train.prepare_context(run, reporter)
        stops = iter([False, True])
        monkeypatch.setattr(features, "_batch_size", lambda: 4)
        with pytest.raises(Cancelled):
            features.extract(
                context.prepared,
                context.preprocessing,
                job=Job(cancelled=lambda: next(stops)),
            )
        monkeypatch.setattr(type(reporter), "stop_requested", property(lambda _: True))
        write_reference(context)
    known = OodDetector.load(run.folder / FILE_NAME)
    assert 2 <= len(known.points) <= 8
    assert len(known.judged) >= 1


def test_facts_are_taken_from_files(tmp_path: Path) -> None:
    folder = draw_class_folders(tmp_path / "x", images_per_class=1)
    picture = decode(next(folder.glob("*/*.png"))).pixels
    assert image_traits(picture) == ImageTraits(min(picture.shape[:2]), 0)


def test_sizes_are_those_of_all_training_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 24 that had been opened, the smallest was said to be the smallest of all."""
    monkeypatch.setenv("MEDMODEL_DATA", str(tmp_path))
    folder = draw_class_folders(tmp_path / "x", images_per_class=30)
    config = config_for("instant", str(folder), size=32, epochs=1)
    run = RunStore().create(config)
    with StatusWriter(run) as reporter:
        context, _ = train.prepare_context(run, reporter)
        training = sorted(context.prepared.table.loc[context.rows("train"), "path"])
        labels = np.array([], str)  # of whom the features are, not the sizes
        assert ood_reference._origin(context, 32, True, labels).smallest == 32
        # The one that an even choice of two dozen would have passed over.
        with Image.open(folder / training[-1]) as image:
            image.resize((50, 17)).save(folder / training[-1])
        datasets.index_dataset(folder)
        origin = ood_reference._origin(context, 32, True, labels)
        assert (origin.smallest, origin.grey) == (17, True)
        with Image.open(folder / training[-2]) as image:
            image.convert("RGB").point([255] * 256 + [0] * 512).save(
                folder / training[-2]
            )
        datasets.index_dataset(folder)
        assert not ood_reference._origin(context, 32, True, labels).grey
        (folder / training[-1]).unlink()
        datasets.index_dataset(folder)
        assert ood_reference._origin(context, 32, True, labels).smallest == 0

"""Rows on what stands beside a probability: conformal sets and heat maps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from medmodel.benchmark import Measurement, at_least, at_most, bench_data
from medmodel.benchmark.browser.serving import finished_run
from medmodel.benchmark.pairs import paired, seconds_of
from medmodel.benchmark.servers import temporary_workspace, with_data_root
from medmodel.core.config import TrainConfig, config_for
from medmodel.data.phantoms import SIZE as SIZE_DRAWN
from medmodel.data.synthetic import TRUTH, ensure_sample_dataset, write_phantoms
from medmodel.evaluation.decision import conformal
from medmodel.evaluation.robustness.corruption_test import MIDDLE
from medmodel.imaging.corruptions import CORRUPTIONS
from medmodel.imaging.images import decode, prepare_image
from medmodel.inference import prediction
from medmodel.inference.class_activation import Explainer
from medmodel.inference.corrupt_and_predict import corrupted_images
from medmodel.runs.run import Run
from medmodel.runs.tables.predictions import read_predictions, score_array

XRAYS = "chest_xray"
SIZE = 128


def coverage() -> list[Measurement]:
    """Coverage of 90 % and 95 % sets on images that chose no threshold.

    Once the run's own test images, which for the public X-rays come from elsewhere than
    its validation images, once validation and test images divided anew 200 times: a
    single division of a few hundred images is off by a point or two by chance alone.
    """
    results = []
    for name in ("blood_cells", "chest_xray", "pneumoniamnist28"):
        with trained(name) as run:
            table = read_predictions(run)
            classes = run.model_facts.class_names
        scores = score_array(table, classes)
        truth = np.array([classes.index(label) for label in table["label"]])
        held_out = (table["split"] == "test").to_numpy()
        for share in (0.9, 0.95):
            gap, note = _coverage(scores, truth, share)
            predictor = conformal.fit(scores[~held_out], truth[~held_out], share)
            test = predictor.covered(scores[held_out], truth[held_out])
            sentence = (
                f"{name}: {note}; of its own test images {100 * test.value:.1f} %"
            )
            results.append(at_most("conformal", gap, 2, "points", sentence))
    return results


def _coverage(scores: np.ndarray, truth: np.ndarray, share: float) -> tuple[float, str]:
    random = np.random.default_rng(0)
    held, sizes = [], []
    for _ in range(200):
        order = random.permutation(len(truth))
        chosen, rest = np.array_split(order, 2)
        sets = conformal.fit(scores[chosen], truth[chosen], share).sets(scores[rest])
        held.append(sets[np.arange(len(rest)), truth[rest]].mean())
        sizes.append(sets.sum(axis=1).mean())
    mean = 100 * float(np.mean(held))
    note = f"{share:.0%} asked, {mean:.1f} % held, {np.mean(sizes):.2f} classes each"
    return abs(mean - 100 * share), note


def explain() -> list[Measurement]:
    """Probabilities with the map first shown / alone, one image, Instant."""
    with trained("medical_mnist_mini", size=SIZE) as run:
        loaded = prediction.load(run)
    image = np.random.default_rng(0).integers(0, 256, (1, SIZE, SIZE, 3), np.uint8)
    image = image[..., : loaded.facts.preprocessing.channels]
    answers = paired(
        seconds_of(lambda: loaded.explain(image, [-1])),
        seconds_of(lambda: prediction.predict(loaded, image)),
        pairs=40,
        warm_up=5,
    )
    note = f"{answers.note('ms', 1000)}, one pass for both"
    return [at_most("explain", answers.median, 2, note=note)]


def corruptions() -> list[Measurement]:
    """Corrupting and predicting 1,000 images / predicting them alone, Instant."""
    with trained("medical_mnist_mini", size=SIZE) as run:
        loaded = prediction.load(run)
    shape = (100, SIZE, SIZE, loaded.facts.preprocessing.channels)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)

    def corrupted() -> None:
        for key in CORRUPTIONS:
            prediction.predict(loaded, corrupted_images(images, key, MIDDLE))

    def alone() -> None:
        for _ in CORRUPTIONS:
            prediction.predict(loaded, images)

    both = paired(seconds_of(corrupted), seconds_of(alone))
    note = f"{both.note('s')}, 100 images under each of {len(CORRUPTIONS)} corruptions"
    return [at_most("corruptions", both.median, 2, note=note)]


TOLERANCE = 15 / 500


"""Of the image's side. The published game allows 15 pixels around an object, in
photographs with a longer side of 500: Zhang et al. 2018, "Top-Down Neural Attention by
Excitation Backprop", IJCV."""


def pointing() -> list[Measurement]:
    """Pointing game: does the map's highest place lie on a lesion?

    Drawn phantoms whose class the model finds; asked for that class. For a network
    trained on them from scratch, and for Instant, whose features never saw one.
    """
    with temporary_workspace() as workspace:
        folder = workspace / "datasets" / "phantoms"
        write_phantoms(folder, patients_per_class=60)
        scratch = config_for("compact", str(folder), size=192, epochs=12)
        sample = ensure_sample_dataset()
        return [
            _pointing("pointing", scratch, folder),
            _pointing("pointing_instant", config_for("instant", str(sample)), sample),
        ]


def _pointing(name: str, config: TrainConfig, folder: Path) -> Measurement:
    run = finished_run(config)
    loaded = prediction.load(run)
    shown, rows = _misses(run, folder, loaded.explain)
    other, _ = _misses(run, folder, loaded.grad_cam)
    share, less = (float((away <= TOLERANCE).mean()) for away in (shown, other))
    wide = float((shown <= 15 / SIZE_DRAWN).mean())
    note = (
        f"HiResCAM, {len(shown)} of {rows} test images with a lesion, rightly "
        f"classified, {TOLERANCE:.0%} of the side allowed as published; {wide:.2f} if "
        f"15 of {SIZE_DRAWN} pixels are; Grad-CAM {less:.2f}"
    )
    return at_least(name, share, 0.8, "share of maps", note)


def _misses(run: Run, folder: Path, explain: Explainer) -> tuple[np.ndarray, int]:
    """How far beside the nearest lesion each map points, in sides of the image.

    Returns:
        (n,) for the rightly classified test images with a lesion; how many of these
        there are, rightly classified or not.
    """
    table, truth = read_predictions(run), pd.read_csv(folder / TRUTH)
    facts = run.model_facts
    tested = table[(table["split"] == "test") & table["path"].isin(truth["path"])]
    away = []
    for row in tested.to_dict("records"):
        scores = [row[f"score_{name}"] for name in facts.class_names]
        position = facts.class_names.index(row["label"])
        if int(np.argmax(scores)) != position:
            continue
        pixels = decode(folder / row["path"]).pixels
        image = prepare_image(pixels, facts.preprocessing)
        heat = explain(image[None], [position]).heatmaps[0]
        top, left = np.unravel_index(heat.argmax(), heat.shape)
        here = (np.array([left, top]) + 0.5) / len(heat)
        lesions = truth[truth["path"] == row["path"]]
        places = lesions[["x_px", "y_px"]].to_numpy() / len(pixels)
        radius = lesions["diameter_mm"] / lesions["mm_per_px"] / 2 / len(pixels)
        away.append(float((np.linalg.norm(places - here, axis=1) - radius).min()))
    return np.array(away), len(tested)


@contextmanager
def trained(name: str, **changes: object) -> Iterator[Run]:
    """A finished Instant run on a public data set, in a workspace of its own."""
    folder = bench_data(name)
    with with_data_root(folder), temporary_workspace():
        yield finished_run(config_for("instant", str(folder), **changes))

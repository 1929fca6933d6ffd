"""Rows on what stands beside a probability: OOD, conformal sets, maps, neighbours."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from medmodel.benchmark import Measurement, at_least, at_most, bench_data
from medmodel.benchmark.serving import finished_run
from medmodel.benchmark.stage import temporary_workspace
from medmodel.core.config import TrainConfig, config_for
from medmodel.core.errors import ImageError
from medmodel.core.preprocessing import Preprocessing
from medmodel.data.synthetic import SIZE as SIZE_DRAWN
from medmodel.data.synthetic import TRUTH, ensure_sample_dataset, write_phantoms
from medmodel.evaluation import conformal, ood
from medmodel.evaluation.ood import OodDetector, Origin, ood_vectors
from medmodel.imaging.images import decode, prepare_image
from medmodel.inference import prediction
from medmodel.inference.class_activation import Explainer
from medmodel.inference.ood_features import frozen_features
from medmodel.runs.run import Run
from medmodel.runs.tables import read_predictions, score_array

SETS = (
    "chest_xray",
    "pneumoniamnist28",
    "blood_cells",
    "medical_mnist_mini",
    "ct_dicom",
)
XRAYS = "chest_xray"
SIZE = 128
Images = list[np.ndarray]


def unfamiliar() -> list[Measurement]:
    """AUROC of own test images against strange ones, by the numbers alone."""
    random = np.random.default_rng(0)
    drawn = {name: _three_parts(bench_data(name), random) for name in SETS}
    looked = {n: [_numbers(part) for part in parts] for n, parts in drawn.items()}
    strange = {"photographs": _photographs(random), **_nothing(random)}
    others = {name: _numbers(images) for name, images in strange.items()}
    detectors = {n: _reference(*parts[:2]) for n, parts in looked.items()}
    far = {}
    for name, detector in detectors.items():
        test_distances = detector.distances(looked[name][2])
        against = {n: parts[2] for n, parts in looked.items() if n != name} | others
        for other, numbers in against.items():
            far[f"{name} / {other}"] = _area(
                test_distances, detector.distances(numbers)
            )
    detector = detectors[XRAYS]
    test_distances = detector.distances(looked[XRAYS][2])
    near = {
        name: _area(
            test_distances, detector.distances(_numbers(map(change, drawn[XRAYS][2])))
        )
        for name, change in CHANGES.items()
    }
    for folder in sorted(bench_data("medical_mnist_mini").iterdir()):
        parts = [
            p for f in sorted(folder.glob("*.*"))[:100] if (p := _read(f)) is not None
        ]
        if parts:
            near[folder.name] = _area(
                test_distances, detector.distances(_numbers(parts))
            )
    worst = min(far, key=lambda pair: far[pair])
    shares = {
        n: float((k.distances(looked[n][2]) <= k.threshold).mean())
        for n, k in detectors.items()
    }
    note = f"{len(far)} pairs, mean {np.mean(list(far.values())):.4f}; worst: {worst}"
    areas = ", ".join(f"{name} {area:.3f}" for name, area in near.items())
    held = "; kept as familiar: " + ", ".join(f"{n} {k:.2f}" for n, k in shares.items())
    area = float(np.mean(list(near.values())))
    return [
        at_least("unfamiliar", far[worst], 0.99, "AUROC far, worst", note),
        at_least("unfamiliar", area, 0.9, "AUROC near, mean", areas + held),
    ]


VALIDATION_COUNTS = (10, 30, 100)
"""Numbers of validation images; there are five times as many training images."""
_DRAWS = 2


@dataclass(frozen=True)
class FamiliarSet:
    """A data set, and images that are unlike it.

    Args:
        vectors: (n, d) of its images; as from `ood.ood_vectors`.
        patients: (n,) whose each image is.
        tested: (n,) whether it is a test image.
        others: Kind -> (m, d) vectors of images of another kind.
    """

    vectors: np.ndarray
    patients: np.ndarray
    tested: np.ndarray
    others: Mapping[str, np.ndarray]


def refusals() -> list[Measurement]:
    """False and true refusals, by set and number of validation images.

    Strange are the images of all other sets; for models of two body parts, those of
    the other body parts.
    """
    measurements = []
    for name, familiar in _familiar_sets().items():
        results = {}
        for count in VALIDATION_COUNTS:
            if count * 4 > int((~familiar.tested).sum()):
                continue
            results[count] = refused_shares(familiar, count)
        each = ", ".join(
            f"{count}: {100 * false:.1f} and {100 * true:.1f} %"
            for count, (false, true) in results.items()
        )
        note = f"{name}, false and true by validation images: {each}"
        enough = [r for c, r in results.items() if c >= ood.ENOUGH_VALIDATION]
        for false, true in enough[:1]:
            gap = 100 * abs(false - (1 - ood.KEPT))
            measurements += [
                at_most("refusals", gap, 3, "points", note),
                at_least("refusals", 100 * true, 95, "% of strange ones", name),
            ]
    return measurements


def refused_shares(
    familiar: FamiliarSet, validation_count: int, draws: int = _DRAWS
) -> tuple[float, float]:
    """Shares of test images, and of the worst other kind, that are refused."""
    random = np.random.default_rng(0)
    false, true = [], []
    for _ in range(draws):
        validation, training = _drawn(familiar, validation_count, random)
        vectors, patients = familiar.vectors, familiar.patients
        detector = ood.fit(
            vectors[training],
            vectors[validation],
            vectors[training][:, : sum(ood.DEPTHS)],
            [("", "")] * len(training),
            Origin(SIZE, own=True, smallest=1, grey=False),
            (patients[training], patients[validation]),
        )

        def refused(asked: np.ndarray, detector: OodDetector = detector) -> float:
            return float((detector.distances(asked) > detector.threshold).mean())

        false.append(refused(vectors[familiar.tested]))
        true.append([refused(asked) for asked in familiar.others.values()])
    return float(np.mean(false)), float(np.mean(true, axis=0).min())


def _drawn(
    familiar: FamiliarSet, count: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of validation and training images; no patient is in both."""
    rest = random.permutation(np.flatnonzero(~familiar.tested))
    patients = familiar.patients[rest]
    validation = rest[:count]
    training = rest[~np.isin(patients, familiar.patients[validation])]
    return validation, training[: 5 * count]


def _familiar_sets() -> dict[str, FamiliarSet]:
    random = np.random.default_rng(0)
    vectors, names = {}, {}
    for name in SETS:
        folder = bench_data(name)
        files = sorted(f for f in folder.rglob("*") if f.is_file() and _is_image(f))
        random.shuffle(files)
        pairs = [(f, p) for f in files[:900] if (p := _read(f)) is not None]
        vectors[name] = _numbers([pixels for _, pixels in pairs])
        names[name] = [f.relative_to(folder).as_posix() for f, _ in pairs]
    sets = {}
    for name in SETS:
        others = {n: v[:200] for n, v in vectors.items() if n != name}
        sets[name] = _familiar(vectors[name], names[name], others)
    bodies = np.array([n.split("/")[0] for n in names["medical_mnist_mini"]])
    parts = sorted(set(bodies))
    for pair in (parts[:2], parts[2:4], parts[4:6]):
        inside = np.isin(bodies, pair)
        rows = vectors["medical_mnist_mini"]
        others = {p: rows[bodies == p] for p in parts if p not in pair}
        chosen = np.array(names["medical_mnist_mini"])[inside].tolist()
        sets[" and ".join(pair)] = _familiar(rows[inside], chosen, others)
    return sets


def _familiar(
    vectors: np.ndarray, names: list[str], others: Mapping[str, np.ndarray]
) -> FamiliarSet:
    """A set with its own test images, or a fifth of its patients as such."""
    # The public X-rays name the patient: person12_virus_3, IM-0115-0001.
    pattern = re.compile(r"person\d+_[a-z]+|(?:NORMAL2-)?IM-\d+")
    patients = np.array([(pattern.search(name) or [name])[0] for name in names])
    tested = np.array([name.startswith("test/") for name in names])
    if not tested.any():
        people = np.random.default_rng(0).permutation(np.unique(patients))
        tested = np.isin(patients, people[: len(people) // 5])
    return FamiliarSet(vectors, patients, tested, others)


def neighbours() -> list[Measurement]:
    """Six nearest of 100,000 training images, median of 20 questions."""
    random = np.random.default_rng(0)
    points = random.normal(size=(100_000, ood.AXES)).astype(np.float32)
    width = sum(ood.DEPTHS)
    numbers = random.normal(size=(300, ood.WIDTH)).astype(np.float32)
    origin = Origin(SIZE, own=True, smallest=1, grey=False)
    few = numbers[:20, :width]
    detector = ood.fit(numbers, numbers[:20], few, [("", "")] * 20, origin)
    detector = replace(detector, points=points)
    seconds = []
    for i in range(20):
        began = time.perf_counter()
        detector.nearest(numbers[i : i + 1, :width])
        seconds.append(time.perf_counter() - began)
    milliseconds = 1000 * float(np.median(seconds))
    return [at_most("neighbours", milliseconds, 20, "ms", "exact, 100,000 images")]


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
    alone, both = _medians(
        lambda: prediction.predict(loaded, image), lambda: loaded.explain(image, [-1])
    )
    note = f"{1000 * both:.1f} ms / {1000 * alone:.1f} ms, one pass for both"
    return [at_most("explain", both / alone, 2, note=note)]


def _medians(*asked: Callable[[], object]) -> list[float]:
    """Median seconds of each, asked in turns, so that noise meets all alike."""
    seconds = np.empty((40, len(asked)))
    for row in (*np.empty((5, len(asked))), *seconds):
        for i, ask in enumerate(asked):
            began = time.perf_counter()
            ask()
            row[i] = time.perf_counter() - began
    return np.median(seconds, axis=0).tolist()


TOLERANCE = 15 / 500
"""Of the picture's side. The published game allows 15 pixels around an object, in
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
    """How far beside the nearest lesion each map points, in sides of the picture.

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
    import os

    folder = bench_data(name)
    before = os.environ.get("MEDMODEL_DATA")
    os.environ["MEDMODEL_DATA"] = str(folder)
    try:
        with temporary_workspace():
            yield finished_run(config_for("instant", str(folder), **changes))
    finally:
        os.environ.pop("MEDMODEL_DATA")
        if before is not None:
            os.environ["MEDMODEL_DATA"] = before


def _reference(training: np.ndarray, validation: np.ndarray) -> OodDetector:
    points = training[:, : sum(ood.DEPTHS)]
    names = [("", "")] * len(training)
    origin = Origin(SIZE, own=True, smallest=1, grey=False)
    return ood.fit(training, validation, points, names, origin)


def _numbers(images: Iterator[np.ndarray] | Images) -> np.ndarray:
    preprocessing = Preprocessing(SIZE)
    ready = np.stack([prepare_image(pixels, preprocessing) for pixels in images])
    return ood_vectors(frozen_features(ready, SIZE), ready)


def _area(inside: np.ndarray, other: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    truth = np.repeat([0, 1], [len(inside), len(other)])
    return float(roc_auc_score(truth, np.concatenate([inside, other])))


def _three_parts(folder: Path, random: np.random.Generator) -> list[Images]:
    """Training, validation and test images; by the folders where they say so."""
    files = sorted(f for f in folder.rglob("*") if f.is_file() and _is_image(f))
    tested = [f for f in files if f.relative_to(folder).parts[0] == "test"]
    rest = [f for f in files if f not in set(tested)]
    random.shuffle(rest)
    if not tested:
        cut = max(len(rest) // 5, 1)
        tested, rest = rest[:cut], rest[cut:]
    random.shuffle(tested)
    fifth = max(len(rest) // 5, 1)
    parts = rest[fifth:][:900], rest[:fifth][:250], tested[:200]
    return [[p for f in part if (p := _read(f)) is not None] for part in parts]


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in (".jpg", ".jpeg", ".png", ".dcm")


def _read(file: Path) -> np.ndarray | None:
    try:
        return decode(file).pixels
    except ImageError:
        return None


def _photographs(random: np.random.Generator) -> Images:
    """Parts of the photographs that come with scikit-image and scikit-learn."""
    import skimage
    import sklearn

    folders = [Path(str(package.__file__)).parent for package in (skimage, sklearn)]
    kinds = {".png", ".jpg", ".jpeg"}
    files = [f for d in folders for f in sorted(d.rglob("*")) if f.suffix in kinds]
    read = [pixels for f in files if (pixels := _read(f)) is not None]
    large = [pixels for pixels in read if min(pixels.shape[:2]) >= SIZE]
    parts = []
    for i in range(150):
        pixels = large[i % len(large)]
        side = int(random.uniform(0.4, 1) * min(pixels.shape[:2]))
        top = random.integers(0, pixels.shape[0] - side + 1)
        left = random.integers(0, pixels.shape[1] - side + 1)
        parts.append(pixels[top : top + side, left : left + side])
    return large + parts


def _nothing(random: np.random.Generator) -> dict[str, Images]:
    shape = (224, 224)
    noise = [
        random.integers(0, 256, (*shape, c), np.uint8)
        for c in (1, 3)
        for _ in range(20)
    ]
    grey = [np.full((*shape, 1), value, np.uint8) for value in range(0, 256, 15)]
    colours = random.integers(0, 256, (20, 3), np.uint8)
    return {
        "noise": noise,
        "blank": grey + [np.tile(colour, (*shape, 1)) for colour in colours],
    }


def _blurred(pixels: np.ndarray) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    sigma = 0.02 * max(pixels.shape[:2])
    return gaussian_filter(pixels, (sigma, sigma, 0))


def _cropped(pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    return pixels[height // 4 : -(height // 4), width // 4 : -(width // 4)]


def _with_text(pixels: np.ndarray) -> np.ndarray:
    from PIL import Image, ImageDraw

    image = Image.fromarray(np.repeat(pixels, 4 - pixels.shape[2], axis=2)[..., :3])
    height, width = pixels.shape[:2]
    pen = ImageDraw.Draw(image)
    box = (0.55 * width, 0.05 * height, 0.95 * width, 0.2 * height)
    pen.rectangle(box, fill="white")
    size = 0.07 * height
    pen.text((0.57 * width, size), "PATIENT 12", fill="black", font_size=size)
    return np.asarray(image)[..., : pixels.shape[2]]


def _tiny(pixels: np.ndarray) -> np.ndarray:
    return prepare_image(pixels, Preprocessing(28))


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "upside down": lambda pixels: np.ascontiguousarray(pixels[::-1]),
    "mirrored": lambda pixels: np.ascontiguousarray(pixels[:, ::-1]),
    "inverted": lambda pixels: 255 - pixels,
    "blurred": _blurred,
    "cropped": _cropped,
    "text box": _with_text,
    "28 px": _tiny,
}

"""Rows on images unlike the training data: how well they are told, and neighbours."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from medmodel.benchmark import Measurement, at_least, at_most, bench_data
from medmodel.benchmark.validity.assurance import SIZE, XRAYS
from medmodel.core.errors import ImageError
from medmodel.core.preprocessing import Preprocessing
from medmodel.evaluation.ood.detector import KEPT, OodDetector
from medmodel.evaluation.ood.fitting import Origin, fit_detector
from medmodel.evaluation.ood.residuals import AXES
from medmodel.evaluation.ood.results import ENOUGH_VALIDATION
from medmodel.evaluation.ood.vectors import DEPTHS, WIDTH, ood_vectors
from medmodel.imaging.images import decode, prepare_image
from medmodel.inference.ood_features import frozen_features

SETS = (
    "chest_xray",
    "pneumoniamnist28",
    "blood_cells",
    "medical_mnist_mini",
    "ct_dicom",
)
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


_DRAWS = 20
"""Draws of validation and training images; of two draws the mean is off by 3 points."""


@dataclass(frozen=True)
class FamiliarSet:
    """A data set, and images that are unlike it.

    Args:
        vectors: (n, d) of its images; as from `ood_vectors`.
        patients: (n,) whose each image is.
        labels: (n,) class of each.
        tested: (n,) whether it is a test image; of none where the folders do not say
            so: then a fifth of the patients is drawn for each draw.
        others: Kind -> (m, d) vectors of images of another kind.
    """

    vectors: np.ndarray
    patients: np.ndarray
    labels: np.ndarray
    tested: np.ndarray
    others: Mapping[str, np.ndarray]


def refusals() -> list[Measurement]:
    """False and true refusals, by set and number of validation images.

    Strange are the images of all other sets; for models of two body parts, those of
    the other body parts.
    """
    measurements = []
    held = []
    for name, familiar in _familiar_sets().items():
        results = {}
        for count in VALIDATION_COUNTS:
            if count * 4 > int((~_tested(familiar, np.random.default_rng(0))).sum()):
                continue
            results[count] = refused_shares(familiar, count)
            held += results[count].held
        each = ", ".join(
            f"{count}: {100 * r.false:.1f} and {100 * r.true:.1f} %"
            for count, r in results.items()
        )
        note = f"{name}, false and true by validation images: {each}"
        for count, refused in results.items():
            if count < ENOUGH_VALIDATION:
                continue
            gap = 100 * abs(refused.false - (1 - KEPT))
            of = f"{name}, {count} validation images"
            measurements += [
                at_most("refusals", gap, 3, "points", note),
                at_least("refusals", 100 * refused.true, 95, "% of strange ones", of),
            ]
    share = float(np.mean(held))
    note = f"of {len(held)}; they refuse as many as their printed interval lets expect"
    measurements.append(at_least("refusals", share, 0.93, "of thresholds", note))
    return measurements


class Refused(NamedTuple):
    """What detectors of several draws refuse.

    Args:
        false: Share of test images, a mean of the draws.
        true: Share of the worst other kind.
        held: Of each draw, whether as many unseen images of the set are refused as
            the interval that is printed lets expect.
    """

    false: float
    true: float
    held: list[bool]


def refused_shares(
    familiar: FamiliarSet, validation_count: int, draws: int = _DRAWS
) -> Refused:
    """Shares of test images, and of the worst other kind, that are refused."""
    random = np.random.default_rng(0)
    false, true, held = [], [], []
    for _ in range(draws):
        tested = _tested(familiar, random)
        validation, training = _drawn(familiar, tested, validation_count, random)
        vectors, patients = familiar.vectors, familiar.patients
        detector = fit_detector(
            vectors[training],
            vectors[validation],
            vectors[training][:, : sum(DEPTHS)],
            [("", "")] * len(training),
            Origin(
                SIZE, True, smallest=1, grey=False, labels=familiar.labels[training]
            ),
            (patients[training], patients[validation]),
        )

        def refused(asked: np.ndarray, detector: OodDetector = detector) -> float:
            return float((detector.distances(asked) > detector.threshold).mean())

        false.append(refused(vectors[tested]))
        true.append([refused(asked) for asked in familiar.others.values()])
        seen = np.isin(patients, patients[np.concatenate([training, validation])])
        held.append(_is_as_printed(familiar, seen, detector))
    return Refused(float(np.mean(false)), float(np.mean(true, axis=0).min()), held)


def _is_as_printed(
    familiar: FamiliarSet, seen: np.ndarray, detector: OodDetector
) -> bool:
    """Whether as many new images are refused as the printed interval lets expect.

    One of each patient; where the folders have a test split of their own, which may be
    another population, none of it. What chance adds among them is in the beta-binomial
    distribution.
    """
    from scipy.stats import betabinom

    rows = np.flatnonzero(~seen & ~familiar.tested)
    rows = rows[np.unique(familiar.patients[rows], return_index=True)[1]]
    count = int((detector.distances(familiar.vectors[rows]) > detector.threshold).sum())
    low, high = betabinom(len(rows), *detector.share_beyond).ppf([0.025, 0.975])
    return bool(low <= count <= high)


def _tested(familiar: FamiliarSet, random: np.random.Generator) -> np.ndarray:
    """Which images are test images, (n,): a fifth of a small set is few to judge by."""
    if familiar.tested.any():
        return familiar.tested
    people = random.permutation(np.unique(familiar.patients))
    return np.isin(familiar.patients, people[: len(people) // 5])


def _drawn(
    familiar: FamiliarSet,
    tested: np.ndarray,
    count: int,
    random: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of validation and training images; no patient is in both."""
    rest = random.permutation(np.flatnonzero(~tested))
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
    """A set with its own test images, where the folders have any."""
    # The public X-rays name the patient: person12_virus_3, IM-0115-0001.
    pattern = re.compile(r"person\d+_[a-z]+|(?:NORMAL2-)?IM-\d+")
    patients = np.array([(pattern.search(name) or [name])[0] for name in names])
    tested = np.array([name.startswith("test/") for name in names])
    labels = np.array([name.split("/")[-2] if "/" in name else "" for name in names])
    return FamiliarSet(vectors, patients, labels, tested, others)


def neighbours() -> list[Measurement]:
    """Six nearest of 100,000 training images, median of 20 questions."""
    random = np.random.default_rng(0)
    points = random.normal(size=(100_000, AXES)).astype(np.float32)
    width = sum(DEPTHS)
    numbers = random.normal(size=(300, WIDTH)).astype(np.float32)
    origin = Origin(SIZE, own=True, smallest=1, grey=False)
    few = numbers[:20, :width]
    detector = fit_detector(numbers, numbers[:20], few, [("", "")] * 20, origin)
    detector = replace(detector, points=points)
    seconds = []
    for i in range(20):
        began = time.perf_counter()
        detector.nearest(numbers[i : i + 1, :width])
        seconds.append(time.perf_counter() - began)
    milliseconds = 1000 * float(np.median(seconds))
    return [at_most("neighbours", milliseconds, 20, "ms", "exact, 100,000 images")]


def _reference(training: np.ndarray, validation: np.ndarray) -> OodDetector:
    points = training[:, : sum(DEPTHS)]
    names = [("", "")] * len(training)
    origin = Origin(SIZE, own=True, smallest=1, grey=False)
    return fit_detector(training, validation, points, names, origin)


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

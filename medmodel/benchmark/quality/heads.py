"""Row on last layers: softmax against ridge and shrinkage LDA, flips averaged.

Five folds of the training and validation images of public sets, on the features that
Instant learns on; strength and temperature are chosen within each fold, on images that
are not of its test part, as Instant chooses them. Test images take no part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.linalg import eigh
from scipy.special import logsumexp
from scipy.special import softmax as softmax_of_logs

from medmodel.benchmark import Measurement, at_least, bench_data
from medmodel.benchmark.quality.best import processor_seconds
from medmodel.benchmark.servers import temporary_workspace, with_data_root
from medmodel.core.config import config_for
from medmodel.data.datasets import index_dataset
from medmodel.data.prepared import Prepared, prepare
from medmodel.data.splits import assign_splits, guess_patient_pattern
from medmodel.evaluation.comparison.paired_tests import bootstrap_difference
from medmodel.evaluation.metrics.metric_table import METRICS
from medmodel.evaluation.predictions import Predictions
from medmodel.networks.features import FeatureNetwork, extract, instant_network
from medmodel.networks.pipeline import balanced_weights
from medmodel.training.logistic_regression import (
    SoftmaxPath,
    log_probabilities,
    score_of_logs,
)
from medmodel.training.softmax_head import STRENGTHS

SETS = {"blood_cells": 224, "pneumoniamnist28": 128, "chest_xray": 128}
"""Folder -> input size."""
FOLDS = 5
PASSES = 60
"""Of the recipe Instant."""
_RIDGE = 10.0 ** np.arange(2, -4.5, -0.5)
_SHRINKAGE = np.array([1, 0.9, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.003, 0.001])
"""From strong to weak, as `score_of_logs` wants them."""
_UNITS = {"ridge": 10.0, "LDA": 0.1}
"""Factors on scores, so that the best temperature lies within the range searched."""


class _Learned(NamedTuple):
    """Standardised features, their classes, and weights that sum to 1."""

    features: np.ndarray
    targets: np.ndarray
    weights: np.ndarray


Head = Callable[[_Learned], np.ndarray]
"""Gives coefficients (strengths, d + 1, classes), the last row being the bias."""


def heads() -> list[Measurement]:
    """What each head loses to softmax, in mean log loss of cross-validated images.

    Raises:
        DataError: A data set is not there.
    """
    return [row for name, size in SETS.items() for row in _compared(name, size)]


def softmax(learned: _Learned) -> np.ndarray:
    """As Instant learns: L-BFGS for all strengths at once."""
    classes = int(learned.targets.max()) + 1
    start = np.zeros((len(STRENGTHS), learned.features.shape[1] + 1, classes))
    path = SoftmaxPath(*learned, STRENGTHS, start)
    for _ in range(PASSES):
        path.advance()
    return path.coefficients


def ridge(learned: _Learned) -> np.ndarray:
    """Least squares on indicators of the classes, with an L2 penalty."""
    features, targets, weights = learned
    wanted = np.eye(targets.max() + 1)[targets]
    mean, middle = weights @ features, weights @ wanted
    root = np.sqrt(weights)[:, None]
    spread, turned = _spectrum(root * (features - mean))
    right = turned.T @ ((features - mean).T @ (weights[:, None] * (wanted - middle)))
    kernels = [turned @ (right / (spread + s)[:, None]) for s in _RIDGE]
    return _with_bias(kernels, lambda kernel: middle - mean @ kernel)


def lda(learned: _Learned) -> np.ndarray:
    """Linear discriminants with a covariance shrunk towards a multiple of identity."""
    features, targets, weights = learned
    groups = np.eye(targets.max() + 1)[targets] * weights[:, None]
    means = (groups / groups.sum(axis=0)).T @ features
    root = np.sqrt(weights)[:, None]
    spread, turned = _spectrum(root * (features - means[targets]))
    average = spread.sum() / features.shape[1]
    inside = turned.T @ means.T
    outside = means.T - turned @ inside
    kernels = []
    for share in _SHRINKAGE:
        scaled = inside / ((1 - share) * spread + share * average)[:, None]
        kernels.append(turned @ scaled + outside / (share * average))
    return _with_bias(kernels, lambda kernel: -0.5 * np.sum(means.T * kernel, axis=0))


HEADS: dict[str, Head] = {"softmax": softmax, "ridge": ridge, "LDA": lda}


def _spectrum(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues (r,) and -vectors (d, r) of `rows.T @ rows` that are not zero."""
    few = len(rows) < rows.shape[1]
    values, vectors = eigh(rows @ rows.T if few else rows.T @ rows)
    kept = values > 1e-6 * values[-1]
    values, vectors = values[kept], vectors[:, kept]
    return values, (rows.T @ vectors) / np.sqrt(values) if few else vectors


def _with_bias(
    kernels: list[np.ndarray], bias: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    rows = [np.vstack([kernel, bias(kernel)]) for kernel in kernels]
    return np.stack(rows).astype(np.float32)


class _Trial(NamedTuple):
    """What a head says of all images, each by the fold that tested it."""

    answers: Predictions
    seconds: float


def _compared(name: str, size: int) -> list[Measurement]:
    folder = bench_data(name)
    with with_data_root(folder), temporary_workspace():
        index = index_dataset(folder)
        pattern = guess_patient_pattern(index.table["path"])
        config = config_for("instant", str(folder), patient_pattern=pattern)
        tables = [
            assign_splits(index, replace(config, folds=FOLDS, fold=fold))
            for fold in range(1, FOLDS + 1)
        ]
        images = config.preprocessing(size)
        prepared = prepare(folder, tables[0], images)
        splits = [_splits(prepared, table) for table in tables]
        network = instant_network(images)
        began = processor_seconds()
        features = np.asarray(extract(prepared, images, network=network), np.float32)
        taken = processor_seconds() - began
        began = processor_seconds()
        views = [features, *_turned(prepared, network, cells=name == "blood_cells")]
        more = processor_seconds() - began
    averaged = np.asarray(np.mean(views, axis=0, dtype=np.float32))
    count = f"{len(views)} views"
    trials = {}
    for title in HEADS:
        trials[title], trials[f"{title}, answers averaged over {count}"] = _trial(
            prepared, splits, views, title
        )
    trials[f"softmax on the mean of {count}"], _ = _trial(
        prepared, splits, [averaged], "softmax"
    )
    note = (
        f"features take {taken:.0f} s of a processor, those of the other views "
        f"{more:.0f} s"
    )
    present = trials.pop("softmax")
    return [
        _row(f"{name}, {size} px, {title}", present, trial, note)
        for title, trial in trials.items()
    ]


def _row(title: str, present: _Trial, other: _Trial, note: str) -> Measurement:
    said = []
    for metric in ("log_loss", "accuracy"):
        change, _p, _n = bootstrap_difference(other.answers, present.answers, metric)
        before, after = (
            METRICS[metric].weighted(each.answers, np.ones((1, change.n)))[0]
            for each in (present, other)
        )
        said.append(
            f"{metric.replace('_', ' ')} {after:.4f}, softmax {before:.4f}, difference "
            f"{change.value:+.4f} ({change.low:+.4f} to {change.high:+.4f})"
        )
        if metric == "log_loss":
            lost = change.value
    said.append(
        f"n = {len(other.answers.truth):,}, a fold's fit {other.seconds:.1f} s of a "
        f"processor, of softmax {present.seconds:.1f}; {note}"
    )
    return at_least(
        "quality_heads", lost, 0.0, "log loss", f"{title}: {'; '.join(said)}"
    )


def _splits(prepared: Prepared, table: pd.DataFrame) -> np.ndarray:
    """Split (n,) of every prepared image in one fold."""
    return table.set_index("path")["split"].loc[prepared.table["path"]].to_numpy(str)


def _turned(
    prepared: Prepared, network: FeatureNetwork, cells: bool
) -> list[np.ndarray]:
    """Features of mirror images: left for right, of cells upside down and both, too."""
    axes: list[tuple[int, ...]] = [(2,), (1,), (1, 2)] if cells else [(2,)]
    size, views = network.batch, []
    for turn in axes:
        parts = []
        for start in range(0, len(prepared.pixels), size):
            pixels = prepared.pixels[start : start + size]
            batch = np.zeros((size, *pixels.shape[1:]), np.uint8)
            batch[: len(pixels)] = np.flip(pixels, turn)
            parts.append(network.compute(batch)[: len(pixels)])
        views.append(np.concatenate(parts).astype(np.float32))
    return views


def _trial(
    prepared: Prepared, splits: list[np.ndarray], views: list[np.ndarray], head: str
) -> tuple[_Trial, _Trial]:
    """What a head says of the images as they are, and on average over their views."""
    labels = prepared.table["label"].to_numpy(str)
    classes = sorted(set(labels))
    targets = np.searchsorted(classes, labels)
    scores = np.zeros((2, len(targets), len(classes)))
    began = processor_seconds()
    for split in splits:
        scores[:, split == "test"] = _fold(views, targets, split, head)
    seconds = (processor_seconds() - began) / len(splits)
    names = prepared.table["patient"]
    known = bool((names != "").all())
    patients = pd.factorize(names)[0] if known else None
    plain, averaged = (
        _Trial(Predictions(classes, targets, each, patients), seconds)
        for each in scores
    )
    return plain, averaged


def _fold(
    views: list[np.ndarray], targets: np.ndarray, split: np.ndarray, head: str
) -> np.ndarray:
    """Probabilities (2, n, k) of a fold's test images, from the layer that it chose.

    Strength is chosen by the images as they are, the temperature by what is answered.

    Args:
        views: Features of the images that the layer learns from, and of their mirror
            images, about which it is asked as well.
        targets: (n,) classes.
        split: (n,) train, val or test.
        head: Key of `HEADS`.
    """
    train, val = split == "train", split == "val"
    mean, scale = views[0][train].mean(axis=0), views[0][train].std(axis=0)
    scale = np.where(scale > 1e-4, scale, 1).astype(np.float32)
    counts = np.array(balanced_weights(targets[train], targets.max() + 1), np.float32)
    weights = counts[targets]
    share = weights[train] / weights[train].sum()
    learned = _Learned((views[0][train] - mean) / scale, targets[train], share)
    paths = HEADS[head](learned) * np.float32(_UNITS.get(head, 1.0))
    plain = log_probabilities((views[0][val] - mean) / scale, paths)
    chosen = paths[score_of_logs(plain, targets[val], weights[val]).leader][None]

    def logs(rows: np.ndarray, asked: list[np.ndarray]) -> np.ndarray:
        said = [log_probabilities((v[rows] - mean) / scale, chosen) for v in asked]
        return np.asarray(logsumexp(said, axis=0) - np.log(len(said)))

    answers = []
    for asked in (views[:1], views):
        score = score_of_logs(logs(val, asked), targets[val], weights[val])
        of_test = logs(split == "test", asked)[0] * score.temperatures[0]
        answers.append(softmax_of_logs(of_test, axis=1))
    return np.stack(answers)

"""Rows `features_vs_torch` and `train_vs_torch`: images/s on the same cores.

PyTorch gets its fastest way: each that is worth a trial is timed first.
"""

from __future__ import annotations

import functools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from medmodel.benchmark import Measurement, at_least, at_most
from medmodel.benchmark.pairs import PairedRatio, paired
from medmodel.core.errors import DataError
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.processes.pool import cores
from medmodel.data.prepared import Prepared
from medmodel.networks import features, instant_onnx
from medmodel.networks.fused_normalisation import fuse_normalisation
from medmodel.networks.hardware import limit_threads
from medmodel.networks.models import build_model
from medmodel.networks.pipeline import Samples, training_batches
from medmodel.networks.precision import FLOAT32, choose_precision

IMAGES, BATCH = 256, 32
FEATURE_SHAPE = Preprocessing(128)
TRAINING_SHAPE = Preprocessing(96, colour="grey")
FEATURES_GOAL, ANSWERS_GOAL, TRAINING_GOAL = 2.0, 1e-3, 1.0
_AT_ONCE = 8
"""Images of a batch that PyTorch computes sooner than one of 32 in a processor's
cache."""
_TRIALS = 3

Work = Callable[[], object]


def features_vs_torch() -> list[Measurement]:
    """Features of Instant as we compute and keep them / the network in PyTorch."""
    torch = pytorch()
    pixels = _noise(FEATURE_SHAPE)
    with torch.inference_mode():
        name, network = _fastest_network(torch, pixels)
        answers = _ask(torch, network, pixels[:_AT_ONCE])
        speeds, costs = _in_turns(
            lambda: _extract(pixels), lambda: _ask(torch, network, pixels)
        )
    ours = instant_onnx.instant_features(FEATURE_SHAPE)(pixels[:_AT_ONCE])
    difference = float(np.abs(ours - answers).max())
    goal, note = FEATURES_GOAL, f"{name}; {_words(speeds, costs)}"
    return [
        at_least("features_vs_torch", speeds.median, goal, note=note),
        at_most("features_vs_torch_answers", difference, ANSWERS_GOAL, "largest"),
    ]


def train_vs_torch() -> list[Measurement]:
    """The Compact CNN through our pipeline / in PyTorch, from a tensor in memory."""
    limit_threads("compact_resnet")
    torch = pytorch()
    pixels = _noise(TRAINING_SHAPE)
    labels = np.arange(IMAGES) % 2
    name, theirs = _fastest_training(torch, pixels, labels)
    policy, ours = _our_training(pixels, labels)
    speeds, costs = _in_turns(ours, theirs)
    note = f"ours in {policy}, PyTorch in {name}; {_words(speeds, costs)}"
    return [at_least("train_vs_torch", speeds.median, TRAINING_GOAL, note=note)]


def pytorch() -> Any:
    """The package, on as many threads as this process has cores.

    Raises:
        DataError: It is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise DataError(
            "This row compares with PyTorch, which is not installed: pip install -r "
            "tests/requirements-benchmark.txt."
        ) from error
    torch.set_num_threads(cores())
    return torch


def fastest(ways: dict[str, Work]) -> str:
    """The name of the way that takes the least time, each tried a few times."""

    def seconds(work: Work) -> float:
        work()  # what is built or compiled first does not count
        times = []
        for _trial in range(_TRIALS):
            began = time.perf_counter()
            work()
            times.append(time.perf_counter() - began)
        return min(times)

    return min(ways, key=lambda name: seconds(ways[name]))


def _noise(preprocessing: Preprocessing) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (IMAGES, *preprocessing.shape), np.uint8)


def _extract(pixels: np.ndarray) -> None:
    with tempfile.TemporaryDirectory() as folder:
        table = pd.DataFrame(index=range(len(pixels)))
        features.extract(Prepared(Path(folder), pixels, table, {}), FEATURE_SHAPE)


def _fastest_network(torch: Any, pixels: np.ndarray) -> tuple[str, Any]:
    from medmodel.benchmark.pytorch.networks import InstantFeatures

    network = InstantFeatures().eval().to(memory_format=torch.channels_last)
    few = torch.tensor(pixels[:_AT_ONCE])
    with torch.no_grad():
        traced = torch.jit.freeze(torch.jit.trace(network, few))
        frozen = torch.jit.optimize_for_inference(traced)
    networks = {"as it is": network, "frozen": frozen}
    with torch.no_grad():
        compiled = _compiled(torch, network, few)
    if compiled is not None:
        networks["compiled"] = compiled
    many = pixels[:BATCH]
    ways: dict[str, Work] = {
        name: functools.partial(_ask, torch, network, many)
        for name, network in networks.items()
    }
    name = fastest(ways)
    return f"PyTorch {name}, channels last, {_AT_ONCE} images at once", networks[name]


def _compiled(torch: Any, network: Any, few: Any) -> Any:
    """The network through torch.compile; None where there is no C++ compiler."""
    import torch._inductor.config as inductor

    inductor.freezing = True
    compiled = torch.compile(network, dynamic=False)
    try:
        compiled(few)
    except torch._dynamo.exc.BackendCompilerFailed:
        return None
    return compiled


def _ask(torch: Any, network: Any, pixels: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        parts = [
            network(torch.from_numpy(pixels[start : start + _AT_ONCE])).numpy()
            for start in range(0, len(pixels), _AT_ONCE)
        ]
    return np.concatenate(parts)


def _fastest_training(
    torch: Any, pixels: np.ndarray, labels: np.ndarray
) -> tuple[str, Work]:
    """An epoch of the Compact CNN in PyTorch, in float32 or bfloat16."""
    from medmodel.benchmark.pytorch.networks import CompactResNet

    network = CompactResNet(2, pixels.shape[-1]).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters())
    images, targets = torch.from_numpy(pixels), torch.from_numpy(labels)

    def steps(rows: Any, half: bool) -> None:
        for part in rows.split(BATCH):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                scores = network(images[part])
            loss = torch.nn.functional.cross_entropy(scores.float(), targets[part])
            loss.backward()
            optimizer.step()

    few = torch.arange(2 * BATCH)
    halves = {"float32": False, "bfloat16": True}
    ways: dict[str, Work] = {
        name: functools.partial(steps, few, half) for name, half in halves.items()
    }
    name = fastest(ways)
    return name, lambda: steps(torch.randperm(len(pixels)), halves[name])


def _our_training(pixels: np.ndarray, labels: np.ndarray) -> tuple[str, Work]:
    """An epoch of it as a run trains it."""

    def build() -> keras.Model:
        model = build_model("compact_resnet", TRAINING_SHAPE, 2)
        fuse_normalisation(model)
        return model

    policy = choose_precision(build, pixels[:BATCH]).policy
    keras.config.set_dtype_policy(policy)
    model = build()
    keras.config.set_dtype_policy(FLOAT32)
    model.compile("adam", "categorical_crossentropy", jit_compile=False)
    samples = Samples(pixels, np.arange(len(pixels)), labels, 2)
    batches, steps = training_batches(samples, BATCH), -(-len(pixels) // BATCH)
    return policy, lambda: model.fit(batches, steps_per_epoch=steps, verbose=0)


def _in_turns(
    ours: Work, theirs: Work
) -> tuple[PairedRatio, tuple[list[float], list[float]]]:
    """Images/s of both, and seconds of processor time of an image."""
    costs: tuple[list[float], list[float]] = ([], [])

    def speed(work: Work, own: list[float]) -> float:
        began, used = time.perf_counter(), time.process_time()
        work()
        own.append((time.process_time() - used) / IMAGES)
        return IMAGES / (time.perf_counter() - began)

    speeds = paired(lambda: speed(ours, costs[0]), lambda: speed(theirs, costs[1]))
    return speeds, costs


def _words(speeds: PairedRatio, costs: tuple[list[float], list[float]]) -> str:
    ours, theirs = (1000 * statistics.median(own) for own in costs)
    return (
        f"{speeds.note('images/s')}; {ours:.2f} and {theirs:.2f} ms of processor time "
        f"for an image: {theirs / ours:.2f} by processor time"
    )

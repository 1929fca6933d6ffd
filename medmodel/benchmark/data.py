"""How fast a data set is checked and prepared, and in how much memory."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from medmodel.benchmark import Measurement, at_least, at_most, bench_data
from medmodel.benchmark.pairs import paired
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.processes import pool
from medmodel.core.samples import Slicing
from medmodel.data.describe import describe_files
from medmodel.data.index_table import SampleRow
from medmodel.data.layout import FileEntry, list_files
from medmodel.data.prepared import prepare
from medmodel.quality import indexing, report_store

GOAL = 0.8
"""Of cores × what the decoder alone does in one thread."""
JPEG_TIMES, DICOM_TIMES = 4, 256
"""How often the files are read, so that starting processes is a small part."""
FEW, MANY = 1_000, 100_000
MEMORY = 1024
"""MiB that checking `MANY` files may take."""
_CHECK = """
import json, resource, sys, time
from pathlib import Path
from medmodel.core.processes import pool
from medmodel.quality import indexing
began = time.monotonic()
indexing.check_folder(Path(sys.argv[1]))
pool.close()  # children count when they have ended
who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
peaks = [resource.getrusage(w).ru_maxrss / 1024 for w in who]
print(json.dumps({"seconds": time.monotonic() - began, "memory": peaks}))
"""


def check_speed() -> list[Measurement]:
    """Images checked per second against Pillow or pydicom alone."""

    def ours(paths: list[str], folder: Path) -> None:
        files = [FileEntry(path, "", "", 0, 0) for path in paths]
        answers = pool.map_chunks(
            describe_files, files, str(folder), Slicing().to_json(), few=0
        )
        rows = [SampleRow(*v) for _, described in answers for f in described for v in f]
        assert not any(row.error for row in rows) and len(rows) == len(paths)

    return [
        _compared("check_speed", "chest_xray", JPEG_TIMES, _pillow, ours),
        _compared("check_speed", "ct_dicom", DICOM_TIMES, _pydicom, ours),
    ]


def prepare_speed() -> list[Measurement]:
    """Images prepared at 224 pixels per second against Pillow or pydicom alone."""

    def ours(paths: list[str], folder: Path) -> None:
        with _fresh_workspace():
            prepare(folder, pd.DataFrame({"path": paths}), Preprocessing(224))

    return [
        _compared("prepare_speed", "chest_xray", JPEG_TIMES // 2, _pillow, ours),
        _compared("prepare_speed", "ct_dicom", DICOM_TIMES, _pydicom, ours),
    ]


def data_memory() -> list[Measurement]:
    """Memory and time of a whole check of 1,000 and of 100,000 generated files."""
    many = int(os.environ.get("MEDMODEL_MANY_FILES", MANY))
    peaks = {}
    with _fresh_workspace() as workspace:
        for count in (FEW, many):
            folder = workspace / "datasets" / f"{count} files"
            generate(folder, count)
            command = [sys.executable, "-W", "ignore", "-c", _CHECK, str(folder)]
            answer = subprocess.run(command, capture_output=True, text=True, check=True)
            peaks[count] = json.loads(answer.stdout)
    sentence = "; ".join(
        f"{count:,} files: {facts['seconds']:.0f} s, {facts['memory'][0]:.0f} MiB, "
        f"largest child {facts['memory'][1]:.0f} MiB"
        for count, facts in peaks.items()
    )
    peak = max(peaks[many]["memory"])
    return [at_most("data_memory", peak, MEMORY, "MiB", sentence)]


def oddities() -> list[Measurement]:
    """Which of the known oddities of real data sets the quality report names."""
    expected = {
        # Same images within and across splits; patients by name in train and test.
        "chest_xray": {"same-inside": 30, "patients": 170},
        # One image under two labels; one hidden file.
        "blood_cells": {"same-labels": 1, "hidden": 1},
        "pneumoniamnist28": {"same-validation": 8, "same-inside": 19},
    }
    missed, sentences = [], []
    with _fresh_workspace():
        for dataset, oddities_of_set in expected.items():
            folder = bench_data(dataset)
            indexing.check_folder(folder)
            report = report_store.load_report(folder)
            assert report
            counts = {f.kind: f.count for f in report_store.load_issues(folder) or []}
            counts["patients"] = len(report.shared_patients)
            counts["hidden"] = sum(reason == "hidden" for _, reason in report.ignored)
            for kind, count in oddities_of_set.items():
                sentences.append(f"{dataset} {kind} {counts.get(kind, 0)}")
                if counts.get(kind, 0) != count:
                    missed.append(f"{sentences[-1]} instead of {count}")
    share = 1 - len(missed) / len(sentences)
    note = "; ".join(missed or sentences)
    return [at_least("oddities", share, 1.0, "ratio", note)]


def _compared(
    name: str,
    dataset: str,
    times: int,
    alone: Callable[[Path], object],
    ours: Callable[[list[str], Path], None],
) -> Measurement:
    """Our images per second on all cores / cores × those of the decoder alone."""
    folder = bench_data(dataset)
    paths = [file.path for file in list_files(folder)[0]] * times
    sample = paths[:: max(1, len(paths) // 600)]
    for path in paths[: len(paths) // times]:
        (folder / path).read_bytes()  # both find the files in memory
    ours_used, alone_used = [], []

    def our_speed() -> float:
        pool.close()  # starting the processes counts
        began, used = time.monotonic(), _processor_time()
        ours(paths, folder)
        pool.close()
        ours_used.append((_processor_time() - used) / len(paths))
        return len(paths) / (time.monotonic() - began)

    def full_speed() -> float:
        speed, used = _rate(sample, folder, alone)
        alone_used.append(used)
        return speed * pool.cores()

    speeds = paired(our_speed, full_speed)
    used, cost = statistics.median(ours_used), statistics.median(alone_used)
    note = (
        f"{dataset}, {len(paths):,} files: {speeds.note('images/s')}; "
        f"{1000 * used:.2f} ms of processor time each, decoder alone "
        f"{1000 * cost:.2f} ms: {cost / used:.2f} by processor time"
    )
    return at_least(f"{name}_{dataset}", speeds.median, GOAL, "ratio", note)


def _rate(
    paths: list[str], folder: Path, alone: Callable[[Path], object]
) -> tuple[float, float]:
    """Images per second in this thread, and processor time of one in seconds."""
    alone(folder / paths[0])
    began, used = time.monotonic(), time.process_time()
    for path in paths:
        alone(folder / path)
    cost = (time.process_time() - used) / len(paths)
    return len(paths) / (time.monotonic() - began), cost


def _processor_time() -> float:
    """Seconds that this process and its ended children used."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    usages = [resource.getrusage(w) for w in who]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _pillow(path: Path) -> object:
    with Image.open(path) as image:
        return np.asarray(image)


def _pydicom(path: Path) -> object:
    import pydicom

    return pydicom.dcmread(path).pixel_array


@contextlib.contextmanager
def _fresh_workspace() -> Iterator[Path]:
    """A workspace of its own, gone afterwards."""
    name = "MEDMODEL_WORKSPACE"
    before = os.environ.get(name)
    with tempfile.TemporaryDirectory() as folder:
        os.environ[name] = folder
        try:
            yield Path(folder)
        finally:
            if before is None:
                del os.environ[name]
            else:
                os.environ[name] = before


def generate(folder: Path, count: int) -> None:
    """Small different images in two classes."""
    rng = np.random.default_rng(0)
    for label in ("a", "b"):
        (folder / label).mkdir(parents=True)
    for number in range(count):
        coarse = rng.integers(0, 255, (7, 7), np.uint8)
        image = Image.fromarray(coarse).resize((28, 28), Image.Resampling.BICUBIC)
        label = "ab"[number % 2]
        image.save(folder / label / f"{number}.png", compress_level=1)

"""Measured promises: `python -m medmodel.benchmark [ROW ...] [--json]`.

Every row measures one promise of the product on this machine, as a ratio inside one
run where two things are compared, since machines differ and are noisy. Rows are
functions that return a `Measurement`; `ROWS` names them without importing anything
heavy, so that the list appears at once.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from medmodel.core.environment import REPOSITORY
from medmodel.core.errors import DataError


@dataclass(frozen=True)
class Measurement:
    """One row's result.

    Args:
        name: Name of the row.
        value: What was measured.
        goal: What was promised.
        unit: Unit of both, for instance `ratio` or `s`.
        ok: Whether the promise is kept.
        note: What was measured, in words, with the figures behind the value.
    """

    name: str
    value: float
    goal: float
    unit: str
    ok: bool
    note: str = ""


Row = Callable[[], "list[Measurement]"]

ROWS: dict[str, tuple[str, str]] = {
    # name -> (module.function, what it measures)
    "pipeline": (
        "training.pipeline",
        "training speed through our pipeline / from one tensor in memory",
    ),
    "document_recipe": (
        "training.document_recipe",
        "the same / the textbook recipe with ImageDataGenerator",
    ),
    "features_vs_torch": (
        "pytorch.speed.features_vs_torch",
        "features of Instant per second / the same network in PyTorch",
    ),
    "train_vs_torch": (
        "pytorch.speed.train_vs_torch",
        "Compact CNN, images trained per second / the same network in PyTorch",
    ),
    "time_to_auc": (
        "pytorch.time_to_auc.time_to_auc",
        "Train to test AUC 0.95 on chest X-rays / plain scripts",
    ),
    "resume_exact": (
        "durability.resume.resume_exact",
        "trainings that were killed or stopped and end as if they had not been",
    ),
    "time_left": (
        "time_left.time_left",
        "runs whose estimate of time left is right after a third of their time",
    ),
    "first_point": (
        "browser.serving.first_point",
        "Train pressed to the first point on the screen",
    ),
    "predict": (
        "browser.serving.predict",
        "one image through the predictor / a bare compiled call",
    ),
    "upload": ("browser.serving.upload", "upload to bars and Grad-CAM in the browser"),
    "start": ("browser.serving.start", "first page usable / a one-line Streamlit app"),
    "cli_start": ("command_line.cli_start", "`medmodel list` in a terminal, wall time"),
    "viewers": (
        "browser.viewers.viewers",
        "50 viewers of one live run while it trains",
    ),
    "viewers_500": (
        "browser.viewers.viewers_500",
        "500 viewers of one live run while it trains",
    ),
    "audience": (
        "audience.audience",
        "200 phones follow the presenter: from publishing a slide to seeing it",
    ),
    "room_200": (
        "browser.reading_room.room_200",
        "200 phones answer in a reading room: from sending to the presenter's screen",
    ),
    "reports": (
        "case_reports.reports",
        "DICOM reports of real files: errors that outside validators find",
    ),
    "contrast": (
        "browser.contrast.contrast",
        "lowest contrast of all texts of all pages, light and dark",
    ),
    "map_20000": (
        "browser.map_points.map_20000",
        "a map of 20,000 images is coloured anew and dragged",
    ),
    "measure": (
        "browser.drawn_shapes.drawn_shapes",
        "lengths, areas and angles drawn in the viewer at five zooms: error in pixels",
    ),
    "fold": (
        "browser.fold.fold",
        "elements of the pages that do not stand whole on a projector's screen",
    ),
    "first_visit": (
        "browser.first_visit.first_visit",
        "first look at a run's page / a bare page with one chart",
    ),
    "layout_shift": (
        "browser.layout_shift.layout_shift",
        "how far pages move while they load",
    ),
    "shell_memory": (
        "browser.serving.shell_memory",
        "memory of the shell over 50 page views",
    ),
    "check_speed": (
        "data.check_speed",
        "images checked per second / cores x Pillow or pydicom alone",
    ),
    "prepare_speed": (
        "data.prepare_speed",
        "images prepared per second / cores x Pillow or pydicom alone",
    ),
    "data_memory": (
        "data.data_memory",
        "memory of checking 100,000 files",
    ),
    "growth": (
        "browser.growth.growth",
        "1,000, 10,000 and 100,000 images: what takes ten times as long",
    ),
    "oddities": (
        "data.oddities",
        "what is known to be odd about real data sets and is found",
    ),
    "copies": (
        "copies.copies",
        "near copies that are found, and unrelated pairs taken for them",
    ),
    "fuzz_images": (
        "fuzz.fuzz_images",
        "10,000 damaged images read: crashes and hangs",
    ),
    "odd_files": (
        "odd_files.odd_files",
        "files of rare and odd kinds, found and generated: share that is right",
    ),
    "bombs": (
        "bombs.bombs",
        "small files that ask for much: memory of the web process, time to answer",
    ),
    "damage": (
        "durability.damage.damage",
        "damaged files of a workspace, on all pages, in all processes: unnamed errors",
    ),
    "chaos": (
        "durability.chaos.chaos",
        "200 kills, full and read-only disks, clock jumps: what is lost or half done",
    ),
    "quality_pneumonia": (
        "quality.recipes.pneumonia",
        "Instant on PneumoniaMNIST: test AUC, accuracy, time",
    ),
    "segment": (
        "quality.recipes.segment",
        "Segmentation on drawn nodules: mean Dice of test images, training time",
    ),
    "quality_best_pneumonia": (
        "quality.best.pneumonia",
        "Best in 10 minutes on PneumoniaMNIST: median test AUC, accuracy of 3 seeds",
    ),
    "quality_best_chest": (
        "quality.best.chest",
        "the same on chest X-rays: test AUC",
    ),
    "quality_best_blood": (
        "quality.best.blood",
        "the same on blood cells: test accuracy",
    ),
    "quality_table": (
        "quality.table.table",
        "test accuracy of four recipes on three public sets, beside published ones",
    ),
    "quality_heads": (
        "quality.heads.heads",
        "ridge, LDA and averaged views against Instant's softmax: log loss, five folds",
    ),
    "quality_blood": ("quality.recipes.blood", "Instant on blood cells: test accuracy"),
    "quality_chest": ("quality.recipes.chest", "Instant on chest X-rays: test AUC"),
    "refit": (
        "refit.refit",
        "time to refit Instant with corrected labels, at the chest X-rays' size",
    ),
    "interval_coverage": (
        "validity.interval_coverage.interval_coverage",
        "share of simulated splits whose 95 % interval holds the truth",
    ),
    "test_size": (
        "validity.statistics.test_size",
        "share of equal models that a paired test calls different",
    ),
    "redraw": (
        "validity.statistics.redraw",
        "a threshold moves: 10,000 predictions of 20 classes",
    ),
    "unfamiliar": (
        "validity.unfamiliar.unfamiliar",
        "AUROC of images like the training data against others, far and near",
    ),
    "refusals": (
        "validity.unfamiliar.refusals",
        "images refused as unlike the training data: familiar ones and strange ones",
    ),
    "segment_refusals": (
        "validity.segment_refusals.segment_refusals",
        "a segmentation refuses: new drawn nodules, chest X-rays",
    ),
    "neighbours": (
        "validity.unfamiliar.neighbours",
        "the nearest among 100,000 training images",
    ),
    "conformal": (
        "validity.assurance.coverage",
        "prediction sets: coverage held / asked",
    ),
    "explain": (
        "validity.assurance.explain",
        "probabilities with a heat map / probabilities alone",
    ),
    "corruptions": (
        "validity.assurance.corruptions",
        "1,000 images corrupted and predicted / predicted alone",
    ),
    "corrupted_training": (
        "quality.corrupted_training.corrupted_training",
        "Compact with and without corrupted training images: accuracy, 3 seeds",
    ),
    "pointing": (
        "validity.assurance.pointing",
        "the heat map's highest place lies on the lesion, drawn phantoms",
    ),
    "sweep_overhead": (
        "sweep.sweep_overhead",
        "a trial of a sweep / the same run alone, from start to end",
    ),
    "cluster": (
        "cluster.rows.cluster",
        "eight trials on two nodes of a Ray cluster / on one; a node is lost",
    ),
    "export_parity": (
        "export.export_parity",
        "exported models against the run's: largest difference of a probability",
    ),
    "export_latency": (
        "export.export_latency",
        "one image through an exported model / through the run's",
    ),
    "survival": (
        "survival.survival",
        "Cox models on a drawn hazard: intervals that hold the truth, risk's error",
    ),
    "batch": (
        "batch.batch",
        "10,000 images in a batch: images/s / the model alone, memory",
    ),
    "compare_1000": (
        "validity.statistics.compare_1000",
        "1,000 runs listed, searched, filtered and sorted",
    ),
}


def at_least(
    name: str, value: float, goal: float, unit: str = "ratio", note: str = ""
) -> Measurement:
    """A measurement that is good when it reaches the goal."""
    return Measurement(name, value, goal, unit, value >= goal, note)


def at_most(
    name: str, value: float, goal: float, unit: str = "ratio", note: str = ""
) -> Measurement:
    """A measurement that is good when it stays within the goal."""
    return Measurement(name, value, goal, unit, value <= goal, note)


def bench_data(name: str) -> Path:
    """Folder of a public data set: MEDMODEL_BENCH_DATA, default ../shared/data.

    Raises:
        DataError: It is not there.
    """
    default = REPOSITORY.parent / "shared" / "data"
    folder = Path(os.environ.get("MEDMODEL_BENCH_DATA", default)) / name
    if not folder.is_dir():
        raise DataError(
            f"The images {name} are not at {folder.parent}: set MEDMODEL_BENCH_DATA "
            "to the folder that holds them."
        )
    return folder


def measure(name: str) -> list[Measurement]:
    """Runs one row.

    Raises:
        DataError: There is no such row, or its data is missing.
    """
    if name not in ROWS:
        raise DataError(f"There is no row {name!r}; there are {', '.join(ROWS)}.")
    module, _, function = ROWS[name][0].rpartition(".")
    row: Row = getattr(importlib.import_module(f"{__name__}.{module}"), function)
    return row()


def machine() -> str:
    """Processor, cores and memory in one line."""
    import psutil

    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        names = (
            x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")
        )
        model = next(names, model)
    memory = psutil.virtual_memory().total / 2**30
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.platform()}"


def main(arguments: Sequence[str]) -> int:
    """The command; returns its exit status: 0 when every goal is met."""
    as_json = "--json" in arguments
    names = [a for a in arguments if a != "--json"]
    if not names:
        width = max(map(len, ROWS))
        for name, (_, text) in ROWS.items():
            print(f"{name:<{width}}  {text}")
        return 0
    results: list[Measurement] = []
    for name in names:
        try:
            measurements = measure(name)
        except DataError as error:
            print(error)
            return 2
        results += measurements
        if not as_json:
            for result in measurements:
                print(_line(result), flush=True)
    if as_json:
        keys = ("name", "value", "goal", "unit", "ok")
        print(json.dumps([{k: getattr(r, k) for k in keys} for r in results], indent=2))
    else:
        print(f"machine: {machine()}")
    return 0 if all(r.ok for r in results) else 1


def _line(result: Measurement) -> str:
    met = "met" if result.ok else "MISSED"
    ratio = result.value / result.goal if result.goal else float("nan")
    return (
        f"[{result.name}] {result.value:.4g} {result.unit}, goal {result.goal:g} "
        f"({met}, {ratio:.2f} × goal)  {result.note}"
    )

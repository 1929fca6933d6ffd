"""Rows on exported models: whether they answer as the run's, and how fast."""

from __future__ import annotations

from collections.abc import Iterator

from medmodel.benchmark import Measurement, at_least, at_most
from medmodel.benchmark.servers import temporary_workspace
from medmodel.core.config import config_for
from medmodel.core.job import UNATTENDED
from medmodel.data.synthetic import ensure_sample_dataset
from medmodel.export.formats import FORMATS, INT8_AGREEMENT, TOLERANCE
from medmodel.export.report import ExportReport
from medmodel.inference.export_model import export_model
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run_store import RunStore
from medmodel.training import train

RECIPES = {"instant": 60, "compact": 6, "document": 2}
"""Recipe -> epochs: enough for scores that differ from image to image."""


def export_parity() -> list[Measurement]:
    """Every format of three recipes, trained on the drawn sample."""
    results = []
    for recipe, report in _reports():
        name, images = f"export_parity {recipe} {report.format}", report.images
        if FORMATS[report.format].quantised:
            note = f"{images} test images, at most {report.largest_difference:.2g} off"
            results.append(
                at_least(name, report.same_class, INT8_AGREEMENT, "same class", note)
            )
        else:
            note = f"{images} test images, {report.same_class:.1%} of the same class"
            results.append(
                at_most(name, report.largest_difference, TOLERANCE, "difference", note)
            )
    return results


def export_latency() -> list[Measurement]:
    """Time of one image / the same of the model itself, in TensorFlow."""
    return [
        at_most(
            f"export_latency {recipe} {report.format}",
            report.latency / report.original_latency,
            1.5,
            note=f"{1e3 * report.latency:.1f} ms, {report.bytes / 1e6:.1f} MB, "
            f"{report.memory / 1e6:.0f} MB of memory",
        )
        for recipe, report in _reports()
    ]


def _reports() -> Iterator[tuple[str, ExportReport]]:
    with temporary_workspace():
        folder = ensure_sample_dataset()
        for recipe, epochs in RECIPES.items():
            config = config_for(recipe, str(folder), epochs=epochs)
            run = RunStore().create(config)
            with StatusWriter(run) as reporter:
                train.train(run, reporter)
            for key in FORMATS:
                yield recipe, export_model(run, key, UNATTENDED)

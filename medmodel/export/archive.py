"""The ZIP file of an export: model, metadata, model card, a script, a drawn image."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medmodel.core.errors import MedModelError
from medmodel.core.storage import read_bytes, renaming
from medmodel.core.templating import render_template
from medmodel.export import metadata
from medmodel.export.formats import FORMATS
from medmodel.export.report import ExportReport, archive_path, export_folder
from medmodel.imaging.images import png_bytes
from medmodel.reports.evaluation_html import model_card_html
from medmodel.runs.run import Run

LICENCE = "encoder_licence.txt"
"""Of a run on an encoder of the weights folder, noted as it began."""
_LONGEST_LICENCE = 1 << 20
_DATE = (1980, 1, 1, 0, 0, 0)
"""Of every file: the same export, the same bytes."""


def drawn_sample(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """An image that shows nobody: rings on a ramp, to try a program with.

    Args:
        shape: (height, width, channels).
    """
    height, width, channels = shape
    down, across = np.mgrid[0:height, 0:width].astype(np.float64)
    radius = np.hypot(down - height / 2, across - width / 2) / max(height, width)
    grey = 110 + 60 * np.cos(25 * radius) + 60 * across / width
    colours = np.stack([grey * (1 - 0.2 * c) for c in range(channels)], axis=2)
    return np.clip(np.rint(colours), 0, 255).astype(np.uint8)


def write_archive(
    run: Run,
    report: ExportReport,
    sample: NDArray[np.uint8],
    answer: dict[str, float],
) -> None:
    """Writes the ZIP file, entirely or not at all.

    Args:
        run: The run.
        report: Of the export, whose files lie in its folder.
        sample: As from `drawn_sample`.
        answer: What the exported model says of it: class -> probability after
            calibration, of a segmentation share of the pixels.

    Raises:
        OSError: The disk is full or fails.
    """
    entry = FORMATS[report.format]
    place = export_folder(run, entry.key)
    runtime = entry.key.removesuffix("_int8")
    facts = metadata.model_metadata(run) | {"sample": answer}
    outlines = bool(facts["mask_values"])
    script = render_template(
        "predict.py.txt",
        needs=entry.needs,
        file=entry.file,
        runtime=runtime,
        outlines=outlines,
        several=bool(facts["findings"]),
    )
    with (
        renaming(archive_path(run, entry.key)) as path,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        _write_model(archive, place / entry.file)
        _write(archive, metadata.NAME, _json(facts))
        _write(archive, "report.json", (place / "report.json").read_bytes())
        _write(archive, "predict.py", script.encode())
        if runtime == "onnx" and not outlines:
            page = render_template("predict.html", title=facts["name"])
            _write(archive, "predict.html", page.encode())
        _write(archive, "sample.png", png_bytes(sample))
        # Of the encoder whose weights go along.
        licence = read_bytes(run.folder / LICENCE, _LONGEST_LICENCE)
        if licence is not None:
            _write(archive, LICENCE, licence)
        card = _card(run)
        if card is not None:
            _write(archive, "model_card.html", card.encode())


def _write_model(archive: zipfile.ZipFile, model: Path) -> None:
    files = sorted(f for f in model.rglob("*") if f.is_file())
    for file in files if model.is_dir() else [model]:
        name = file.relative_to(model.parent).as_posix()
        _write(archive, name, file.read_bytes())


def _write(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _DATE)
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content, zipfile.ZIP_DEFLATED)


def _json(values: Any) -> bytes:
    return json.dumps(values, ensure_ascii=False, indent=1).encode()


def _card(run: Run) -> str | None:
    """The model card; None where the run has no tables to make one from."""
    try:
        return model_card_html(run)
    except MedModelError:
        # A run that was stopped has a model, and no test images that it was asked.
        return None

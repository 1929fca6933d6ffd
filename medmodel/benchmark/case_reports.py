"""Reports of real DICOM files, opened by readers that are not ours."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from medmodel.benchmark import Measurement, at_most, bench_data
from medmodel.core.errors import DataError, ImageError
from medmodel.reports.case.dicom_content import DicomFacts, ReportedShape
from medmodel.reports.case.dicom_report import encapsulated_pdf, structured_report

PROGRAMS = {"dsrdump": "dcmtk", "dciodvfy": "dicom3tools"}
"""Validator -> the package that has it."""
SETS = ("dicom", "ct_dicom")
MOST_FILES = 40
_BOX = [(2.0, 3.0), (9.5, 8.0)]
_FACTS = DicomFacts(
    model="Instant",
    model_hash="ab" * 32,
    predicted="pneumonia",
    scores={"normal": 0.1, "pneumonia": 0.9},
    shapes=[
        ReportedShape("Line 1", "line", _BOX, {"length": (8.4, "mm")}),
        ReportedShape(
            "结节", "ellipse", _BOX, {"area": (29.5, "mm2"), "mean": (-12.5, "HU")}
        ),
        ReportedShape("Polygon 1", "polygon", [*_BOX, (4, 9)], {"area": (9.0, "px")}),
        ReportedShape("Angle 1", "angle", [*_BOX, (4, 9)], {"angle": (45.0, "deg")}),
    ],
    shown_size=(64, 64),
    text="Opacity in the right lower lobe.",
    created=0.0,
)


def reports() -> list[Measurement]:
    """Errors that outside validators find in reports of real DICOM files."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        packages = ", ".join(PROGRAMS[name] for name in missing)
        raise DataError(f"Validators are missing: install {packages}.")
    checks, errors = Counter[str](), list[str]()
    refused = 0
    for path in _files():
        for identified in (False, True):
            facts = replace(_FACTS, identified=identified)
            data = path.read_bytes()
            try:
                report = structured_report(data, path.name, -1, facts)
                document = encapsulated_pdf(data, path.name, b"%PDF-1.4", facts)
            except ImageError:
                refused += 1
                continue
            for kind, file in (("SR", report), ("PDF", document)):
                for name, problem in _problems(kind, file, data):
                    checks[name] += 1
                    errors += [f"{path.name}, {kind}, {name}: {problem}"] * bool(
                        problem
                    )
    counts = ", ".join(f"{name} {count}" for name, count in checks.items())
    note = (
        f"files checked by {counts}; {refused} reports refused in one sentence, as the "
        f"source is no image that they can refer to. {' '.join(errors[:3])}"
    )
    return [at_most("reports", float(len(errors)), 0.0, "errors", note)]


def _files() -> list[Path]:
    paths = [
        path
        for name in SETS
        for path in sorted(bench_data(name).rglob("*"))
        if path.is_file() and path.read_bytes()[128:132] == b"DICM"
    ]
    return paths[:: max(1, len(paths) // MOST_FILES)]


def _problems(kind: str, file: bytes, source: bytes) -> Iterator[tuple[str, str]]:
    """Validator and its first error; "" for none.

    A value of the source that is wrong there already, such as a UID under which an
    archive knows the study, is no error of the report.
    """
    for program in PROGRAMS if kind == "SR" else ("dciodvfy",):
        errors = [
            error
            for error in _errors(program, file)
            if not any(text.encode() in source for text in re.findall('"(.+?)"', error))
        ]
        yield program, (errors or [""])[0]
    if kind == "SR":
        yield "highdicom", _read_by_highdicom(file)


def _errors(program: str, file: bytes) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.dcm"
        path.write_bytes(file)
        done = subprocess.run([program, str(path)], capture_output=True, check=False)
    said = (done.stdout + done.stderr).decode(errors="replace").splitlines()
    errors = [line for line in said if line.startswith(("Error", "E: "))]
    failed = [f"ended with {done.returncode}"] if done.returncode else []
    return errors or failed


def _read_by_highdicom(file: bytes) -> str:
    from highdicom.sr import MeasurementReport, srread

    content = srread(io.BytesIO(file)).content
    assert isinstance(content, MeasurementReport)
    groups = len(content.get_image_measurement_groups())
    wanted = 1 + len(_FACTS.shapes)
    return "" if groups == wanted else f"{groups} of {wanted} measurement groups"

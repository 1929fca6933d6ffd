"""Checks a data set in a process of its own, and keeps what its page shows.

`python -m medmodel.quality.indexing FOLDER`. Pages start it and look at its state; it
survives them. Beside the index it leaves report.json and small pictures, so that the
page of a data set with 10,000 images opens at once.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medmodel.core.background import BackgroundTask, TaskState
from medmodel.core.config import TrainConfig
from medmodel.core.errors import ImageError
from medmodel.core.storage import read_json, replacing, write_json
from medmodel.data import curation
from medmodel.data.datasets import Index, index_dataset, index_folder, load_index
from medmodel.data.splits import assign_splits, guess_patient_pattern
from medmodel.imaging import images
from medmodel.quality import assessment, issues
from medmodel.quality.checks import DatasetReport, examine

if TYPE_CHECKING:
    import pandas as pd

SAMPLES, SAMPLE_SIDE = 8, 112
SHOWN_DUPLICATES, DUPLICATE_SIDE = 60, 72
_VERSION = 1
"""Of report.json; to be raised when `DatasetReport` changes."""


def start_indexing(folder: Path) -> None:
    """Starts the check in the background, unless it is running already."""
    _task(folder.resolve()).start()


def indexing_state(folder: Path) -> TaskState:
    """How far the check of a folder is."""
    return _task(folder).state()


def _task(folder: Path) -> BackgroundTask:
    place = index_folder(folder)
    return BackgroundTask(
        arguments=("medmodel.quality.indexing", str(folder)),
        state_path=place / "state.json",
        lock_path=place / "lock",
        log_path=place / "log.txt",
        interrupted="The check ended without a word: it was killed, or the machine "
        "went down. Start it again; it goes on where it was.",
        unusable="The workspace or the folder cannot be used",
        folder=str(folder),
    )


def kept_report(folder: Path) -> DatasetReport | None:
    """The findings of the last check, read in milliseconds; None if there are none."""
    values = _read_report(folder)
    return None if values is None else DatasetReport.from_json(values["report"])


def kept_pattern(folder: Path) -> str:
    """The pattern for patients that the kept report was made with."""
    values = _read_report(folder)
    return "" if values is None else str(values["pattern"])


def sample_strip(folder: Path, label: str) -> Path:
    """A PNG with some pictures of a class side by side."""
    name = hashlib.sha256(label.encode()).hexdigest()[:16]
    return index_folder(folder) / "pictures" / f"class-{name}.png"


def duplicate_picture(folder: Path, path: str) -> Path:
    """A small PNG of a picture that occurs more than once, by its first path."""
    name = hashlib.sha256(path.encode()).hexdigest()[:16]
    return index_folder(folder) / "pictures" / f"same-{name}.png"


def kept_findings(folder: Path) -> list[issues.Issue] | None:
    """The quality findings of the last check; None if this version made none."""
    values = _kept(folder, "findings.json")
    if values.get("version") != _VERSION:
        return None
    return issues.from_json(values["findings"])


def decisions(folder: Path) -> list[curation.Action]:
    """What was decided about a data set, oldest first."""
    return curation.actions(index_folder(folder))


def decide(folder: Path, action: curation.Action) -> None:
    """Keeps a decision and checks again, in the background; files stay as they are."""
    curation.add(index_folder(folder), action)
    start_indexing(folder)


def undo(folder: Path, action_id: str) -> None:
    """Takes a decision back and checks again, in the background."""
    curation.undo(index_folder(folder), action_id)
    start_indexing(folder)


def finding_strip(folder: Path, kind: str) -> Path:
    """A PNG with the first pictures of a finding side by side."""
    return index_folder(folder) / "pictures" / f"finding-{kind}.png"


def report_with_pattern(folder: Path, pattern: str) -> DatasetReport:
    """The findings with another pattern for patients, kept for the next look.

    Raises:
        DataError: The folder was not checked yet, or cannot be split that way.
        ConfigError: The pattern is not a regular expression.
    """
    index = load_index(folder) or index_dataset(folder)
    table = _split_table(index, pattern)
    report = examine(index, table)
    # No picture is opened again: who belongs to which split is all that changes.
    measured = _kept_measured(index) or assessment.measure(index)
    _keep_findings(
        folder, index, assessment.find_issues(index, table, report, measured)
    )
    _keep_report(folder, report, pattern, chosen=True)
    return report


def check_folder(folder: Path) -> None:
    """The whole check of one folder, told to its state file; raises what goes wrong."""
    task = _task(folder)
    index = index_dataset(folder, task.job())
    total = len(index.table)
    task.write("comparing", done=total, total=total)
    kept = _read_report(folder)
    # A pattern that a person gave outlives the next check.
    chosen = kept is not None and bool(kept["chosen"])
    guess = guess_patient_pattern(index.readable["path"])
    pattern = kept["pattern"] if kept and chosen else guess
    table = _split_table(index, pattern)
    report = examine(index, table)
    _draw_pictures(index, report)
    measured = assessment.measure(index)
    write_json(index_folder(folder) / "measured.json", measured._asdict())
    _keep_findings(
        folder, index, assessment.find_issues(index, table, report, measured)
    )
    _keep_report(folder, report, pattern, chosen=chosen)
    task.write("finished", done=total, total=total)


def _split_table(index: Index, pattern: str) -> pd.DataFrame:
    config = TrainConfig(dataset=str(index.folder), patient_pattern=pattern)
    return assign_splits(index, config)


def _kept_measured(index: Index) -> assessment.Measured | None:
    """What the last check measured, if it was of the same pictures."""
    values = _kept(index.folder, "measured.json")
    if values.get("fingerprint") != index.fingerprint:
        return None
    return assessment.Measured(**values)


def _keep_findings(folder: Path, index: Index, found: list[issues.Issue]) -> None:
    """Keeps the findings, and some pictures of each: of groups the first two."""
    drawn = kept_findings(folder) or []
    for finding in found:
        paths = [path for group in finding.groups for path in group[:2]][:SAMPLES]
        strip = finding_strip(folder, finding.kind)
        if paths and not (finding in drawn and strip.exists()):
            shown = [_small(index.folder / path, SAMPLE_SIDE) for path in paths]
            _write_png(strip, shown)
    values = {"version": _VERSION, "findings": issues.to_json(found)}
    write_json(index_folder(folder) / "findings.json", values)


def _read_report(folder: Path) -> dict[str, Any] | None:
    """What report.json holds; None if it is not there or of another version."""
    values = _kept(folder, "report.json")
    return values if values.get("version") == _VERSION else None


def _kept(folder: Path, name: str) -> dict[str, Any]:
    """What a file beside the index holds; empty where it is missing or damaged.

    The next check writes it anew.
    """
    try:
        found = read_json(index_folder(folder) / name)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _keep_report(
    folder: Path, report: DatasetReport, pattern: str, chosen: bool
) -> None:
    """Keeps the findings; `chosen` tells whether a person gave the pattern."""
    values = {
        "version": _VERSION,
        "pattern": pattern,
        "chosen": chosen,
        "report": report.to_json(),
    }
    with replacing(index_folder(folder) / "report.json") as file:
        json.dump(values, file, ensure_ascii=False)


def _draw_pictures(index: Index, report: DatasetReport) -> None:
    """Leaves small PNG files: a strip per class, one for each picture found twice."""
    readable = index.readable
    for label in index.classes:
        rows = readable[readable["label"] == label].sort_values("digest")
        # By digest, not by name: neighbours in name are often the same patient.
        shown = [_small(index.folder / p, SAMPLE_SIDE) for p in rows["path"][:SAMPLES]]
        _write_png(sample_strip(index.folder, label), shown)
    for group in report.duplicates[:SHOWN_DUPLICATES]:
        picture = _small(index.folder / group.paths[0], DUPLICATE_SIDE)
        _write_png(duplicate_picture(index.folder, group.paths[0]), [picture])


def _small(path: Path, side: int) -> images.Pixels:
    """A picture on a dark square, uint8 (side, side, 3); tiny ones are enlarged."""
    square = np.full((side, side, 3), 17, np.uint8)
    try:
        pixels = images.decode(path).pixels
    except (ImageError, OSError):
        # Gone since it was indexed: the next check will say so.
        return square
    pixels = images.thumbnail(pixels, side)
    times = side // max(pixels.shape[:2])
    pixels = pixels.repeat(times, axis=0).repeat(times, axis=1)
    height, width, _ = pixels.shape
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = pixels
    return square


def _write_png(path: Path, pictures: list[images.Pixels]) -> None:
    gap = np.full((pictures[0].shape[0], 4, 3), 17, np.uint8)
    parts = [part for picture in pictures for part in (gap, picture)] + [gap]
    with replacing(path, "wb") as file:
        file.write(images.png_bytes(np.concatenate(parts, axis=1)))


def main() -> None:
    """Checks the folder named on the command line; the exit status tells."""
    folder = Path(sys.argv[1]).resolve()

    def check() -> None:
        checked = None
        while checked != decisions(folder):  # else somebody decided meanwhile
            checked = decisions(folder)
            check_folder(folder)

    _task(folder).run(check)


if __name__ == "__main__":
    main()

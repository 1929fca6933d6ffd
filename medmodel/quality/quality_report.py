"""The quality report as a file to keep or to send: HTML for people, JSON for programs.

No patient's number is in it: stand-ins only, and those only in the names of groups.
Its last part follows items 7 to 20 of CLAIM in its update of 2024, on data, reference
standard and partitions, whose numbers are not those of 2020; blanks stay blank.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from medmodel import __version__
from medmodel.core.samples import Slicing
from medmodel.core.templating import render_template
from medmodel.data.curation import Action
from medmodel.quality.checks import DatasetReport
from medmodel.quality.issues import VERDICTS, Issue, verdict
from medmodel.quality.thumbnails import drawn_png, issue_strip

CLAIM = (
    "Checklist for Artificial Intelligence in Medical Imaging (CLAIM): 2024 update. "
    "Tejani et al., Radiology: Artificial Intelligence 6(4) (2024) e240300"
)
"""Where the items and their numbers come from."""


def as_json(
    folder: Path,
    report: DatasetReport,
    findings: Sequence[Issue],
    decided: Sequence[Action],
) -> str:
    """Everything that the page of a data set says."""
    values: dict[str, Any] = {
        "program": f"MedModel {__version__}",
        "made": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "dataset": folder.name,
        "verdict": VERDICTS[verdict(report, findings)][0],
        "report": asdict(report),
        "findings": [asdict(issue) for issue in findings],
        "decisions": [asdict(action) for action in decided],
        "claim_source": CLAIM,
        "claim": [
            {"item": number, "topic": topic, "known": known}
            for number, topic, known in claim_items(folder, report, decided)
        ],
    }
    # Which image shows whom stays here.
    del values["report"]["patient_examples"], values["report"]["shared_patients"]
    return json.dumps(values, ensure_ascii=False, indent=1)


def as_html(
    folder: Path,
    report: DatasetReport,
    findings: Sequence[Issue],
    decided: Sequence[Action],
) -> str:
    """One file without scripts that opens anywhere, its images in it."""
    word, meaning = VERDICTS[verdict(report, findings)]
    return render_template(
        "quality_report.html",
        name=folder.name,
        word=word,
        meaning=meaning,
        report=report,
        issues=[(issue, _examples(folder, issue)) for issue in findings],
        decisions=[words(action) for action in decided],
        claim_source=CLAIM,
        claim=claim_items(folder, report, decided),
    )


def _examples(folder: Path, issue: Issue) -> str:
    """Images of an issue as a PNG in base 64; empty where there are none."""
    if not issue.groups:
        return ""
    return base64.b64encode(drawn_png(issue_strip(folder, issue.kind))).decode()


def words(action: Action) -> str:
    """A decision in one line."""
    files = sum(len(group) for group in action.groups)
    if action.kind == "leave_out":
        return f"{files:,} files left out: {action.reason}"
    if action.kind == "together":
        return f"{files:,} files kept in one split each group: {action.reason}"
    if action.kind == "slices":
        return f"{Slicing(**action.slicing).words()}."
    changes = [f"{old} → {new or 'left out'}" for old, new in action.names.items()]
    return f"Classes: {', '.join(changes)}"


def claim_items(
    folder: Path, report: DatasetReport, decided: Sequence[Action]
) -> list[tuple[str, str, str]]:
    """Number, topic, and what the program knows of it; "" is left to be filled in."""
    out = [a.groups for a in decided if a.kind == "leave_out"]
    left = sum(len(group) for groups in out for group in groups)
    excluded = f"{left:,} files left out after looking at them." if left else ""
    slices = [words(action) for action in decided if action.kind == "slices"]
    renamed = [words(action) for action in decided if action.kind == "classes"]
    windows = ", ".join(f"{seen} ({n:,})" for seen, n in report.seen.items())
    missing = (
        f"Files that cannot be read and take no part: {len(report.unreadable):,}; "
        f"images whose patient is not known: {report.without_patient:,}."
    )
    two = sum(len(group.labels) > 1 for group in report.duplicates)
    parts = [
        f"{split}: {sum(c[split] for c in report.images.values()):,}"
        for split in report.splits
    ]
    drawn = [split for split in report.splits if split in report.drawn]
    given = f"Drawn at random: {', '.join(drawn)}." if drawn else "As the folders say."
    headers = "File headers name patients; only stand-ins are kept."
    return [
        ("7", "Data sources", f"Folder {folder.name}: {report.num_images:,} images."),
        ("7", "Data sources: places and dates", ""),
        ("8", "Inclusion and exclusion criteria", excluded),
        ("9", "Data pre-processing", f"Shown {windows}." if windows else ""),
        ("10", "Selection of data subsets", " ".join(slices)),
        ("11", "De-identification methods", headers if report.from_headers else ""),
        ("12", "How missing data were handled", missing),
        ("13", "Image acquisition protocol", _stored(report)),
        ("14", "How the reference standard was obtained", " ".join(renamed)),
        ("15", "Rationale for this reference standard", ""),
        ("16", "Source of its annotations", ""),
        ("17", "Annotation of the test set", ""),
        ("18", "Inter- and intra-rater variability", _disagreement(two)),
        ("19", "How data were assigned to partitions", f"{'; '.join(parts)}. {given}"),
        ("20", "Level at which partitions are disjoint", report.verdict),
    ]


def _stored(report: DatasetReport) -> str:
    """What the files say by themselves; scanners and doses are not known."""
    formats = ", ".join(f"{mode} ({n:,})" for mode, n in report.modes.items())
    (width, height), (most_wide, most_high) = report.smallest, report.largest
    sizes = f"{width} × {height}"
    if report.smallest != report.largest:
        sizes += f" to {most_wide} × {most_high}"
    return f"Stored as {formats}; {sizes} pixels. Scanner and settings: not read."


def _disagreement(images: int) -> str:
    if not images:
        return ""
    lie = "image lies" if images == 1 else "images lie"
    return f"{images:,} {lie} under two labels."

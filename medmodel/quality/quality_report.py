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
from medmodel.language import (
    N_,
    SOURCE,
    _,
    join_sentences,
    ngettext,
    speaking,
    translate,
)
from medmodel.quality.checks import DatasetReport
from medmodel.quality.issues import VERDICTS, Issue, verdict
from medmodel.quality.thumbnails import drawn_png, issue_strip

CLAIM = N_(
    "Checklist for Artificial Intelligence in Medical Imaging (CLAIM): "
    "2024 update. Tejani et al., Radiology: Artificial Intelligence "
    "6(4) (2024) e240300"
)
"""Where the items and their numbers come from."""


@speaking(SOURCE)  # Other programs read it.
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
        word=_(word),
        meaning=_(meaning),
        report=report,
        issues=[(issue, _examples(folder, issue)) for issue in findings],
        decisions=[words(action) for action in decided],
        claim_source=_(CLAIM),
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
        return _(
            "{files:,} files left out: {reason}", files=files, reason=_reason(action)
        )
    if action.kind == "together":
        return _(
            "{files:,} files kept in one split each group: {reason}",
            files=files,
            reason=_reason(action),
        )
    if action.kind == "slices":
        return f"{Slicing(**action.slicing).words()}."
    left_out = _("left out")
    changes = [f"{old} → {new or left_out}" for old, new in action.names.items()]
    return _("Classes: {changes}", changes=_(", ").join(changes))


def _reason(action: Action) -> str:
    """The title of a finding, which is kept in small letters."""
    title = action.reason[:1].upper() + action.reason[1:]
    said = translate(title)
    return action.reason if said == title else said


def claim_items(
    folder: Path, report: DatasetReport, decided: Sequence[Action]
) -> list[tuple[str, str, str]]:
    """Number, topic, and what the program knows of it; "" is left to be filled in."""
    slices = [words(action) for action in decided if action.kind == "slices"]
    renamed = [words(action) for action in decided if action.kind == "classes"]
    windows = _(", ").join(
        f"{translate(seen)} ({n:,})" for seen, n in report.seen.items()
    )
    two = sum(len(group.labels) > 1 for group in report.duplicates)
    headers = _("File headers or a table name patients; only pseudonyms are kept.")
    return [
        (
            "7",
            _("Data sources"),
            _(
                "Folder {folder}: {images:,} images.",
                folder=folder.name,
                images=report.num_images,
            ),
        ),
        ("7", _("Data sources: places and dates"), ""),
        ("8", _("Inclusion and exclusion criteria"), _excluded(decided)),
        (
            "9",
            _("Data pre-processing"),
            _("Shown {windows}.", windows=windows) if windows else "",
        ),
        ("10", _("Selection of data subsets"), join_sentences(slices)),
        ("11", _("De-identification methods"), headers if report.from_headers else ""),
        ("12", _("How missing data were handled"), _missing(report)),
        ("13", _("Image acquisition protocol"), _stored(report)),
        ("14", _("How the reference standard was obtained"), join_sentences(renamed)),
        ("15", _("Rationale for this reference standard"), ""),
        ("16", _("Source of its annotations"), ""),
        ("17", _("Annotation of the test set"), ""),
        ("18", _("Inter- and intra-rater variability"), _disagreement(two)),
        ("19", _("How data were assigned to partitions"), _partitions(report)),
        ("20", _("Level at which partitions are disjoint"), translate(report.verdict)),
    ]


def _excluded(decided: Sequence[Action]) -> str:
    """What people left out; "" where they left out nothing."""
    out = [a.groups for a in decided if a.kind == "leave_out"]
    left = sum(len(group) for groups in out for group in groups)
    if not left:
        return ""
    return ngettext(
        "{count:,} file left out after looking at it.",
        "{count:,} files left out after looking at them.",
        left,
    )


def _missing(report: DatasetReport) -> str:
    return _(
        "Files that cannot be read and take no part: {files:,}; images "
        "whose patient is not known: {images:,}.",
        files=len(report.unreadable),
        images=report.without_patient,
    )


def _partitions(report: DatasetReport) -> str:
    """Images of each split, and who assigned them to it."""
    counts = report.images_of_split or {
        split: sum(c[split] for c in report.images.values()) for split in report.splits
    }
    parts = [f"{_(split)}: {count:,}" for split, count in counts.items()]
    drawn = [split for split in report.splits if split in report.drawn]
    given = (
        _("Drawn at random: {drawn}.", drawn=_(", ").join(map(_, drawn)))
        if drawn
        else _("As the folders say.")
    )
    return f"{'; '.join(parts)}. {given}"


def _stored(report: DatasetReport) -> str:
    """What the files say by themselves; scanners and doses are not known."""
    formats = _(", ").join(f"{mode} ({n:,})" for mode, n in report.modes.items())
    (width, height), (most_wide, most_high) = report.smallest, report.largest
    sizes = f"{width} × {height}"
    if report.smallest != report.largest:
        largest = f"{most_wide} × {most_high}"
        sizes = _("{smallest} to {largest}", smallest=sizes, largest=largest)
    return _(
        "Stored as {formats}; {sizes} pixels. Scanner and settings: not read.",
        formats=formats,
        sizes=sizes,
    )


def _disagreement(images: int) -> str:
    if not images:
        return ""
    return ngettext(
        "{count:,} image lies under two labels.",
        "{count:,} images lie under two labels.",
        images,
    )

"""`medmodel check`: what is in a folder of images, before anything is trained on it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from medmodel.cli.output import (
    goes_on,
    json_option,
    print_json,
    progress_bar,
    say,
    say_table,
)
from medmodel.cli.parameters import folder_argument
from medmodel.core.errors import DataError
from medmodel.core.processes.background import TaskState
from medmodel.data.layouts.left_out import is_left_out
from medmodel.language import _, join_sentences, ngettext, translate
from medmodel.quality import indexing, issues, report_store
from medmodel.quality.checks import DatasetReport, Level
from medmodel.quality.issues import Issue

_LOOK_EVERY = 0.2
_LEVEL_WORDS = {level: title for level, (title, _sentence) in issues.VERDICTS.items()}
_FAILURES: tuple[Level, ...] = ("problem", "unsplit")
"""What makes the exit status 1: data leakage, and what cannot be trained on."""


@click.command("check")
@folder_argument
@click.option(
    "--files",
    "with_files",
    is_flag=True,
    help="Name the files of each finding. File names may hold names of patients.",
)
@json_option
@click.pass_context
def command(ctx: click.Context, folder: Path, with_files: bool, as_json: bool) -> None:
    """Check a data set: unreadable files, copies, patients, shortcuts, sizes.

    FOLDER has one folder per class, or a table of labels. The exit status is 1 where
    test images are not independent of training images, and where nothing can be
    trained.
    """
    check_folder(folder)
    report = report_store.load_report(folder)
    if report is None:
        raise DataError(_("The check left no report: start it again."))
    findings = report_store.load_issues(folder) or []
    level = issues.verdict(report, findings)
    if as_json:
        print_json(_values(folder, report, findings, with_files))
    else:
        _say_report(report, findings, with_files)
    if level in _FAILURES:
        ctx.exit(1)


def check_folder(folder: Path) -> None:
    """Checks a folder as the Data sets page does, and waits until that has ended.

    It is the same task, in a process of its own: whoever breaks off the waiting does
    not break off the check.

    Raises:
        DataError: The folder cannot be used.
    """
    indexing.start_indexing(folder)
    sentence = _("The check goes on. See it: medmodel check {folder}", folder=folder)
    with goes_on(sentence), progress_bar() as show:
        while (state := indexing.indexing_state(folder)).running:
            show(state.done / state.total if state.total else 0.0, _phase(state))
            time.sleep(_LOOK_EVERY)
    if state.error:
        raise DataError(translate(state.error))


def _phase(state: TaskState) -> str:
    if state.phase == "checking":
        return _("Checking")
    if state.phase == "comparing":
        return _("Comparing images")
    return _("Looking for files")


def _values(
    folder: Path, report: DatasetReport, findings: list[Issue], with_files: bool
) -> dict[str, Any]:
    """The report as JSON has it."""
    measured = bool(report.baseline_class) and _has_test(report)
    return {
        "dataset": str(folder),
        "level": issues.verdict(report, findings),
        "verdict": report.verdict,
        "images": report.num_images,
        "patients": report.num_patients,
        "images_without_patient": report.without_patient,
        "classes": report.images,
        "splits_drawn": report.drawn,
        "baseline": {
            "class": report.baseline_class or None,
            "equally_common": report.baseline_ties,
            "accuracy": report.baseline if measured else None,
        },
        "multi_label": report.multi_label,
        "unreadable": len(report.unreadable),
        "ignored": sum(is_left_out(reason) for _path, reason in report.ignored),
        "unreadable_files": _pairs(report.unreadable) if with_files else None,
        "ignored_files": _pairs(report.ignored) if with_files else None,
        "warnings": report.sample_size_warnings,
        "findings": [
            {
                "kind": finding.kind,
                "level": finding.level,
                "title": finding.title,
                "sentence": finding.sentence,
                "count": finding.count,
                "files": finding.groups if with_files else None,
            }
            for finding in findings
        ],
    }


def _pairs(files: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"path": path, "reason": reason} for path, reason in files]


def _say_report(report: DatasetReport, findings: list[Issue], with_files: bool) -> None:
    from medmodel.reports.run_facts import images_of_patients

    title = _(_LEVEL_WORDS[issues.verdict(report, findings)])
    say(f"{title}. {translate(report.verdict)}")
    say()
    say_table(
        [
            _("Image finding") if report.multi_label else _("Class"),
            *(_(split) for split in report.splits),
        ],
        [
            [name, *(f"{splits[split]:,}" for split in report.splits)]
            for name, splits in report.images.items()
        ],
        numbers=range(1, len(report.splits) + 1),
    )
    say()
    counted = images_of_patients(report.num_images, report.num_patients)
    for line in filter(None, (counted, _split(report))):
        say(line)
    for warning in report.sample_size_warnings:
        say(translate(warning))
    for finding in findings:
        _say_finding(finding, with_files)
    _say_left_out(report, with_files)


def _split(report: DatasetReport) -> str:
    """What of the split is drawn, and what a model must beat, in sentences."""
    sentences = []
    if set(report.drawn) == set(report.splits):
        sentences.append(_("The split is drawn, patients kept together."))
    elif report.drawn:
        names = ", ".join(_(split) for split in report.drawn)
        sentences.append(_("Drawn, patients kept together: {splits}.", splits=names))
    if report.multi_label:
        sentences.append(_("An image counts once for each of its findings."))
    elif _has_test(report):
        sentences.append(_baseline(report))
    return join_sentences(sentences)


def _baseline(report: DatasetReport) -> str:
    """What a model must beat, as a sentence."""
    if not report.baseline_ties:
        return _(
            "Baseline (majority class {majority} of the training images): test "
            "accuracy {baseline:.3f}.",
            majority=report.baseline_class,
            baseline=report.baseline,
        )
    return _(
        "Baseline (always {name}; {count:,} classes have equally many training "
        "images): test accuracy {baseline:.3f}.",
        name=report.baseline_class,
        count=1 + len(report.baseline_ties),
        baseline=report.baseline,
    )


def _has_test(report: DatasetReport) -> bool:
    """Whether there is an image to test on."""
    return "test" in report.splits


def _say_finding(finding: Issue, with_files: bool) -> None:
    say()
    say(f"{_mark(finding.level)} {translate(finding.title)} ({finding.count:,})")
    say(f"  {translate(finding.sentence)}")
    if with_files:
        for group in finding.groups:
            say(f"    {', '.join(group)}")


def _mark(level: Level) -> str:
    return {"ok": "-", "warning": "!"}.get(level, "!!")


def _say_left_out(report: DatasetReport, with_files: bool) -> None:
    """Files that cannot be read, and those that are left out, with their reasons."""
    if not report.unreadable and not report.ignored:
        return
    say()
    counts = []
    if report.unreadable:
        counts.append(
            ngettext(
                "{count:,} file cannot be read.",
                "{count:,} files cannot be read.",
                len(report.unreadable),
            )
        )
    if ignored := sum(is_left_out(reason) for _path, reason in report.ignored):
        counts.append(
            ngettext(
                "{count:,} file is left out.",
                "{count:,} files are left out.",
                ignored,
            )
        )
    if counts:
        say(" ".join(counts))
    if not with_files:
        say(_("Their names and the reasons: --files"))
        return
    for path, reason in (*report.unreadable, *report.ignored):
        say(f"    {path}: {translate(reason)}")

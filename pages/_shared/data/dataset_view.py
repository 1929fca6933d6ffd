"""What a data set holds, as its page shows it: the verdict first, then the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from medmodel.data.layouts.left_out import left_out
from medmodel.data.layouts.split_names import SPLIT_TITLES
from medmodel.data.multi_label.findings import NO_FINDING, split_findings
from medmodel.data.segmentation.pairs import LABEL
from medmodel.language import N_, _, join_sentences, translate
from medmodel.quality import thumbnails
from medmodel.quality.checks import DatasetReport
from medmodel.quality.issues import VERDICTS, Issue, verdict
from pages._shared.common.glossary import meaning
from pages._shared.common.tables import ROW_HEIGHT, show_table
from pages._shared.common.widgets import TILE, at_least_high
from pages._shared.common.words import plain

_PATIENTS = {
    "train": N_("Training: patients"),
    "val": N_("Validation: patients"),
    "test": N_("Test: patients"),
}
_ICONS = {
    "ok": ":material/check_circle:",
    "warning": ":material/warning:",
    "problem": ":material/dangerous:",
    "unsplit": ":material/dangerous:",
}
_FEW_CLASSES = 4


def show_verdict(report: DatasetReport, findings: Sequence[Issue]) -> None:
    """One word on all findings, what was left out, the worst, few images, leakage."""
    level = verdict(report, findings)
    word = _(VERDICTS[level][0])
    show = {"ok": st.success, "warning": st.warning}.get(level, st.error)
    worst = [translate(f.title) for f in findings if f.level == level != "ok"]
    first = f" {_worst_sentence(worst)}" if worst else ""
    unreadable = [(path, N_("cannot be read")) for path, reason in report.unreadable]
    left = left_out([*unreadable, *report.ignored])
    sentences = filter(None, [*report.sample_size_warnings, report.verdict, left])
    text = join_sentences(map(translate, sentences))
    full_stop = _(".")
    show(f"**{word}{full_stop}**{first} {plain(text)}", icon=_ICONS[level])


def _worst_sentence(titles: Sequence[str]) -> str:
    title, more = plain(titles[0]), len(titles) - 1
    if not more:
        return title + _(".")
    return _("{finding}, and {count} more below.", finding=title, count=more)


def show_facts(report: DatasetReport) -> None:
    """The numbers to know before training."""
    patients = f"{report.num_patients:,}" if report.num_patients else _("unknown")
    of_classes = [] if report.classes == [LABEL] else _class_facts(report)
    if report.multi_label:
        of_classes = [_findings_fact(report)]
    facts = [
        (_("Images"), f"{report.num_images:,}", _("Readable images in all splits.")),
        *of_classes[:1],
        (
            _("Patients"),
            patients,
            _("Patients that headers, a table or the file names tell apart."),
        ),
        *of_classes[1:],
    ]
    with at_least_high(TILE), st.container(horizontal=True, gap="small"):
        for label, value, help_text in facts:
            st.metric(label, value, help=help_text, border=True, width="content")


def _class_facts(report: DatasetReport) -> list[tuple[str, str, str]]:
    """Of a data set with classes: label, value and explanation of each number."""
    trained = all(counts.get("train", 0) for counts in report.images.values())
    return [
        (_("Classes"), f"{len(report.classes)}", _("Folders with readable images.")),
        (
            _("Baseline (one class)")
            if report.baseline_ties
            else _("Baseline (majority class)"),
            f"{report.baseline:.1%}".replace("%", " %")
            if "test" in report.splits
            else _("unknown"),
            _baseline_help(report),
        ),
        (
            _("Class imbalance"),
            f"{report.imbalance:.1f} : 1" if trained else _("unknown"),
            _("Training images of the commonest class for each of the rarest.")
            if trained
            else _("A class has no training image, so there is no ratio."),
        ),
    ]


def _baseline_help(report: DatasetReport) -> str:
    """What the baseline is, as sentences."""
    if "test" not in report.splits:
        return _("There are no test images to measure it on.")
    test = sum(counts.get("test", 0) for counts in report.images.values())
    name = plain(report.baseline_class)
    if report.baseline_ties:
        always = _(
            "Accuracy on the test images (n = {images:,}) of a model that always "
            "predicts {class_name}. {count:,} classes have equally many training "
            "images, the most of all; none of them has more test images.",
            class_name=name,
            images=test,
            count=1 + len(report.baseline_ties),
        )
    else:
        always = _(
            "Accuracy on the test images (n = {images:,}) of a model that always "
            "predicts {class_name}, the class with most training images.",
            class_name=name,
            images=test,
        )
    beat = _(
        "A model must do better than that. Evaluate predicts the class with most "
        "test images, which may be another."
    )
    return join_sentences([always, beat])


def _findings_fact(report: DatasetReport) -> tuple[str, str, str]:
    """How many findings there are, of a multi-label data set."""
    findings = [name for name in report.classes if name != NO_FINDING]
    return (
        _("Findings"),
        f"{len(findings)}",
        _("An image may have several findings, or none (multi-label)."),
    )


def _show_combinations(report: DatasetReport) -> None:
    """How often findings occur together, the commonest first."""
    pairs = [
        f"{' + '.join(split_findings(label))} ({count:,})"
        for label, count in report.combinations
    ]
    together = (
        _("Most often together: {combinations}.", combinations=_("; ").join(pairs))
        if pairs
        else _("No image has two findings.")
    )
    once = _("An image counts once for each of its findings.")
    st.caption(
        plain(
            join_sentences(
                [
                    once,
                    together,
                    _(
                        "Whether properties of the files predict a finding is not "
                        "checked."
                    ),
                ]
            )
        )
    )


def show_splits(report: DatasetReport) -> None:
    """Images and patients per class, or finding, and split."""
    name = _("Image finding") if report.multi_label else _("Class")
    columns: dict[str, list[object]] = {name: list(report.classes)}
    for split in report.splits:
        columns[_(SPLIT_TITLES[split])] = [c[split] for c in report.images.values()]
        if report.num_patients:
            counts = report.patients.values()
            columns[_(_PATIENTS[split])] = [c[split] for c in counts]
    columns[_("All images")] = [sum(c.values()) for c in report.images.values()]
    title = (
        _("Images per finding and split")
        if report.multi_label
        else _("Images per class and split")
    )
    st.subheader(title, anchor=False, help=meaning("split"))
    show_table(
        pd.DataFrame(columns),
        hide_index=True,
        height=min(len(report.classes), 14) * ROW_HEIGHT + ROW_HEIGHT,
        row_height=ROW_HEIGHT,
        column_config={
            name: st.column_config.NumberColumn(format="localized") for name in columns
        }
        | {name: st.column_config.TextColumn(pinned=True)},
    )
    if report.multi_label:
        _show_combinations(report)
    if report.drawn and report.classes == [LABEL]:
        st.caption(
            _(
                "A training draws its validation and test images anew, so that images "
                "with and without lesions are spread evenly. All images of one "
                "patient, and identical images, stay in one split."
            )
        )
    elif report.drawn:
        drawn = [split for split in report.drawn if split != "train"]
        rest = _(
            "All images of one patient, and identical images, stay in one split. "
            "Fractions and seed can be changed when training."
        )
        how = _drawn_findings() if report.multi_label else _drawn_sentence(drawn)
        st.caption(f"{how} {rest}")


def _drawn_findings() -> str:
    return _(
        "Splits that the data set does not say are drawn as shown here, stratified by "
        "each finding as far as possible."
    )


def _drawn_sentence(splits: Sequence[str]) -> str:
    if list(splits) == ["val"]:
        return _(
            "The folders hold no validation images: these are drawn as shown here, "
            "stratified by class."
        )
    if list(splits) == ["test"]:
        return _(
            "The folders hold no test images: these are drawn as shown here, "
            "stratified by class."
        )
    return _(
        "The folders hold no validation and test images: these are drawn as shown "
        "here, stratified by class."
    )


def show_samples(folder: Path, report: DatasetReport) -> None:
    """Some images of every class, every pixel as in the file or scaled down."""
    title = (
        _("Examples of each finding")
        if report.multi_label
        else _("Examples of each class")
    )
    st.subheader(title, anchor=False)
    wide = len(report.classes) <= _FEW_CLASSES
    step = 1 if wide else 2
    # Row by row: on a narrow screen the columns of a row stand below each other.
    for first in range(0, len(report.classes), step):
        columns = st.columns(step, gap="medium")
        for column, label in zip(
            columns, report.classes[first : first + step], strict=False
        ):
            with column:
                _show_class(folder, label, sum(report.images[label].values()))


def _show_class(folder: Path, label: str, count: int) -> None:
    # A blank before the closing asterisks would make them visible.
    st.markdown(
        _(
            "**{class_name}** :gray[{images:,} images]",
            class_name=plain(label.strip()),
            images=count,
        )
    )
    strip = thumbnails.drawn_png(thumbnails.class_strip(folder, label))
    if strip:
        st.image(
            strip,
            output_format="PNG",
            alt=_("Examples of {class_name}", class_name=label),
        )

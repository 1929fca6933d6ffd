"""What the numbers of a run rest on, and what limits them: sentences of reports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medmodel.core.errors import RunError
from medmodel.data.multi_label.findings import row_per_finding
from medmodel.data.sample_size import (
    ClassCounts,
    class_counts,
    dataset_warnings,
    test_warnings,
    training_warnings,
)
from medmodel.evaluation.decision.decision_threshold import (
    ThresholdEffect,
    threshold_effect,
)
from medmodel.evaluation.decision.frozen_thresholds import later_choices
from medmodel.evaluation.decision.positive_class import (
    NO_POSITIVE_CLASS,
    positive_class,
)
from medmodel.evaluation.decision.predicted_class import decision_threshold
from medmodel.evaluation.evaluation import Evaluation, evaluate
from medmodel.evaluation.intervals.minima import MINIMA
from medmodel.evaluation.metrics.metric_table import METRICS, class_metrics
from medmodel.evaluation.predictions import shared_patients, split_predictions
from medmodel.language import N_, _, format_utc, join_sentences, ngettext, translate
from medmodel.language.right_to_left import isolated
from medmodel.quality.report_store import load_issues
from medmodel.runs.copies import copies_of, independent_predictions, with_copies
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.tables.split import read_split

if TYPE_CHECKING:
    import pandas as pd

BLANK = ""
"""What nobody told the program; shown as a line to be filled in."""


THRESHOLDS_DAMAGED = N_(
    "Which thresholds were chosen is not known: thresholds.json is damaged."
)


UNLIKE = N_("Says nothing about images unlike its training images.")
Fact = tuple[str, str]


POSITIVE_METRICS = ("sensitivity", "specificity", "ppv", "npv")
"""What of a positive class comes first."""


def positive_facts(run: Run) -> list[Fact]:
    """Of two classes the positive one, and its metrics; empty of more classes."""
    data = split_predictions(independent_predictions(run), "test")
    if len(data.classes) != 2:
        return []
    positive = positive_class(run, data.classes)
    if positive is None:
        return [(_("Positive class"), _(NO_POSITIVE_CLASS))]
    metrics = class_metrics(data, positive.position)
    return [
        (_("Positive class"), f"{positive.name} ({positive.basis})"),
        *((_(METRICS[key].title), metrics[key].with_n) for key in POSITIVE_METRICS),
    ]


def decision_sentences(run: Run) -> str:
    """Which threshold decides, and the accuracy at it and at 0.5; or ""."""
    effect = run_threshold_effect(run)
    return "" if effect is None else str(effect)


def run_threshold_effect(run: Run) -> ThresholdEffect | None:
    """What a threshold from validation images does to a run's test images."""
    table = independent_predictions(run)
    data = split_predictions(table, "test")
    validated = (table["split"] == "val").any()
    validation = split_predictions(table, "val") if validated else None
    return threshold_effect(data, validation, decision_threshold(run))


def limits(run: Run, evaluation: Evaluation) -> list[str]:
    """What a reader of the numbers must know, a sentence each."""
    said = [test_copies(run), evaluation.resolution]
    said += [evaluation.ties] if evaluation.tied else []
    if not evaluation.patients and evaluation.accuracy.has_interval:
        said.append(
            _(
                "Patients are not known: images count as independent, so intervals "
                "may be too narrow."
            )
        )
    elif 0 < evaluation.patients < MINIMA["accuracy"].patients:
        said.append(few_patients(evaluation.patients))
    said += patient_overlap(run)
    said += sample_size_warnings(run, evaluation, class_counts(read_split(run)))
    said += same_source(run)
    said.append(_(UNLIKE))
    said.append(
        _(
            "A heat map shows where the network was sensitive, not the outline "
            "of a lesion."
        )
    )
    return said


def patient_overlap(run: Run) -> list[str]:
    """That numbers of test patients occur elsewhere, too, as a sentence; else none.

    Numbers that come from names of files may begin anew in each split.
    """
    overlap = shared_patients(run)
    if not overlap:
        return []
    return [
        ngettext(
            "{count:,} patient number of the test split also occurs in training or "
            "validation: where it is the same person, expect worse on new patients.",
            "{count:,} patient numbers of the test split also occur in training or "
            "validation: where they are the same people, expect worse on new patients.",
            overlap,
        )
    ]


def same_source(run: Run) -> list[str]:
    """That it was tested on images of its own source; nothing of a test elsewhere."""
    if run.tested_model:
        return []
    return [_("Tested on images of the same source only, not at another place.")]


def test_copies(run: Run) -> str:
    """Which test images are copies, and the numbers with them, in sentences."""
    copies = copies_of(run)
    if not copies.paths or copies.all_are_copies:
        return str(copies)
    everything = evaluate(with_copies(independent_predictions(run)))
    return f"{copies} {metrics_with_copies(everything)}"


def metrics_with_copies(evaluation: Evaluation) -> str:
    """A sentence with the numbers of all test images, copies among them."""
    return _(
        "With the copies (n = {images:,} images): accuracy {accuracy}, balanced "
        "accuracy {balanced_accuracy}, area under the ROC curve {auc}.",
        images=evaluation.images,
        accuracy=evaluation.accuracy,
        balanced_accuracy=evaluation.balanced_accuracy,
        auc=evaluation.auc,
    )


def sample_size_warnings(
    run: Run, evaluation: Evaluation, counts: ClassCounts
) -> list[str]:
    """What there were too few images for, a sentence each.

    Args:
        run: What was tested.
        evaluation: Of the images that the numbers at hand rest on.
        counts: Of the run's split.
    """
    counted = _with_tested(evaluation, {} if run.tested_model else counts)
    return test_warnings(counted) if run.tested_model else dataset_warnings(counted)


def training_size_warnings(
    run: Run, evaluation: Evaluation, counts: ClassCounts
) -> list[str]:
    """The same without what is said of the test images; none of an external test."""
    if run.tested_model:
        return []
    return training_warnings(_with_tested(evaluation, counts))


def _with_tested(evaluation: Evaluation, counts: ClassCounts) -> ClassCounts:
    """Counts in which the test images are those that the numbers rest on."""
    return {
        result.name: {**counts.get(result.name, {}), "test": result.images}
        for result in evaluation.per_class
    }


def evaluate_run(run: Run) -> Evaluation:
    """The run's test split in numbers, without copies of images it was trained on.

    Raises:
        RunError: There are no predictions.
        DataError: They hold no test image.
    """
    return evaluate(independent_predictions(run))


def images_of_patients(images: int, patients: int) -> str:
    """How many images, and of how many patients; 0 where these are unknown."""
    count = ngettext("{count:,} image", "{count:,} images", images)
    if not patients:
        return count
    return ngettext(
        "{images} of {count:,} patient",
        "{images} of {count:,} patients",
        patients,
        images=count,
    )


def tested_on(run: Run, evaluation: Evaluation) -> str:
    """What the numbers rest on, as a sentence."""
    return tested_images(run, evaluation.images, evaluation.patients)


def tested_images(run: Run, images: int, patients: int) -> str:
    """The same of so many images, of so many patients; 0 where these are unknown."""
    who = images_of_patients(images, patients)
    if not run.tested_model:
        internal = _("{images}, internal test split.", images=who)
        seed = _("Seed {seed}.", seed=run.config.seed)
        return f"{internal} {split_level(run)} {seed}"
    folder, mapping = Path(run.config.dataset).name, run.class_mapping.items()
    there = [
        _("{label} as {name}", label=a, name=b)
        for a, b in mapping
        if a.casefold() != b.casefold()
    ]
    if not there:
        return _("{images}, external: all of {folder}.", images=who, folder=folder)
    return _(
        "{images}, external: all of {folder} (counting {classes}).",
        images=who,
        folder=folder,
        classes=_(", ").join(there),
    )


def measured_on(run: Run, evaluation: Evaluation) -> str:
    """What the numbers rest on, and what a model must beat, in sentences."""
    measured = _(
        "Measured on {tested_on} Intervals are 95 %.",
        tested_on=tested_on(run, evaluation),
    )
    return join_sentences([measured, evaluation.baseline_sentence])


def split_level(run: Run) -> str:
    """On which level the splits are apart, in sentences."""
    if run.tested_model:
        model = origin(run)
        return split_level(model) if model and model.split_path.exists() else BLANK
    config, shared = run.config, shared_patients(run)
    sentences = [_split_by(shared)]
    if config.folds > 1:
        sentences.append(
            _(
                "Tested on fold {fold} of {folds} of a cross-validation.",
                fold=config.fold,
                folds=config.folds,
            )
        )
    return join_sentences(sentences)


def _split_by(shared: int | None) -> str:
    if shared is None:
        return _("Split by image: patients are not known.")
    if shared:
        return ngettext(
            "{count:,} patient number of the test split also occurs in training or "
            "validation.",
            "{count:,} patient numbers of the test split also occur in training or "
            "validation.",
            shared,
        )
    return _("Split by patient: no patient number is in more than one split.")


def trained_on(run: Run) -> str:
    """Training images of each class, as a sentence; blank of older tests elsewhere."""
    model = origin(run)
    rows = read_split(model) if model and not model.imported else None
    if model is None or rows is None:
        return BLANK
    trained = rows[rows["split"] == "train"]
    if trained.empty:
        return BLANK
    folder = Path(model.config.dataset).name
    return _(
        "{images:,} images of {folder} ({classes}).",
        images=len(trained),
        folder=folder,
        classes=_listed_classes(model, trained),
    )


def _listed_classes(run: Run, rows: pd.DataFrame) -> str:
    """Images of each class; of several findings an image counts for each of its."""
    counted = row_per_finding(rows) if run.config.multi_label else rows
    counts = counted["label"].value_counts().sort_index().items()
    return _(", ").join(f"{isolated(str(name))} {count:,}" for name, count in counts)


def data_quality(run: Run) -> str:
    """What the check of the data set found, as sentences; blank if there was none."""
    issues = load_issues(Path(run.config.dataset))
    if issues is None:
        return BLANK
    odd = [f"{translate(f.title)} ({f.count:,})" for f in issues if f.level != "ok"]
    return (
        _("Found: {findings}.", findings=_("; ").join(odd))
        if odd
        else _("Checked; nothing odd was found.")
    )


def few_patients(count: int) -> str:
    """A sentence: so few patients that no interval would hold what it promises."""
    return ngettext(
        "Only {count} patient: too few for intervals, which need {least} at least.",
        "Only {count} patients: too few for intervals, which need {least} at least.",
        count,
        least=MINIMA["accuracy"].patients,
    )


def sample_sizes(run: Run) -> str:
    """Images of each class in each split, as text."""
    table = read_split(run)
    parts = []
    for split, rows in table.groupby("split", sort=False):
        listed = _listed_classes(run, rows)
        parts.append(f"{_(str(split))}: {len(rows):,} ({listed})")
    return _("; ").join(parts)


def chosen_again(run: Run) -> str:
    """A sentence, with a space before it, where thresholds were chosen once more."""
    later = later_choices(run)
    if not later:
        return ""
    day = when(later[-1].when)
    if len(later) == 1:
        sentence = _(
            "Chosen again once since, last on {day}, when the test images had been "
            "seen; that is not shown here.",
            day=day,
        )
    else:
        sentence = _(
            "Chosen again {times} times since, last on {day}, when the test images had "
            "been seen; that is not shown here.",
            times=len(later),
            day=day,
        )
    return f" {sentence}"


def when(moment: float) -> str:
    """A moment as the language writes it, in UTC; blank for 0."""
    return format_utc(moment) if moment else BLANK


def origin(run: Run) -> Run | None:
    """The run that was trained: this one, or the one whose model it tests."""
    model = run.tested_model
    if not model:
        return run
    try:
        return RunStore(run.folder.parent.parent).get(model)
    except RunError:  # deleted since
        return None

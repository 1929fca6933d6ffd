"""Model card: facts label, CLAIM and TRIPOD+AI items of a run; blanks stay blank.

Page one is a label for those who would use the model, after Sendak et al., "Presenting
machine learning model information to clinical end users with model facts labels", npj
Digital Medicine 3 (2020) 41. Behind it stand the items of CLAIM (Tejani et al.,
Radiology: Artificial Intelligence 6 (2024) e240300) and TRIPOD+AI (Collins et al., BMJ
385 (2024) e078378) by their numbers, in this program's own words.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from medmodel.core.config import MODEL_NAMES, RECIPES
from medmodel.core.errors import RunError
from medmodel.core.preprocessing import Preprocessing
from medmodel.data.datasets import load_index
from medmodel.data.sample_size import (
    ClassCounts,
    class_counts,
    dataset_warnings,
    test_warnings,
)
from medmodel.evaluation.evaluation import Evaluation, evaluate
from medmodel.evaluation.intervals import MINIMA, Estimate
from medmodel.evaluation.metrics import METRICS, class_metrics
from medmodel.evaluation.positive_class import NO_POSITIVE_CLASS, positive_class
from medmodel.evaluation.predictions import shared_patients, split_predictions
from medmodel.evaluation.temperature_scaling import stored_temperature
from medmodel.evaluation.thresholds import frozen_thresholds, later_choices
from medmodel.language import N_, _, ngettext, translate
from medmodel.quality.report_store import load_issues
from medmodel.runs.copies import copies_of, independent_predictions, with_copies
from medmodel.runs.run import Run, RunStore
from medmodel.runs.tables import read_split

BLANK = ""
"""What nobody told the program; shown as a line to be filled in."""
Fact = tuple[str, str]
_SETTINGS = (
    *(N_("pad"), N_("crop"), N_("stretch")),
    *(N_("frozen"), N_("fine_tune"), N_("scratch")),
    *(N_("axial"), N_("coronal"), N_("sagittal")),
)
"""Values of settings, which are said as they are written; here for the catalogue."""


class GuidelineItem(NamedTuple):
    """One topic of the reporting guidelines.

    Args:
        topic: In a few words.
        claim: Its items in CLAIM 2024; empty if it has none there.
        tripod: Its items in TRIPOD+AI; empty if it has none there.
        text: What is known, or `BLANK`.
    """

    topic: str
    claim: str
    tripod: str
    text: str


def model_facts_label(run: Run, evaluation: Evaluation) -> list[Fact]:
    """Page one: (heading, text), text `BLANK` where nothing is known."""
    classes = _(", ").join(evaluation.classes)
    frozen = frozen_thresholds(run)
    facts = run.model_facts if run.model_path.exists() else None
    counts = _(", ").join(f"{c.name} {c.images:,}" for c in evaluation.per_class)
    return [
        (_("Name"), run.title),
        (_("Version"), _version(run)),
        (
            _("Summary"),
            _("Gives an image's probability for each of: {classes}.", classes=classes),
        ),
        (_("Mechanism"), _network(run)),
        (_("Input"), _preprocessing(facts.preprocessing) if facts else BLANK),
        (_("Outcome predicted"), classes),
        (_("Intended population"), BLANK),
        (_("Directions for use"), BLANK),
        (
            _("Do not use for"),
            _("Diagnosis, screening, triage, any decision about a person."),
        ),
        (_("Trained on"), trained_on(run)),
        (_("Tested on"), tested_on(run, evaluation)),
        (_("Test images of each class"), counts),
        (_("Copies in the test"), test_copies(run)),
        *positive_facts(run),
        (_("Accuracy"), f"{evaluation.accuracy}, n = {evaluation.accuracy.n:,}"),
        (_("Balanced accuracy"), str(evaluation.balanced_accuracy)),
        (_("Area under the ROC curve"), str(evaluation.auc)),
        (
            _("Baseline (majority class {majority})", majority=evaluation.majority),
            _("accuracy {baseline}", baseline=evaluation.baseline),
        ),
        (
            _("Operating point"),
            _("Chosen on validation: {rule}.", rule=frozen[0]) + chosen_again(run)
            if frozen
            else BLANK,
        ),
        (_("Calibration"), _calibration(run)),
        (
            _("Warnings"),
            " ".join(
                [
                    _("Not for clinical use: research and teaching only."),
                    *limits(run, evaluation),
                ]
            ),
        ),
        (
            _("External validation"),
            tested_on(run, evaluation) if run.tested_model else BLANK,
        ),
        (_("Contact"), BLANK),
    ]


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
        *((_(METRICS[key].title), with_n(metrics[key])) for key in POSITIVE_METRICS),
    ]


def with_n(estimate: Estimate) -> str:
    """An estimate with the number of images that it rests on."""
    return f"{estimate}, n = {estimate.n:,}" if estimate.measurable else f"{estimate}"


def limits(run: Run, evaluation: Evaluation) -> list[str]:
    """What a reader of the numbers must know, a sentence each."""
    said = [test_copies(run), evaluation.resolution]
    if not evaluation.patients:
        said.append(
            _(
                "Patients are not known: images count as independent, so intervals "
                "may be too narrow."
            )
        )
    elif evaluation.patients < MINIMA["accuracy"].patients:
        said.append(few_patients(evaluation.patients))
    overlap = shared_patients(run)
    if overlap:
        said.append(
            _(
                "{patients:,} test patients also occur in training or validation: "
                "expect worse on new patients.",
                patients=overlap,
            )
        )
    said += sample_size_warnings(run, evaluation, class_counts(read_split(run)))
    if not run.tested_model:
        said.append(
            _("Tested on images of the same source only, not at another place.")
        )
    said.append(_("Says nothing about images unlike its training images."))
    said.append(
        _(
            "A heat map shows where the network was sensitive, not the outline "
            "of a lesion."
        )
    )
    return said


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
        "With the copies (n = {images:,}): accuracy {accuracy}, balanced "
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
    tested = {result.name: {"test": result.images} for result in evaluation.per_class}
    if run.tested_model:
        return test_warnings(tested)
    return dataset_warnings(
        {name: {**counts.get(name, {}), **images} for name, images in tested.items()}
    )


def guideline_items(run: Run, evaluation: Evaluation) -> list[GuidelineItem]:
    """The pages behind, in the order of CLAIM."""
    config, status = run.config, run.status
    facts = run.model_facts if run.model_path.exists() else None
    external = tested_on(run, evaluation) if run.tested_model else BLANK
    chosen = (
        _(
            "Epoch {epoch}: what validation images liked best was kept.",
            epoch=status.best_epoch,
        )
        if status.best_epoch
        else BLANK
    )
    seen = _preprocessing(facts.preprocessing) if facts else BLANK
    metrics = _(", ").join(_(metric.title) for metric in METRICS.values())
    uncertainty = (
        _("95 % intervals: patients kept together.")
        if evaluation.patients
        else _("95 % intervals: images as independent.")
    )
    return [
        GuidelineItem(_("Study design and goal"), "5–6", "4", BLANK),
        GuidelineItem(
            _("Data source"),
            "7",
            "5a",
            _("Folder {folder}", folder=Path(config.dataset).name),
        ),
        GuidelineItem(_("Dates and sites of acquisition"), "7", "5b, 6a", BLANK),
        GuidelineItem(_("Inclusion and exclusion of patients"), "8", "6b", BLANK),
        GuidelineItem(_("Pre-processing and selection"), "9–10", "7", seen),
        GuidelineItem(_("De-identification"), "11", "", BLANK),
        GuidelineItem(_("Missing and unreadable data"), "12", "11", _unreadable(run)),
        GuidelineItem(_("Image acquisition protocol"), "13", "", BLANK),
        GuidelineItem(_("Quality and leakage checks"), "9, 20", "7", data_quality(run)),
        GuidelineItem(_("Reference standard and annotators"), "14–18", "8", BLANK),
        GuidelineItem(_("Partitions and their level"), "19–20", "16", split_level(run)),
        GuidelineItem(_("Sample size"), "21, 35", "10, 20a", sample_sizes(run)),
        GuidelineItem(_("Model"), "22", "12c, 22", _described_network(run)),
        GuidelineItem(_("Software and hardware"), "23", "12", _environment(run)),
        GuidelineItem(_("Training"), "24–25", "12c, 21", _training(run)),
        GuidelineItem(_("Rare classes"), "25", "13", _imbalance(run)),
        GuidelineItem(_("How the final model was chosen"), "26", "12c", chosen),
        GuidelineItem(_("Metrics"), "28", "12e", metrics),
        GuidelineItem(_("Uncertainty"), "29", "12e, 23a", uncertainty),
        GuidelineItem(_("Robustness"), "30", "", BLANK),
        GuidelineItem(_("Explainability"), "31", "", _("Saliency maps, on request.")),
        GuidelineItem(
            _("Internal test"),
            "32",
            "16",
            BLANK if run.tested_model else tested_on(run, evaluation),
        ),
        GuidelineItem(_("External test"), "33", "16", external),
        GuidelineItem(_("Ethics approval and registration"), "34", "17, 18d", BLANK),
        GuidelineItem(_("Patients' characteristics"), "36", "20b", BLANK),
        GuidelineItem(_("Performance"), "37–38", "23a", _performance(evaluation)),
        GuidelineItem(_("Fairness and subgroups"), "38", "14, 23a", BLANK),
        GuidelineItem(_("Failure analysis"), "39", "", _failures(evaluation)),
        GuidelineItem(_("Limitations"), "40", "26", " ".join(limits(run, evaluation))),
        GuidelineItem(
            _("Intended use and clinical role"),
            "41",
            "27",
            _("None: research and teaching."),
        ),
        GuidelineItem(_("Protocol"), "42", "18c", BLANK),
        GuidelineItem(
            _("Availability of code, model and data"), "43", "18e, 18f", BLANK
        ),
        GuidelineItem(_("Funding and interests"), "44", "18a, 18b", BLANK),
    ]


def evaluate_run(run: Run) -> Evaluation:
    """The run's test split in numbers, without copies of images it was trained on.

    Raises:
        RunError: There are no predictions.
        DataError: They hold no test image.
    """
    return evaluate(independent_predictions(run))


def tested_on(run: Run, evaluation: Evaluation) -> str:
    """What the numbers rest on, as a sentence."""
    who = _("{images:,} images", images=evaluation.images)
    if evaluation.patients:
        who = _(
            "{images:,} images of {patients:,} patients",
            images=evaluation.images,
            patients=evaluation.patients,
        )
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


def split_level(run: Run) -> str:
    """On which level the splits are apart, in sentences."""
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
    return " ".join(sentences)


def _split_by(shared: int | None) -> str:
    if shared is None:
        return _("Split by image: patients are not known.")
    if shared:
        return _(
            "{patients:,} test patients also occur in training or validation.",
            patients=shared,
        )
    return _("Split by patient: no patient number is in more than one split.")


def trained_on(run: Run) -> str:
    """Training images of each class, as a sentence; blank of older tests elsewhere."""
    origin = _origin(run)
    rows = read_split(origin) if origin else None
    if origin is None or rows is None:
        return BLANK
    counts = rows.loc[rows["split"] == "train", "label"].value_counts().sort_index()
    if counts.empty:
        return BLANK
    listed = _(", ").join(f"{name} {count:,}" for name, count in counts.items())
    folder = Path(origin.config.dataset).name
    return _(
        "{images:,} images of {folder} ({classes}).",
        images=int(counts.sum()),
        folder=folder,
        classes=listed,
    )


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
        counts = rows["label"].value_counts().sort_index().items()
        listed = _(", ").join(f"{name} {count:,}" for name, count in counts)
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
    """A moment as a date in UTC; blank for 0."""
    if not moment:
        return BLANK
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def _preprocessing(seen: Preprocessing) -> str:
    parts = [
        _("{side} × {side} pixels", side=seen.size),
        _(seen.fit),
        _("grey") if seen.colour == "grey" else _("colour"),
    ]
    if seen.window != "auto":
        parts.append(_("scans through the window {window}", window=seen.window))
    if seen.axis != "axial":
        parts.append(_("{axis} slices", axis=_(seen.axis)))
    return _(", ").join(parts)


def _origin(run: Run) -> Run | None:
    """The run that was trained: this one, or the one whose model it tests."""
    model = run.tested_model
    if not model:
        return run
    try:
        return RunStore(run.folder.parent.parent).get(model)
    except RunError:  # deleted since
        return None


def _version(run: Run) -> str:
    date = when(run.status.ended or run.status.heartbeat)
    if not date:
        return _("Run {id}", id=run.id)
    return _("Run {id}, trained {date}", id=run.id, date=date)


def _described_network(run: Run) -> str:
    facts = run.model_facts if run.model_path.exists() else None
    if facts is None:
        return _network(run)
    return _(
        "{network}; {parameters:,} parameters",
        network=_network(run),
        parameters=facts.parameters,
    )


def _imbalance(run: Run) -> str:
    weighted = run.config.class_weights
    return (
        _("Class weights: rare classes weigh more in the loss.")
        if weighted
        else _("Nothing was done.")
    )


def _unreadable(run: Run) -> str:
    index = load_index(Path(run.config.dataset))
    if index is None:
        return BLANK
    broken = int((index.table["error"] != "").sum())
    return _("{files:,} image files could not be read and were left out.", files=broken)


def _performance(evaluation: Evaluation) -> str:
    return _(
        "Accuracy {accuracy}, balanced accuracy {balanced_accuracy}, area "
        "under the ROC curve {auc}; every class: see the evaluation.",
        accuracy=evaluation.accuracy,
        balanced_accuracy=evaluation.balanced_accuracy,
        auc=evaluation.auc,
    )


def _network(run: Run) -> str:
    config = run.config
    recipe = config.recipe
    if recipe in RECIPES:
        recipe = _(RECIPES[recipe].title)
    return _(
        "{network}; recipe {recipe}",
        network=_(MODEL_NAMES.get(config.model, config.model)),
        recipe=recipe,
    )


def _training(run: Run) -> str:
    config, status = run.config, run.status
    ended = when(status.ended or status.heartbeat)
    parts = [
        _(config.training),
        _("at most {epochs} epochs", epochs=config.epochs),
        _("seed {seed}", seed=config.seed),
    ]
    if config.class_weights:
        parts.append(_("classes weighted"))
    if config.augmentation.active:
        parts.append(_("augmented"))
    training = _(", ").join(parts)
    if not ended:
        return training
    return _("{training}; ended {ended}", training=training, ended=ended)


def _calibration(run: Run) -> str:
    temperature = stored_temperature(run)
    if temperature is None:
        return _("Scores are not calibrated.")
    return _(
        "Temperature {temperature:.2f} {interval}, fitted on {images:,} validation "
        "images.",
        temperature=temperature.value,
        interval=temperature.interval,
        images=temperature.images,
    )


def _environment(run: Run) -> str:
    values = run.environment
    names = ("python", "tensorflow", "keras", "numpy", "platform", "device")
    return _(", ").join(_said(values, names))


def _said(values: dict[str, Any], names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        if values.get(name):
            yield f"{name} {values[name]}"


def _failures(evaluation: Evaluation) -> str:
    pairs = [
        (int(evaluation.confusion[i, j]), label, choice)
        for i, label in enumerate(evaluation.classes)
        for j, choice in enumerate(evaluation.classes)
        if i != j and evaluation.confusion[i, j]
    ]
    worst = sorted(pairs, reverse=True)[:3]
    return _("; ").join(
        _("{images:,} × {label} taken for {choice}", images=n, label=a, choice=b)
        for n, a, b in worst
    ) or _("No mistake.")

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
from medmodel.quality.report_store import load_issues
from medmodel.runs.copies import copies_of, independent_predictions, with_copies
from medmodel.runs.run import Run, RunStore
from medmodel.runs.tables import read_split

BLANK = ""
"""What nobody told the program; shown as a line to be filled in."""
Fact = tuple[str, str]


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
    classes = ", ".join(evaluation.classes)
    frozen = frozen_thresholds(run)
    facts = run.model_facts if run.model_path.exists() else None
    counts = ", ".join(f"{c.name} {c.images:,}" for c in evaluation.per_class)
    return [
        ("Name", run.title),
        ("Version", f"Run {run.id}" + _dated(", trained ", run)),
        ("Summary", f"Gives an image's probability for each of: {classes}."),
        ("Mechanism", _network(run)),
        ("Input", _preprocessing(facts.preprocessing) if facts else BLANK),
        ("Outcome predicted", classes),
        ("Intended population", BLANK),
        ("Directions for use", BLANK),
        (
            "Do not use for",
            "Diagnosis, screening, triage, any decision about a person.",
        ),
        ("Trained on", trained_on(run)),
        ("Tested on", tested_on(run, evaluation)),
        ("Test images of each class", counts),
        ("Copies in the test", test_copies(run)),
        *positive_facts(run),
        ("Accuracy", f"{evaluation.accuracy}, n = {evaluation.accuracy.n:,}"),
        ("Balanced accuracy", str(evaluation.balanced_accuracy)),
        ("Area under the ROC curve", str(evaluation.auc)),
        (
            f"Baseline (majority class {evaluation.majority})",
            f"accuracy {evaluation.baseline}",
        ),
        (
            "Operating point",
            f"Chosen on validation: {frozen[0]}.{chosen_again(run)}"
            if frozen
            else BLANK,
        ),
        ("Calibration", _calibration(run)),
        (
            "Warnings",
            " ".join(
                [
                    "Not for clinical use: research and teaching only.",
                    *limits(run, evaluation),
                ]
            ),
        ),
        (
            "External validation",
            tested_on(run, evaluation) if run.tested_model else BLANK,
        ),
        ("Contact", BLANK),
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
        return [("Positive class", NO_POSITIVE_CLASS)]
    metrics = class_metrics(data, positive.position)
    basis = "guessed from the class names" if positive.guessed else "chosen by a user"
    return [
        ("Positive class", f"{positive.name} ({basis})"),
        *((METRICS[key].title, with_n(metrics[key])) for key in POSITIVE_METRICS),
    ]


def with_n(estimate: Estimate) -> str:
    """An estimate with the number of images that it rests on."""
    return f"{estimate}, n = {estimate.n:,}" if estimate.measurable else f"{estimate}"


def limits(run: Run, evaluation: Evaluation) -> list[str]:
    """What a reader of the numbers must know, a sentence each."""
    said = [test_copies(run), evaluation.resolution]
    if not evaluation.patients:
        said.append(
            "Patients are not known: images count as independent, so intervals may be "
            "too narrow."
        )
    elif evaluation.patients < MINIMA["accuracy"].patients:
        said.append(few_patients(evaluation.patients))
    overlap = shared_patients(run)
    if overlap:
        said.append(
            f"{overlap:,} test patients also occur in training or validation: expect "
            "worse on new patients."
        )
    said += sample_size_warnings(run, evaluation, class_counts(read_split(run)))
    if not run.tested_model:
        said.append("Tested on images of the same source only, not at another place.")
    said.append("Says nothing about images unlike its training images.")
    said.append(
        "A heat map shows where the network was sensitive, not the outline of a lesion."
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
    return (
        f"With the copies (n = {evaluation.images:,}): accuracy {evaluation.accuracy}, "
        f"balanced accuracy {evaluation.balanced_accuracy}, area under the ROC curve "
        f"{evaluation.auc}."
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
        f"Epoch {status.best_epoch}: what validation images liked best was kept."
        if status.best_epoch
        else BLANK
    )
    seen = _preprocessing(facts.preprocessing) if facts else BLANK
    metrics = ", ".join(metric.title for metric in METRICS.values())
    uncertainty = "95 % intervals: " + (
        "patients kept together." if evaluation.patients else "images as independent."
    )
    return [
        GuidelineItem("Study design and goal", "5–6", "4", BLANK),
        GuidelineItem("Data source", "7", "5a", f"Folder {Path(config.dataset).name}"),
        GuidelineItem("Dates and sites of acquisition", "7", "5b, 6a", BLANK),
        GuidelineItem("Inclusion and exclusion of patients", "8", "6b", BLANK),
        GuidelineItem("Pre-processing and selection", "9–10", "7", seen),
        GuidelineItem("De-identification", "11", "", BLANK),
        GuidelineItem("Missing and unreadable data", "12", "11", _unreadable(run)),
        GuidelineItem("Image acquisition protocol", "13", "", BLANK),
        GuidelineItem("Quality and leakage checks", "9, 20", "7", data_quality(run)),
        GuidelineItem("Reference standard and annotators", "14–18", "8", BLANK),
        GuidelineItem("Partitions and their level", "19–20", "16", split_level(run)),
        GuidelineItem("Sample size", "21, 35", "10, 20a", sample_sizes(run)),
        GuidelineItem("Model", "22", "12c, 22", _described_network(run)),
        GuidelineItem("Software and hardware", "23", "12", _environment(run)),
        GuidelineItem("Training", "24–25", "12c, 21", _training(run)),
        GuidelineItem("Rare classes", "25", "13", _imbalance(run)),
        GuidelineItem("How the final model was chosen", "26", "12c", chosen),
        GuidelineItem("Metrics", "28", "12e", metrics),
        GuidelineItem("Uncertainty", "29", "12e, 23a", uncertainty),
        GuidelineItem("Robustness", "30", "", BLANK),
        GuidelineItem("Explainability", "31", "", "Saliency maps, on request."),
        GuidelineItem(
            "Internal test",
            "32",
            "16",
            BLANK if run.tested_model else tested_on(run, evaluation),
        ),
        GuidelineItem("External test", "33", "16", external),
        GuidelineItem("Ethics approval and registration", "34", "17, 18d", BLANK),
        GuidelineItem("Patients' characteristics", "36", "20b", BLANK),
        GuidelineItem("Performance", "37–38", "23a", _performance(evaluation)),
        GuidelineItem("Fairness and subgroups", "38", "14, 23a", BLANK),
        GuidelineItem("Failure analysis", "39", "", _failures(evaluation)),
        GuidelineItem("Limitations", "40", "26", " ".join(limits(run, evaluation))),
        GuidelineItem(
            "Intended use and clinical role", "41", "27", "None: research and teaching."
        ),
        GuidelineItem("Protocol", "42", "18c", BLANK),
        GuidelineItem("Availability of code, model and data", "43", "18e, 18f", BLANK),
        GuidelineItem("Funding and interests", "44", "18a, 18b", BLANK),
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
    who = f"{evaluation.images:,} images"
    if evaluation.patients:
        who += f" of {evaluation.patients:,} patients"
    if run.tested_model:
        mapping = run.class_mapping.items()
        there = [f"{a} as {b}" for a, b in mapping if a.casefold() != b.casefold()]
        counted = f" (counting {', '.join(there)})" if there else ""
        return f"{who}, external: all of {Path(run.config.dataset).name}{counted}."
    return f"{who}, internal test split. {split_level(run)} Seed {run.config.seed}."


def split_level(run: Run) -> str:
    """On which level the splits are apart, in sentences."""
    config, shared = run.config, shared_patients(run)
    dealt = ""
    if config.folds > 1:
        fold = f"fold {config.fold} of {config.folds}"
        dealt = f" Tested on {fold} of a cross-validation."
    if shared is None:
        return "Split by image: patients are not known." + dealt
    if shared:
        sentence = f"{shared:,} test patients also occur in training or validation."
        return sentence + dealt
    return "Split by patient: no patient number is in more than one split." + dealt


def trained_on(run: Run) -> str:
    """Training images of each class, as a sentence; blank of older tests elsewhere."""
    origin = _origin(run)
    rows = read_split(origin) if origin else None
    if origin is None or rows is None:
        return BLANK
    counts = rows.loc[rows["split"] == "train", "label"].value_counts().sort_index()
    if counts.empty:
        return BLANK
    listed = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    folder = Path(origin.config.dataset).name
    return f"{int(counts.sum()):,} images of {folder} ({listed})."


def data_quality(run: Run) -> str:
    """What the check of the data set found, as sentences; blank if there was none."""
    issues = load_issues(Path(run.config.dataset))
    if issues is None:
        return BLANK
    odd = [f"{f.title} ({f.count:,})" for f in issues if f.level != "ok"]
    return f"Found: {'; '.join(odd)}." if odd else "Checked; nothing odd was found."


def few_patients(count: int) -> str:
    """A sentence: so few patients that no interval would hold what it promises."""
    who = "1 patient" if count == 1 else f"{count} patients"
    least = MINIMA["accuracy"].patients
    return f"Only {who}: too few for intervals, which need {least} at least."


def sample_sizes(run: Run) -> str:
    """Images of each class in each split, as text."""
    table = read_split(run)
    parts = []
    for split, rows in table.groupby("split", sort=False):
        counts = rows["label"].value_counts().sort_index().items()
        listed = ", ".join(f"{name} {count:,}" for name, count in counts)
        parts.append(f"{split}: {len(rows):,} ({listed})")
    return "; ".join(parts)


def chosen_again(run: Run) -> str:
    """A sentence, with a space before it, where thresholds were chosen once more."""
    later = later_choices(run)
    if not later:
        return ""
    times = "once" if len(later) == 1 else f"{len(later)} times"
    return (
        f" Chosen again {times} since, last on {when(later[-1].when)}, when the test "
        "images had been seen; that is not shown here."
    )


def when(moment: float) -> str:
    """A moment as a date in UTC; blank for 0."""
    if not moment:
        return BLANK
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def _preprocessing(seen: Preprocessing) -> str:
    colour = "grey" if seen.colour == "grey" else "colour"
    said = f"{seen.size} × {seen.size} pixels, {seen.fit}, {colour}"
    if seen.window != "auto":
        said += f", scans through the window {seen.window}"
    return said + (f", {seen.axis} slices" if seen.axis != "axial" else "")


def _origin(run: Run) -> Run | None:
    """The run that was trained: this one, or the one whose model it tests."""
    model = run.tested_model
    if not model:
        return run
    try:
        return RunStore(run.folder.parent.parent).get(model)
    except RunError:  # deleted since
        return None


def _dated(before: str, run: Run) -> str:
    date = when(run.status.ended or run.status.heartbeat)
    return before + date if date else ""


def _described_network(run: Run) -> str:
    facts = run.model_facts if run.model_path.exists() else None
    return _network(run) + (f"; {facts.parameters:,} parameters" if facts else "")


def _imbalance(run: Run) -> str:
    weighted = run.config.class_weights
    return (
        "Class weights: rare classes weigh more in the loss."
        if weighted
        else "Nothing was done."
    )


def _unreadable(run: Run) -> str:
    index = load_index(Path(run.config.dataset))
    if index is None:
        return BLANK
    broken = int((index.table["error"] != "").sum())
    return f"{broken:,} image files could not be read and were left out."


def _performance(evaluation: Evaluation) -> str:
    return (
        f"Accuracy {evaluation.accuracy}, balanced accuracy "
        f"{evaluation.balanced_accuracy}, area under the ROC curve {evaluation.auc}; "
        "every class: see the evaluation."
    )


def _network(run: Run) -> str:
    config = run.config
    recipe = RECIPES[config.recipe].title if config.recipe in RECIPES else config.recipe
    return f"{MODEL_NAMES.get(config.model, config.model)}; recipe {recipe}"


def _training(run: Run) -> str:
    config, status = run.config, run.status
    ended = when(status.ended or status.heartbeat)
    return (
        f"{config.training}, at most {config.epochs} epochs, seed {config.seed}"
        + (", classes weighted" if config.class_weights else "")
        + (", augmented" if config.augmentation.active else "")
        + (f"; ended {ended}" if ended else "")
    )


def _calibration(run: Run) -> str:
    temperature = stored_temperature(run)
    if temperature is None:
        return "Scores are not calibrated."
    return (
        f"Temperature {temperature.value:.2f} {temperature.interval}, fitted on "
        f"{temperature.images:,} validation images."
    )


def _environment(run: Run) -> str:
    values = run.environment
    names = ("python", "tensorflow", "keras", "numpy", "platform", "device")
    return ", ".join(_said(values, names))


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
    return "; ".join(f"{n:,} × {a} taken for {b}" for n, a, b in worst) or "No mistake."

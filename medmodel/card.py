"""What is known of a run, in the words of reporting guidelines; blanks stay blank.

Page one is a label for those who would use the model, after Sendak et al., "Presenting
machine learning model information to clinical end users with model facts labels", npj
Digital Medicine 3 (2020) 41. Behind it stand the topics of CLAIM (Tejani et al.,
Radiology: Artificial Intelligence 6 (2024) e240300) and TRIPOD+AI (Collins et al., BMJ
385 (2024) e078378), without their numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medmodel.calibration import stored_temperature
from medmodel.config import MODEL_NAMES, RECIPES, Preprocessing
from medmodel.evaluation import Evaluation, evaluate, read_predictions, shared_patients
from medmodel.external import mapping_of, tested_elsewhere
from medmodel.runs import Run
from medmodel.storage import read_json
from medmodel.thresholds import frozen_thresholds, later_choices

if TYPE_CHECKING:
    import pandas as pd

BLANK = ""
"""What nobody told the program; shown as a line to be filled in."""
Fact = tuple[str, str]


def model_facts_label(run: Run, found: Evaluation) -> list[Fact]:
    """Page one: (heading, text), text `BLANK` where nothing is known."""
    classes = ", ".join(found.classes)
    frozen = frozen_thresholds(run)
    warnings = [
        "Not for clinical use: research and teaching only.",
        "Says nothing about pictures unlike its training images.",
        "A heat map shows where the network was sensitive, not the outline of a "
        "lesion.",
        found.resolution,
    ]
    if found.absent:
        warnings.append(f"Never tested on: {', '.join(found.absent)}.")
    return [
        ("Name", run.title),
        ("Summary", f"Gives a picture's probability for each of: {classes}."),
        ("Mechanism", _network(run)),
        ("Outcome predicted", classes),
        ("Intended population", BLANK),
        ("Directions for use", BLANK),
        (
            "Do not use for",
            "Diagnosis, screening, triage, any decision about a person.",
        ),
        ("Tested on", tested_on(run, found)),
        ("Accuracy", f"{found.accuracy}, n = {found.accuracy.n:,}"),
        ("Balanced accuracy", str(found.balanced_accuracy)),
        ("Area under the ROC curve", str(found.auc)),
        (f"Always guessing {found.majority}", str(found.baseline)),
        (
            "Operating point",
            f"Chosen on validation: {frozen[0]}.{chosen_again(run)}"
            if frozen
            else BLANK,
        ),
        ("Calibration", _calibration(run)),
        ("Warnings", " ".join(warnings)),
        (
            "External validation",
            tested_on(run, found) if tested_elsewhere(run) else BLANK,
        ),
        ("Contact", BLANK),
    ]


def guideline_items(run: Run, found: Evaluation) -> list[Fact]:
    """The pages behind: (topic, what is known)."""
    config, status = run.config, run.status
    facts = run.model_facts if run.model_path.exists() else None
    return [
        ("Study aim and design", BLANK),
        ("Ethics approval", BLANK),
        ("Data source", f"Folder {Path(config.dataset).name}"),
        ("Dates and sites of acquisition", BLANK),
        ("Inclusion and exclusion of patients", BLANK),
        ("De-identification", BLANK),
        ("Reference standard and annotators", BLANK),
        ("Sample size", sample_sizes(run)),
        ("Partitions and their level", split_level(run)),
        (
            "Pre-processing",
            _preprocessing(facts.preprocessing) if facts else BLANK,
        ),
        ("Missing and unreadable data", BLANK),
        ("Model", _network(run)),
        ("Parameters", f"{facts.parameters:,}" if facts else BLANK),
        ("Software and hardware", _environment(run)),
        ("Training", _training(run)),
        (
            "How the final model was chosen",
            f"Epoch {status.best_epoch}: what validation images liked best was kept."
            if status.best_epoch
            else BLANK,
        ),
        ("Metrics and uncertainty", "95 % intervals; see the evaluation."),
        ("Fairness and subgroups", BLANK),
        ("Failure analysis", _failures(found)),
        ("Explainability", "Grad-CAM, on request."),
        ("Internal test", tested_on(run, found)),
        ("External test", tested_on(run, found) if tested_elsewhere(run) else BLANK),
        ("Intended use and clinical role", "None: research and teaching."),
        ("Limitations", BLANK),
        ("Availability of code, model and data", BLANK),
        ("Funding", BLANK),
    ]


def evaluated(run: Run) -> Evaluation:
    """The run's test split in numbers.

    Raises:
        RunError: There are no predictions.
        DataError: They hold no test image.
    """
    return evaluate(read_predictions(run))


def tested_on(run: Run, found: Evaluation) -> str:
    """What the numbers rest on, as a sentence."""
    who = f"{found.images:,} images"
    if found.patients:
        who += f" of {found.patients:,} patients"
    if tested_elsewhere(run):
        there = [f"{a} as {b}" for a, b in mapping_of(run).items() if a != b]
        counted = f" (counting {', '.join(there)})" if there else ""
        return f"{who}, external: all of {Path(run.config.dataset).name}{counted}."
    return f"{who}, internal test split. {split_level(run)} Seed {run.config.seed}."


def split_level(run: Run) -> str:
    """On which level the splits are apart, as a sentence."""
    shared = shared_patients(run)
    if shared is None:
        return "Split by image: patients are not known."
    if shared:
        return f"{shared:,} test patients also occur in training or validation."
    return "Split by patient: nobody is on both sides."


def sample_sizes(run: Run) -> str:
    """Images of each class in each split, as text."""
    table = _split(run)
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
    return f"{seen.size} × {seen.size} pixels, {seen.fit}, {colour}"


def _split(run: Run) -> pd.DataFrame:
    import pandas as pd

    return pd.read_csv(run.folder / "split.csv", dtype=str, keep_default_na=False)


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
    found = stored_temperature(run)
    if found is None:
        return "Scores are not calibrated."
    return (
        f"Temperature {found.value:.2f} ({found.low:.2f}–{found.high:.2f}), fitted on "
        f"{found.images:,} validation images."
    )


def _environment(run: Run) -> str:
    values: dict[str, Any] = read_json(run.folder / "environment.json") or {}
    names = ("python", "tensorflow", "keras", "numpy", "platform", "device")
    return ", ".join(_said(values, names))


def _said(values: dict[str, Any], names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        if values.get(name):
            yield f"{name} {values[name]}"


def _failures(found: Evaluation) -> str:
    pairs = [
        (int(found.confusion[i, j]), label, choice)
        for i, label in enumerate(found.classes)
        for j, choice in enumerate(found.classes)
        if i != j and found.confusion[i, j]
    ]
    worst = sorted(pairs, reverse=True)[:3]
    return "; ".join(f"{n:,} × {a} taken for {b}" for n, a, b in worst) or "No mistake."

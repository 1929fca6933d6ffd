"""Model card: facts label, CLAIM and TRIPOD+AI items of a run; blanks stay blank.

Page one is a label for those who would use the model, after Sendak et al., "Presenting
machine learning model information to clinical end users with model facts labels", npj
Digital Medicine 3 (2020) 41. Behind it stand the items of CLAIM (Tejani et al.,
Radiology: Artificial Intelligence 6 (2024) e240300) and TRIPOD+AI (Collins et al., BMJ
385 (2024) e078378) by their numbers, in this program's own words.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from medmodel.core.errors import value_or_problem
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.settings.network_names import model_title
from medmodel.core.settings.recipes import ENSEMBLE, IMPORTED, RECIPES
from medmodel.data.datasets import load_index
from medmodel.evaluation.evaluation import Evaluation
from medmodel.evaluation.intervals import too_few
from medmodel.evaluation.metrics import METRICS
from medmodel.evaluation.robustness.corruption_test import read_corruption_test
from medmodel.evaluation.temperature_scaling import stored_temperature
from medmodel.evaluation.thresholds import frozen_thresholds
from medmodel.language import N_, _, join_sentences, ngettext, translate
from medmodel.language.right_to_left import isolated
from medmodel.reports import run_facts
from medmodel.reports.run_facts import BLANK, THRESHOLDS_DAMAGED, Fact
from medmodel.runs.run import Run

_MISTAKES = 3
"""Pairs of a true and a predicted class that are named."""
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
    facts = run.model_facts if run.model_path.exists() else None
    counts = _(", ").join(
        f"{isolated(c.name)} {c.images:,}" for c in evaluation.per_class
    )
    return [
        (_("Name"), run.title),
        (_("Version"), version_text(run)),
        (
            _("Summary"),
            _("Gives an image's probability for each of: {classes}.", classes=classes),
        ),
        (_("Mechanism"), network_text(run)),
        (_("Input"), preprocessing_text(facts.preprocessing) if facts else BLANK),
        (_("Outcome predicted"), classes),
        (_("Intended population"), BLANK),
        (_("Directions for use"), BLANK),
        (
            _("Do not use for"),
            _("Diagnosis, screening, triage, any decision about a person."),
        ),
        (_("Trained on"), run_facts.trained_on(run)),
        (_("Tested on"), run_facts.tested_on(run, evaluation)),
        (_("Test images of each class"), counts),
        (_("Copies in the test"), run_facts.test_copies(run)),
        *run_facts.positive_facts(run),
        (_("Accuracy"), evaluation.accuracy.with_n),
        (
            _("Decision threshold"),
            run_facts.decision_sentences(run)
            or _("None: the predicted class is the one with the highest score."),
        ),
        (_("Balanced accuracy"), str(evaluation.balanced_accuracy)),
        (_("Area under the ROC curve"), str(evaluation.auc)),
        (
            evaluation.baseline_name,
            _("accuracy {baseline}", baseline=evaluation.baseline),
        ),
        (
            _("Operating point"),
            _operating_point(run),
        ),
        (_("Calibration"), _calibration(run)),
        (
            _("Warnings"),
            join_sentences(
                [
                    _("Not for clinical use: research and teaching only."),
                    *run_facts.limits(run, evaluation),
                ]
            ),
        ),
        (
            _("External validation"),
            run_facts.tested_on(run, evaluation) if run.tested_model else BLANK,
        ),
        (_("Contact"), BLANK),
    ]


def _operating_point(run: Run) -> str:
    frozen, damaged = value_or_problem(frozen_thresholds, run)
    if not frozen:
        return damaged and _(THRESHOLDS_DAMAGED)
    chosen = _("Chosen on validation: {rule}.", rule=frozen[0])
    return chosen + run_facts.chosen_again(run)


def guideline_items(run: Run, evaluation: Evaluation) -> list[GuidelineItem]:
    """The pages behind, in the order of CLAIM."""
    return [
        *items_on_data(run),
        *items_on_training(run),
        *_items_on_evaluation(run, evaluation),
        *_items_on_results(run, evaluation),
    ]


def items_on_data(run: Run) -> list[GuidelineItem]:
    """CLAIM 5 to 21."""
    facts = run.model_facts if run.model_path.exists() else None
    seen = preprocessing_text(facts.preprocessing) if facts else BLANK
    model = run_facts.origin(run)
    named = (Path(each.config.dataset).name for each in filter(None, [model, run]))
    # A model that was trained elsewhere has no folder here.
    folders = dict.fromkeys(filter(None, named))
    checked, level = run_facts.data_quality(run), run_facts.split_level(run)
    sizes = run_facts.sample_sizes(run)
    return [
        GuidelineItem(_("Study design and goal"), "5–6", "4", BLANK),
        GuidelineItem(
            _("Data source"),
            "7",
            "5a",
            _("Folder {folder}", folder=_(", ").join(folders)) if folders else BLANK,
        ),
        GuidelineItem(_("Dates and sites of acquisition"), "7", "5b, 6a", BLANK),
        GuidelineItem(_("Inclusion and exclusion of patients"), "8", "6b", BLANK),
        GuidelineItem(_("Pre-processing and selection"), "9–10", "7", seen),
        GuidelineItem(_("De-identification"), "11", "", BLANK),
        GuidelineItem(_("Missing and unreadable data"), "12", "11", _unreadable(run)),
        GuidelineItem(_("Image acquisition protocol"), "13", "", BLANK),
        GuidelineItem(_("Quality and leakage checks"), "9, 20", "7", checked),
        GuidelineItem(_("Reference standard and annotators"), "14–18", "8", BLANK),
        GuidelineItem(_("Partitions and their level"), "19–20", "16", level),
        GuidelineItem(_("Sample size"), "21, 35", "10, 20a", sizes),
    ]


def items_on_training(run: Run) -> list[GuidelineItem]:
    """CLAIM 22 to 26."""
    model = run_facts.origin(run)
    best = model.status.best_epoch if model else 0
    chosen = (
        _("Epoch {epoch} was kept, for its validation loss.", epoch=best)
        if best
        else BLANK
    )
    return [
        GuidelineItem(_("Model"), "22", "12c, 22", _described_network(run)),
        GuidelineItem(_("Software and hardware"), "23", "12", _environment(model)),
        GuidelineItem(_("Training"), "24–25", "12c, 21", _training(run)),
        GuidelineItem(_("Rare classes"), "25", "13", _imbalance(run)),
        GuidelineItem(_("How the final model was chosen"), "26", "12c", chosen),
    ]


def _items_on_evaluation(run: Run, evaluation: Evaluation) -> list[GuidelineItem]:
    """CLAIM 28 to 33."""
    tested = run_facts.tested_on(run, evaluation)
    internal, external = (BLANK, tested) if run.tested_model else (tested, BLANK)
    metrics = _(", ").join(_(metric.title) for metric in METRICS.values())
    return [
        GuidelineItem(_("Metrics"), "28", "12e", metrics),
        GuidelineItem(_("Uncertainty"), "29", "12e, 23a", _uncertainty(evaluation)),
        GuidelineItem(_("Robustness"), "30", "", _robustness(run)),
        GuidelineItem(_("Explainability"), "31", "", _("Saliency maps, on request.")),
        GuidelineItem(
            _("Internal test"),
            "32",
            "16",
            internal,
        ),
        GuidelineItem(_("External test"), "33", "16", external),
    ]


def _uncertainty(evaluation: Evaluation) -> str:
    few = evaluation.accuracy.too_few
    if few is not None:
        return _("No intervals: {few}.", few=too_few(few))
    if evaluation.patients:
        return _("95 % intervals: patients kept together.")
    return _("95 % intervals: images as independent.")


def _robustness(run: Run) -> str:
    """What image corruptions cost; blank where that was not tested."""
    test, damaged = value_or_problem(read_corruption_test, run)
    if damaged:  # whose sentence names a folder of the server
        return _("The test under image corruptions is damaged: make it again.")
    return test.verdict if test else BLANK


def _items_on_results(run: Run, evaluation: Evaluation) -> list[GuidelineItem]:
    """CLAIM 34 to 44."""
    limits = join_sentences(run_facts.limits(run, evaluation))
    return [
        GuidelineItem(_("Ethics approval and registration"), "34", "17, 18d", BLANK),
        GuidelineItem(_("Patients' characteristics"), "36", "20b", BLANK),
        GuidelineItem(_("Performance"), "37–38", "23a", _performance(evaluation)),
        GuidelineItem(_("Fairness and subgroups"), "38", "14, 23a", BLANK),
        GuidelineItem(_("Failure analysis"), "39", "", _failures(evaluation)),
        GuidelineItem(_("Limitations"), "40", "26", limits),
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


def preprocessing_text(seen: Preprocessing) -> str:
    """What a model takes, in a few words."""
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


def version_text(run: Run) -> str:
    """Which run it is, and when it was trained."""
    model = run_facts.origin(run)
    if model is None:  # deleted since it was tested
        return _("Run {id}", id=run.tested_model)
    date = run_facts.when(model.status.ended or model.status.heartbeat)
    if not date or model.config.recipe == IMPORTED:
        return _("Run {id}", id=model.id)
    return _("Run {id}, trained {date}", id=model.id, date=date)


def _described_network(run: Run) -> str:
    facts = run.model_facts if run.model_path.exists() else None
    if facts is None:
        return network_text(run)
    network = network_text(run)
    if run.config.recipe == IMPORTED:
        network = _("Trained elsewhere and imported")
    return _(
        "{network}; {parameters:,} parameters",
        network=network,
        parameters=facts.parameters,
    )


def _imbalance(run: Run) -> str:
    if run.config.recipe == IMPORTED:
        return _trained_elsewhere()
    if run.config.recipe == ENSEMBLE:
        return _as_members()
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
    return ngettext(
        "{count:,} image file could not be read and was left out.",
        "{count:,} image files could not be read and were left out.",
        broken,
    )


def _performance(evaluation: Evaluation) -> str:
    return _(
        "Accuracy {accuracy}, balanced accuracy {balanced_accuracy}, area "
        "under the ROC curve {auc}; every class: see the evaluation.",
        accuracy=evaluation.accuracy,
        balanced_accuracy=evaluation.balanced_accuracy,
        auc=evaluation.auc,
    )


def network_text(run: Run) -> str:
    """Network and recipe."""
    config = run.config
    if config.recipe == IMPORTED:
        return _trained_elsewhere()
    if config.recipe == ENSEMBLE:
        return _members(run)
    recipe = config.recipe
    if recipe in RECIPES:
        recipe = _(RECIPES[recipe].title)
    return _(
        "{network}; recipe {recipe}",
        network=model_title(config.model),
        recipe=recipe,
    )


def _trained_elsewhere() -> str:
    return _("Not known here: the model was trained elsewhere and imported.")


def _members(run: Run) -> str:
    """The models that an ensemble averages."""
    model = run_facts.origin(run)
    ensemble = model.ensemble if model else None
    if ensemble is None:  # deleted since it was tested
        return _("Ensemble")
    titles = ensemble.members.values()
    return _(
        "Ensemble: the mean of the calibrated probabilities of {members}",
        members=_(", ").join(titles),
    )


def _as_members() -> str:
    return _("See its members: an ensemble learns nothing itself.")


def _training(run: Run) -> str:
    config, model = run.config, run_facts.origin(run)
    if config.recipe == IMPORTED:
        return _trained_elsewhere()
    if config.recipe == ENSEMBLE:
        return _as_members()
    status = model.status if model else None
    ended = run_facts.when(status.ended or status.heartbeat) if status else BLANK
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
    model = run_facts.origin(run) or run
    temperature, problem = value_or_problem(stored_temperature, model)
    if problem:
        return _(
            "Whether scores are calibrated is not known: calibration.json is damaged."
        )
    if temperature is None:
        return _("Scores are not calibrated.")
    return _(
        "Temperature {temperature}, fitted on {images:,} validation images.",
        temperature=temperature,
        images=temperature.images,
    )


_SOFTWARE = {
    "python": "Python ",
    "tensorflow": "TensorFlow ",
    "keras": "Keras ",
    "numpy": "NumPy ",
    "platform": "",
    "device": "",
}
"""Fact of environment.json -> what stands before it."""


def _environment(model: Run | None) -> str:
    values = model.environment if model else {}
    return _(", ").join(
        f"{title}{translate(str(values[name]))}"
        for name, title in _SOFTWARE.items()
        if values.get(name)
    )


def _failures(evaluation: Evaluation) -> str:
    pairs = [
        (int(evaluation.confusion[i, j]), label, choice)
        for i, label in enumerate(evaluation.classes)
        for j, choice in enumerate(evaluation.classes)
        if i != j and evaluation.confusion[i, j]
    ]
    if not pairs:
        return _("No mistake.")
    pairs.sort(key=lambda pair: -pair[0])
    said = [
        _("{images:,} × {label} taken for {choice}", images=n, label=a, choice=b)
        for n, a, b in pairs[:_MISTAKES]
    ]
    if rest := sum(n for n, _label, _choice in pairs[_MISTAKES:]):
        said.append(
            ngettext(
                "{count:,} other image misclassified",
                "{count:,} other images misclassified",
                rest,
            )
        )
    return _("; ").join(said)

"""Model card: facts label, CLAIM and TRIPOD+AI items of a run; blanks stay blank.

Page one is a label for those who would use the model, after Sendak et al., "Presenting
machine learning model information to clinical end users with model facts labels", npj
Digital Medicine 3 (2020) 41. Behind it stand the items of CLAIM (Tejani et al.,
Radiology: Artificial Intelligence 6 (2024) e240300) and TRIPOD+AI (Collins et al., BMJ
385 (2024) e078378) by their numbers, in this program's own words.
"""

from __future__ import annotations

from medmodel.core.errors import value_or_problem
from medmodel.evaluation.calibration.temperature_scaling import stored_temperature
from medmodel.evaluation.decision.frozen_thresholds import frozen_thresholds
from medmodel.evaluation.evaluation import Evaluation
from medmodel.evaluation.intervals.minima import too_few
from medmodel.evaluation.metrics.metric_table import METRICS
from medmodel.evaluation.robustness.corruption_test import (
    known_from_training,
    read_corruption_test,
)
from medmodel.language import _, join_sentences, ngettext
from medmodel.language.right_to_left import isolated
from medmodel.reports import run_facts
from medmodel.reports.card.items import (
    GuidelineItem,
    items_on_data,
    items_on_training,
    uncertainty_text,
)
from medmodel.reports.card.label import facts_label
from medmodel.reports.run_facts import BLANK, THRESHOLDS_DAMAGED, Fact
from medmodel.runs.run import Run

_MISTAKES = 3
"""Pairs of a true and a predicted class that are named."""


def model_facts_label(run: Run, evaluation: Evaluation) -> list[Fact]:
    """Page one: (heading, text), text `BLANK` where nothing is known."""
    classes = _(", ").join(evaluation.classes)
    counts = _(", ").join(
        f"{isolated(c.name)} {c.images:,}" for c in evaluation.per_class
    )
    results = [
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
        (_("Operating point"), _operating_point(run)),
        (_("Calibration"), _calibration(run)),
    ]
    return facts_label(
        run,
        summary=_(
            "Gives an image's probability for each of: {classes}.", classes=classes
        ),
        outcome=classes,
        tested_on=run_facts.tested_on(run, evaluation),
        results=results,
        limits=run_facts.limits(run, evaluation),
    )


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
    return uncertainty_text(evaluation.patients)


def _robustness(run: Run) -> str:
    """What image corruptions cost; blank where that was not tested."""
    test, damaged = value_or_problem(read_corruption_test, run)
    if damaged:  # whose sentence names a folder of the server
        return _("The test under image corruptions is damaged: make it again.")
    if test is None:
        return BLANK
    return join_sentences(filter(None, (test.verdict, known_from_training(run))))


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


def _performance(evaluation: Evaluation) -> str:
    return _(
        "Accuracy {accuracy}, balanced accuracy {balanced_accuracy}, area "
        "under the ROC curve {auc}; every class: see the evaluation.",
        accuracy=evaluation.accuracy,
        balanced_accuracy=evaluation.balanced_accuracy,
        auc=evaluation.auc,
    )


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

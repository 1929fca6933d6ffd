"""What the numbers of a segmentation rest on, and what limits them, in sentences."""

from __future__ import annotations

from medmodel.evaluation.segmentation.evaluation import (
    SegmentationEvaluation,
    evaluate_segmentation,
)
from medmodel.evaluation.segmentation.overlap import FOUND
from medmodel.evaluation.segmentation.summary import MINIMA
from medmodel.language import _, ngettext
from medmodel.reports import run_facts
from medmodel.reports.segmentation.metric_rows import estimate_text
from medmodel.runs.copies import copies_of, independent_segmentation, with_copies
from medmodel.runs.run import Run

_FEWEST = min(least.images for least in MINIMA.values())
"""Images, or patients, below which no metric has an interval."""


def evaluate_run(run: Run) -> SegmentationEvaluation:
    """The run's test images in numbers, without copies of images it was trained on.

    Raises:
        RunError: There is no table.
        DataError: It holds no test image.
    """
    return evaluate_segmentation(independent_segmentation(run))


def evaluate_with_copies(run: Run) -> SegmentationEvaluation | None:
    """The same with the copies; None where there are none, or nothing but copies."""
    copies = copies_of(run)
    if not copies.paths or copies.all_are_copies:
        return None
    return evaluate_segmentation(with_copies(independent_segmentation(run)))


def tested_on(run: Run, evaluation: SegmentationEvaluation) -> str:
    """What the numbers rest on, as a sentence."""
    return run_facts.tested_images(run, evaluation.images, evaluation.patients)


def dice_of_classes(evaluation: SegmentationEvaluation) -> str:
    """Mean Dice of each class with interval and number of images, as a list."""
    return _("; ").join(
        ngettext(
            "{name} {dice}, n = {count:,} image that holds it",
            "{name} {dice}, n = {count:,} images that hold it",
            metrics["dice"].n,
            name=name,
            dice=estimate_text("dice", metrics["dice"]),
        )
        for name, metrics in evaluation.metrics.items()
    )


def dice_with_copies(evaluation: SegmentationEvaluation) -> str:
    """A sentence with the numbers of all test images, copies among them."""
    return _(
        "With the copies (n = {images:,} images): mean Dice of {dice}.",
        images=evaluation.images,
        dice=dice_of_classes(evaluation),
    )


def test_copies(run: Run) -> str:
    """Which test images are copies, and the numbers with them, in sentences."""
    everything, copies = evaluate_with_copies(run), copies_of(run)
    if everything is None:
        return str(copies)
    return f"{copies} {dice_with_copies(everything)}"


def few_units(evaluation: SegmentationEvaluation) -> list[str]:
    """That there are too few patients, or images, for intervals; none if not so."""
    count = evaluation.patients or evaluation.images
    if count >= _FEWEST:
        return []
    if evaluation.patients:
        return [run_facts.few_patients(count)]
    return [
        ngettext(
            "Only {count} test image: too few for intervals, which need {least}.",
            "Only {count} test images: too few for intervals, which need {least}.",
            count,
            least=_FEWEST,
        )
    ]


def limits(run: Run, evaluation: SegmentationEvaluation) -> list[str]:
    """What a reader of the numbers must know, a sentence each."""
    said = [test_copies(run), *few_units(evaluation)]
    if not evaluation.patients:
        said.append(
            _(
                "Patients are not known: images count as independent, so intervals "
                "may be too narrow."
            )
        )
    said += run_facts.patient_overlap(run)
    said += run_facts.same_source(run)
    return [*said, _(run_facts.UNLIKE)]


def what_metrics_are(evaluation: SegmentationEvaluation) -> str:
    """Over which images means are taken, and what intervals know of patients."""
    whose = (
        _("Intervals keep the images of a patient together.")
        if evaluation.patients
        else _("Patients are unknown: intervals count images as independent.")
    )
    explained = _(
        "Dice, IoU and area error (without sign, as a share of the true area) are "
        "means over the test images that hold the class. A lesion is a connected "
        "area; it counts as found where the outline covers at least {share:.0f} % of "
        "it. HD95, the 95th percentile of the surfaces' distances, is the mean over "
        "images in which both outlines exist. False-positive images are those without "
        "the class in which some is outlined.",
        share=100 * FOUND,
    )
    return f"{explained} {whose}"

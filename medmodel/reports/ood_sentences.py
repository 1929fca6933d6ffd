"""Why an image is called unlike the training data, and how well that is known."""

from __future__ import annotations

from medmodel.evaluation.ood.detector import KEPT
from medmodel.evaluation.ood.results import OodResult, ThresholdBasis
from medmodel.language import _, join_sentences, ngettext, translate
from medmodel.reports import plots


def is_unlike_training(ood: OodResult | None, split: str) -> bool:
    """Whether an image is out of distribution, and not one of the training images.

    Args:
        ood: How it stands to the training images; None if that is not known.
        split: The split of the run that holds this very image; "" for none.
    """
    if ood is None or not ood.unfamiliar:
        return False
    return bool(ood.facts) or split != "train"


def why_unlike_training(ood: OodResult, outlines: bool = False) -> str:
    """Why an image is called unlike the training data, in sentences.

    Args:
        ood: How it stands to the training images.
        outlines: Whether the model outlines instead of classifying.
    """
    reasons = [translate(fact) for fact in ood.facts]
    if ood.is_ood:
        reasons.append(_distance_sentence(ood))
    reasons.append(
        _(
            "The model has seen hardly anything like it: do not rely on its outlines "
            "of such an image."
        )
        if outlines
        else _(
            "The model has seen hardly anything like it: do not rely on its "
            "probabilities for such an image."
        )
    )
    return join_sentences(reasons)


def _distance_sentence(ood: OodResult) -> str:
    """How far it lies from the training images, and how well that is known."""
    basis = ood.basis
    if ood.farther_than < 1:
        return _(
            "It lies farther from the training images than {share} of the {judged} by "
            "which that is judged. Of images that are like them, {refused} would be "
            "called unlike, too.",
            share=plots.per_cent(ood.farther_than),
            judged=judged_images(basis),
            refused=_share_refused(basis),
        )
    return _(
        "It lies farther from the training images than each of the {judged} by which "
        "that is judged. Of images that are like them, {refused} would be called "
        "unlike, too.",
        judged=judged_images(basis),
        refused=_share_refused(basis),
    )


def judged_images(basis: ThresholdBasis) -> str:
    """The images by which it is judged, counted in words."""
    validation = ngettext(
        "{count:,} validation image", "{count:,} validation images", basis.validation
    )
    if not basis.training:
        return validation
    return _(
        "{validation} and {training:,} training images left out in turn",
        validation=validation,
        training=basis.training,
    )


def _share_refused(basis: ThresholdBasis) -> str:
    """How well the threshold is known, in words."""
    low, high = (plots.per_cent(share) for share in (basis.low, basis.high))
    return _(
        "about {share} (95 % interval {low} to {high})",
        share=plots.per_cent(1 - KEPT),
        low=low,
        high=high,
    )

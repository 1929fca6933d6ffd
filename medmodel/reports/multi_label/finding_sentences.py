"""What a model of several findings predicts of an image, as a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from medmodel.evaluation.multi_label.finding_results import Decision
from medmodel.evaluation.multi_label.finding_sets import FindingSets
from medmodel.language import _, join_sentences
from medmodel.language.right_to_left import isolated
from medmodel.reports import plots


def predicted_sentence(
    probabilities: Iterable[float], decisions: Sequence[Decision]
) -> str:
    """The findings above their thresholds, with their probabilities; or that none is.

    Args:
        probabilities: As they are shown.
        decisions: Of each finding, in the same order.
    """
    pairs = sorted(
        (-float(p), d.name, float(p))
        for p, d in zip(probabilities, decisions, strict=True)
        if p >= d.threshold
    )
    if pairs:
        named = [f"{isolated(name)} ({plots.per_cent(p)})" for _order, name, p in pairs]
        return _("Predicted findings: {findings}", findings=_(", ").join(named))
    if all(math.isnan(decision.threshold) for decision in decisions):
        return _("No finding has a threshold")
    return _("No finding above its threshold")


def sets_sentence(
    scores: NDArray[np.floating], sets: Sequence[FindingSets], coverage: float
) -> str:
    """What cannot be ruled out of each finding of one image.

    Args:
        scores: As the model gives them, (findings,).
        sets: Of each finding, in the same order.
        coverage: Of the sets.
    """
    held: dict[str, list[str]] = {}
    for at, each in enumerate(sets):
        (answer,) = each.answers(scores[at : at + 1])
        held.setdefault(answer, []).append(isolated(each.name))
    listed = {answer: _(", ").join(names) for answer, names in held.items()}
    said = []
    if "present" in listed:
        said.append(_("present: {findings}", findings=listed["present"]))
    if "absent" in listed:
        said.append(_("absent: {findings}", findings=listed["absent"]))
    if "present|absent" in listed:
        said.append(
            _("present or absent: {findings}", findings=listed["present|absent"])
        )
    sentences = []
    if said:
        sentences.append(
            _(
                "With {coverage:.0f} % coverage: {sets}.",
                coverage=100 * coverage,
                sets=_("; ").join(said),
            )
        )
    if "" in held:
        sentences.append(too_few_for_sets(held[""]))
    return join_sentences(sentences)


def too_few_for_sets(findings: Sequence[str]) -> str:
    """Of which findings nothing can be ruled out, as a sentence."""
    return _(
        "Too few validation images with it, or without it, for a prediction set: "
        "{findings}.",
        findings=_(", ").join(findings),
    )

"""The predicted class as people read it: a tie of scores is said to be one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medmodel.evaluation.decision.predicted_class import highest_classes
from medmodel.language import _, ngettext
from medmodel.language.right_to_left import isolated
from medmodel.reports.plots import per_cent

_NAMED = 5
"""Classes of a tie that are named."""


def predicted_sentence(
    classes: Sequence[str], scores: NDArray[np.floating], decided: int | None = None
) -> str:
    """The predicted class as a title; takes the arguments of `highest_classes`."""
    names = [isolated(name) for name in highest_classes(classes, scores, decided)]
    # The sign stays beside its number where a line ends.
    highest = float(scores.max() if decided is None else scores[decided])
    share = per_cent(highest).replace(" ", "\N{NO-BREAK SPACE}")
    if len(names) == 1:
        return _("Predicted class: {name} ({share})", name=names[0], share=share)
    listed, rest = _(", ").join(names[:_NAMED]), len(names) - _NAMED
    if rest > 0:
        listed = ngettext(
            "{names} and {count:,} more class",
            "{names} and {count:,} more classes",
            rest,
            names=listed,
        )
    return _(
        "No single predicted class: {names} ({share} each)", names=listed, share=share
    )


def with_tie(choice: str, tied: bool) -> str:
    """A predicted class in few words, as below an image or in a cell of a table.

    Args:
        choice: The class, with its score or without.
        tied: Whether the highest scores are equal and no threshold decides.
    """
    return _("{choice}, tied with another class", choice=choice) if tied else choice

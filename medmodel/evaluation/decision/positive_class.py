"""The positive class of two: what sensitivity, specificity, PPV and NPV are about.

Somebody chose it, else it is guessed from the names: of two classes, the one that is
not named like the absence of a finding.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from medmodel.core.errors import RunError
from medmodel.core.storage import read_as, write_json
from medmodel.language import N_, _
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore

FILE = "positive_class.json"
NO_POSITIVE_CLASS = N_(
    "No positive class is chosen, and the names of the two classes do "
    "not tell which is the finding: sensitivity, specificity and "
    "predictive values are macro-averaged."
)
_ABSENCE = frozenset(
    (
        *("normal", "negative", "neg", "benign", "healthy", "control", "controls"),
        *("absent", "absence", "clear", "clean", "unremarkable", "uninfected"),
        *("unaffected", "nonmalignant", "background", "false", "0"),
        *("negativ", "gesund", "gutartig", "sano", "sain", "normale"),
        *("正常", "阴性", "陰性", "良性", "健康", "对照", "對照"),
    )
)
_DENIALS = ("no", "non", "not", "without", "none", "nil", "ohne", "kein", "无", "無")
_PREFIXES = ("non", "no", "not", "un")


@dataclass(frozen=True)
class ChosenClass:
    """What positive_class.json holds.

    Args:
        name: The class that somebody chose.
    """

    name: str


@dataclass(frozen=True)
class PositiveClass:
    """The positive class of a run's two classes.

    Args:
        name: The class.
        position: Its position among the run's classes.
        guessed: Whether its name alone says so; else somebody chose it.
    """

    name: str
    position: int
    guessed: bool

    def __str__(self) -> str:
        return _("Positive class: {name} ({basis}).", name=self.name, basis=self.basis)

    @property
    def basis(self) -> str:
        """How it is known, in words."""
        return (
            _("guessed from the class names") if self.guessed else _("chosen by a user")
        )


def positive_class(run: Run, classes: Sequence[str]) -> PositiveClass | None:
    """The positive class of two; None of more classes, or where nobody can tell.

    Args:
        run: A run; an external test follows the run of its model.
        classes: Its classes, in the model's order.

    Raises:
        FileError: positive_class.json is damaged.
    """
    if len(classes) != 2:
        return None
    chosen = read_as(run.folder / FILE, ChosenClass)
    if chosen is None and run.tested_model:
        try:
            model = RunStore(run.folder.parent.parent).get(run.tested_model)
        except RunError:  # deleted since
            model = run
        chosen = read_as(model.folder / FILE, ChosenClass)
    if chosen is not None and chosen.name in classes:
        return PositiveClass(chosen.name, list(classes).index(chosen.name), False)
    position = guess_positive(classes)
    if position is None:
        return None
    return PositiveClass(classes[position], position, True)


def choose_positive(run: Run, name: str) -> None:
    """Keeps somebody's choice with the run."""
    write_json(run.folder / FILE, ChosenClass(name))


def guess_positive(classes: Sequence[str]) -> int | None:
    """Of two classes the position of the one that is not named like an absence.

    None where neither or both are named so, such as `cat` and `dog`.
    """
    if len(classes) != 2:
        return None
    first, second = (
        _is_absence(name, other) for name, other in (classes, reversed(classes))
    )
    if first == second:
        return None
    return 1 if first else 0


def _is_absence(name: str, other: str) -> bool:
    """Whether a class is named like the absence of what the other one names."""
    words, others = _words(name), _words(other)
    if not words:
        return False
    if words[0] in _DENIALS or (words[0] not in others and words[0] in _ABSENCE):
        return True
    if any(word in _ABSENCE and word not in others for word in words):
        return True
    joined, rest = "".join(words), "".join(others)
    return any(rest and joined == prefix + rest for prefix in _PREFIXES)


def _words(name: str) -> list[str]:
    """Its words in lower case: `No_Finding`, `no-finding` and `NoFinding` are alike."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.findall(r"[^\W_]+", parted.casefold())

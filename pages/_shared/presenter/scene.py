"""One step of the demo: its slide, and what the keys do there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from medmodel.audience.ballot import Ballot
from medmodel.audience.slide import Slide
from medmodel.language import N_

STEPS = ("data", "train", "curves", "diagnose", "compare", "read")
"""In the order of the arrow keys."""
TITLES = {
    "data": N_("Data"),
    "train": N_("Train"),
    "curves": N_("Curves"),
    "diagnose": N_("Diagnose"),
    "compare": N_("Compare"),
    "read": N_("Reading room"),
}
ROOM = "room"
"""The step beside the others: phones in the room."""


@dataclass(frozen=True)
class PhoneScene:
    """What phones see in place of the projector's slide.

    Args:
        slide: With images that phones may see.
        ballot: What they are asked about it.
    """

    slide: Slide
    ballot: Ballot


@dataclass(frozen=True)
class Scene:
    """What a step shows and does.

    Args:
        slide: What is shown.
        action: What Enter does, in words; "" for nothing.
        act: Does it.
        turn: Shows the next (1) or the previous (-1) of several things.
        live: Whether it changes by itself.
        viewer: Arguments of `show_viewer` for its images, to be seen large.
        end: Ends what goes through many slides.
        phones: What phones see; None for this slide.
        code_shown: Whether the link and its QR code are shown from the beginning.
    """

    slide: Slide
    action: str = ""
    act: Callable[[], None] | None = None
    turn: Callable[[int], None] | None = None
    live: bool = False
    viewer: Mapping[str, Any] | None = None
    end: Callable[[], None] | None = None
    phones: PhoneScene | None = None
    code_shown: bool = False

    @property
    def counts(self) -> bool:
        """Whether answers of phones come in."""
        return self.phones is not None and self.phones.ballot.open


def current_step() -> str:
    """The step in the address, ?present=; the first where there is none."""
    step = st.query_params.get("present", "")
    return step if step in (*STEPS, ROOM) else STEPS[0]


def go_to(step: str) -> None:
    """Makes it the step in the address."""
    st.query_params["present"] = step


def step_after(step: str, move: str) -> str:
    """The step that a key leads to: next, previous, first or last."""
    at = STEPS.index(step)
    places = {"next": at + 1, "previous": at - 1, "first": 0, "last": len(STEPS) - 1}
    return STEPS[min(max(places[move], 0), len(STEPS) - 1)]


def turned(count: int, at: int, by: int) -> int:
    """The place after turning through so many things in a ring."""
    return (at + by) % count if count else 0

"""Fields for the settings of a run: each wrong value is told at its field."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from medmodel.core.config import TrainConfig
from medmodel.core.config_problems import config_problems
from medmodel.core.preprocessing import TISSUES, WINDOWS
from medmodel.imaging.enhance import Chain, saved_chains
from medmodel.language import N_, _, translate
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain

WINDOW_TITLES = {
    "auto": N_("Automatic: CT as soft tissue, others by their range"),
    "file": N_("As each file asks for"),
}
_NO_CHAIN = N_("None")


def window_title(setting: str) -> str:
    """A window setting in words; names of `WINDOWS` with centre and width."""
    if setting in WINDOWS:
        center, width = WINDOWS[setting]
        return _(
            "{tissue}: centre {center:g}, width {width:g} HU",
            tissue=_(TISSUES[setting]),
            center=center,
            width=width,
        )
    return _(WINDOW_TITLES.get(setting, setting))


class Form:
    """Draws fields that start from a configuration, and notes where they stand.

    Args:
        start: The values to begin with.
        key: Keeps the widgets of one start apart from those of another.
    """

    def __init__(self, start: TrainConfig, key: str) -> None:
        self.start = start
        self.key = key
        self.values: dict[str, Any] = {}
        self.notes: dict[str, DeltaGenerator] = {}

    def _note(self, name: str, value: Any) -> None:
        self.values[name] = value
        self.notes[name] = st.empty()

    def number(
        self, name: str, label: str, settable: bool = False, **options: Any
    ) -> None:
        """A field for a number; a settable one may be filled in by a button."""
        value = getattr(self.start, name)
        key = f"{self.key}-{name}"
        first = value
        if settable:
            # Streamlit warns of a first value beside one that was set.
            st.session_state.setdefault(key, value)
            first = None
        entered = st.number_input(label, value=first, key=key, **options)
        self._note(name, value if entered is None else entered)

    def choice(
        self,
        name: str,
        label: str,
        options: tuple[str, ...],
        titles: dict[str, str],
        help_text: str | None = None,
    ) -> None:
        """A field for one of several values."""
        value = getattr(self.start, name)

        def title(option: str) -> str:
            return _(titles.get(option, option))

        chosen = st.selectbox(
            label,
            options,
            index=options.index(value) if value in options else 0,
            format_func=title,
            key=f"{self.key}-{name}",
            help=help_text,
        )
        self._note(name, chosen)

    def text(self, name: str, label: str, **options: Any) -> None:
        """A field for text."""
        value, key = getattr(self.start, name), f"{self.key}-{name}"
        self._note(name, st.text_input(label, value, key=key, **options).strip())

    def toggle(self, name: str, label: str, help_text: str) -> None:
        """A switch."""
        value, key = getattr(self.start, name), f"{self.key}-{name}"
        self._note(name, st.toggle(label, value, key=key, help=help_text))

    def window(self) -> None:
        """A field for the window of scans: a name, or centre/width typed in."""
        value = self.start.window
        options = list(dict.fromkeys([*WINDOW_TITLES, *WINDOWS, value]))
        chosen = st.selectbox(
            _("Window of scans"),
            options,
            index=options.index(value),
            format_func=window_title,
            key=f"{self.key}-window",
            accept_new_options=True,
            help=_(
                "Which measured values become black and white, the same for every "
                "file. Automatic: CT without Hounsfield units is shown by its own "
                "range; the data set's page says which files. Choose one or type "
                "centre/width, for example 40/400. Diagnose then shows the model "
                "every image through the same window."
            ),
        )
        self._note("window", (chosen or value).strip())

    def enhancement(self) -> None:
        """A field for a chain of the Enhance page; absent while there is none."""
        chains: dict[str, Chain] = {}
        with errors_shown():
            chains = saved_chains()
        start = Chain(self.start.steps)
        same = (n for n, c in chains.items() if c.steps == start.steps)
        named = next(same, start.words() if start.steps else _NO_CHAIN)
        options = {_NO_CHAIN: Chain(()), named: start, **chains}
        if len(options) < 2:
            return
        chosen = st.selectbox(
            _("Enhancement"),
            list(options),
            index=list(options).index(named),
            format_func=lambda name: _(name) if name == _NO_CHAIN else name,
            key=f"{self.key}-steps",
            help=_(
                "A chain saved on the Enhance page. The model keeps it: Diagnose "
                "applies the same steps."
            ),
        )
        chain = options[chosen]
        self._note("steps", chain.steps)
        if chain.window != "auto":
            self.values["window"] = chain.window
            st.caption(
                _(
                    "With its window of scans: {window}.",
                    window=window_title(chain.window),
                )
            )

    def config(self) -> TrainConfig:
        """The configuration as entered, right or wrong; says at the fields what is."""
        entered = replace(self.start, **self.values)
        for name, problem in config_problems(entered).items():
            if name in self.notes:
                self.notes[name].markdown(
                    f":red[:material/error: {plain(translate(problem))}]",
                    width="stretch",
                )
        return entered

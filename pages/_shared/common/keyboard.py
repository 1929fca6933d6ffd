"""A primary button with a key, without the key's faint name on it."""

from __future__ import annotations

from functools import lru_cache

import streamlit as st

from medmodel.core.environment import REPOSITORY
from medmodel.language import _


def primary_button(
    label: str,
    keys: str,
    *,
    icon: str | None = None,
    disabled: bool = False,
    help: str = "",
) -> bool:
    """Whether the button or its key was pressed.

    Streamlit's own `shortcut` writes the key onto the button in white of 60 % opacity,
    which stays below 4.5 : 1 on every accent colour that a dark page can have.

    Args:
        label: What stands on the button.
        keys: A key or a chord: `Enter`, `Ctrl+Enter`.
        icon: Its icon.
        disabled: Whether neither does anything.
        help: What more there is to know; the key is named after it.
    """
    key = _("Key: {key}.", key=keys)
    tip = f"{help} {key}" if help else key
    # Else the component, unseen, would have a place of its own in a row of buttons.
    with st.container(gap=None, width="content"):
        clicked = st.button(
            label, type="primary", icon=icon, disabled=disabled, help=tip
        )
        return clicked or (not disabled and _pressed(label, keys))


def key_button(
    label: str, keys: str, *, icon: str | None = None, disabled: bool = False
) -> bool:
    """As `primary_button`, of several equal ones; the key belongs onto the label."""
    with st.container(gap=None):  # the component takes no room of its own
        clicked = st.button(label, icon=icon, disabled=disabled, width="stretch")
        return clicked or (not disabled and _pressed(label, keys))


def _pressed(label: str, keys: str) -> bool:
    component = st.components.v2.component("shortcut", js=_source())
    answer = component(
        data={"keys": keys},
        key=f"shortcut-{keys}-{label}",
        # Beside it stand other buttons of its row.
        width=1,
        height=1,
        on_pressed_change=lambda: None,
    )
    return bool(answer.pressed)


@lru_cache
def _source() -> str:
    return (REPOSITORY / "assets" / "shortcut.js").read_text(encoding="utf-8")

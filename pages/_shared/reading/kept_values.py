"""What was typed stays while the session lasts, also when its page is left."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

_VALUES = "kept-values"
_BASES = "table-bases"


def keep_value(key: str, default: Any = None) -> None:
    """To be called before a field is drawn: gives it back what it held.

    Streamlit forgets a field's value as soon as its page, or its part of the page, is
    not drawn.

    Args:
        key: Of the field, which is drawn without a value of its own.
        default: What it holds at first.
    """
    values: dict[str, Any] = st.session_state.setdefault(_VALUES, {})
    if key in st.session_state:
        values[key] = st.session_state[key]
    else:
        st.session_state[key] = values.setdefault(key, default)


def kept_table(key: str, empty: pd.DataFrame) -> pd.DataFrame:
    """What a table to be edited begins with: as it was left, or empty.

    As long as the table is drawn this must not change: its edits are counted from it.

    Args:
        key: Of the table's editor.
        empty: What it begins with at first.
    """
    bases: dict[str, pd.DataFrame] = st.session_state.setdefault(_BASES, {})
    if key not in st.session_state:
        bases[key] = st.session_state.get(f"{key}-edited", empty)
    return bases.setdefault(key, empty)


def keep_table(key: str, edited: pd.DataFrame) -> None:
    """To be called after a table was edited: it begins with this when it comes back."""
    st.session_state[f"{key}-edited"] = edited

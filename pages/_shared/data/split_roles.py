"""What a folder or a word of a table is for: training, validation, test or nothing."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from medmodel.data.layouts.split_names import SPLIT_TITLES, Role
from medmodel.language import N_, _
from pages._shared.common.words import plain

_LEFT_OUT = N_("Left out")


def ask_roles(titles: Mapping[str, str], known: Mapping[str, Role]) -> dict[str, Role]:
    """A select box for each name: training, validation, test or left out.

    Args:
        titles: Name of a folder, or value of a table's column -> what stands above.
        known: What was chosen before.
    """
    roles: list[Role] = ["train", "val", "test", ""]
    chosen = {}
    columns = st.columns(min(4, max(len(titles), 1)))
    for number, (name, title) in enumerate(titles.items()):
        with columns[number % len(columns)]:
            chosen[name] = st.selectbox(
                plain(title),
                roles,
                index=roles.index(known.get(name, "")),
                format_func=lambda role: _(SPLIT_TITLES.get(role, _LEFT_OUT)),
                key=f"role {name}",
            )
    return chosen

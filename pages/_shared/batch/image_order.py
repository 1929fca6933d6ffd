"""In which order the images of a batch are shown, and which of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

import pandas as pd
import streamlit as st

from medmodel.batch import table
from medmodel.language import _
from medmodel.runs.run import Run
from pages._shared.common.legible import legible, one_of

Order = TypeVar("Order", bound=str)


def table_orders(rows: pd.DataFrame) -> dict[table.Order, str]:
    """Orders of a table's images; the worst first only where there are labels.

    Args:
        rows: A batch's, with a column `label`.
    """
    labelled = (rows["label"] != "").any()
    return {o: title for o, title in table.ORDERS.items() if o != "worst" or labelled}


def pick_order(batch: Run, orders: Mapping[Order, str], help_text: str) -> Order:
    """The order that the user chooses; the first one until then.

    Args:
        batch: The batch.
        orders: Key -> what it is called, in English.
        help_text: What the orders are.
    """
    keys = list(orders)
    return one_of(
        _("Order"),
        keys,
        format_func=legible(lambda key: _(orders[key])),
        default=keys[0],
        required=True,
        key=f"batch-order-{batch.id}",
        help=help_text,
    )


def pick_shown(batch: Run, label: str, names: Iterable[str], all_of_them: str) -> str:
    """The class or finding to which the images are narrowed; empty for all.

    Args:
        batch: The batch.
        label: What is chosen.
        names: Those to choose from.
        all_of_them: What no choice is called.
    """
    return st.selectbox(
        label,
        ["", *names],
        format_func=lambda name: name or all_of_them,
        key=f"batch-class-{batch.id}",
    )

"""Fields and tables hold what was typed, also after another page."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

SCRIPT = """
import pandas as pd
import streamlit as st
from pages._shared.reading.kept_values import keep_table, keep_value, kept_table

if not st.toggle("elsewhere"):
    keep_value("count", 2)
    st.number_input("Count", min_value=1, max_value=9, key="count")
    keep_value("day")
    st.date_input("Day", value=None, key="day")
    base = kept_table("table", pd.DataFrame({"mm": [1.0]}))
    st.text(f"base {base['mm'].tolist()}")
    edited = st.data_editor(base, key="table", num_rows="dynamic")
    keep_table("table", edited.assign(mm=edited["mm"] + 1))
"""


def there_and_back(app: AppTest) -> AppTest:
    app.toggle[0].set_value(True).run()
    return app.toggle[0].set_value(False).run()


def test_a_field_comes_back_with_what_it_held() -> None:
    app = AppTest.from_string(SCRIPT).run()
    assert not app.exception
    assert (app.number_input[0].value, app.date_input[0].value) == (2, None)
    app.number_input[0].set_value(5).run()
    there_and_back(app)
    assert not app.exception and not app.warning
    assert app.number_input[0].value == 5


def test_a_table_begins_with_how_it_was_left_and_does_not_change_meanwhile() -> None:
    app = AppTest.from_string(SCRIPT).run()
    assert app.text[0].value == "base [1.0]"
    app.number_input[0].set_value(3).run()
    assert app.text[0].value == "base [1.0]"
    there_and_back(app)
    # The script above counts every edit as 1 mm more.
    assert app.text[0].value == "base [2.0]"

"""Presenter mode in a test: its slides as data, and its keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st
from streamlit.testing.v1 import AppTest

from medmodel.runs.run import Run
from tests.pages.page import open_page

PAGE = "presenter/present.py"


class Projector:
    """What the component is given, and the key that it gives back once."""

    def __init__(self) -> None:
        self.others: Callable[..., Any] = st.components.v2.component
        self.data: dict[str, Any] = {}
        self.key = ""

    def component(self, *names: str, **files: Any) -> Callable[..., Any]:
        if names[0] != "presenter":
            return self.others(*names, **files)

        def draw(**how: Any) -> Any:
            self.data = how["data"]
            pressed, self.key = self.key, ""
            return type("Result", (), {"pressed": pressed})()

        return draw

    @property
    def title(self) -> str:
        title: str = self.data["slide"]["title"]
        return title


def opened(step: str, **address: str) -> AppTest:
    return open_page(PAGE, present=step, **address)


def pressed(app: AppTest, projector: Projector, key: str) -> AppTest:
    projector.key = key
    app.run()
    assert not app.exception
    return app


def parameter(app: AppTest, name: str) -> str:
    value = app.query_params[name]
    return value if isinstance(value, str) else value[-1]


def step_of(app: AppTest) -> str:
    return parameter(app, "present")


def diagnose(projector: Projector, run: Run) -> AppTest:
    """Consent, then images of the test split."""
    app = opened("diagnose", run=run.id)
    pressed(app, projector, "action")
    return pressed(app, projector, "action")

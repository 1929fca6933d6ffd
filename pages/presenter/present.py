"""Presenter mode: one slide over the whole window, keys to go through a demo."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from medmodel.audience.slide import Slide
from medmodel.core.errors import MedModelError
from medmodel.language import _, translate
from pages._shared.common import widgets
from pages._shared.presenter import room_view
from pages._shared.presenter.compare_scene import compare_scene
from pages._shared.presenter.curves_scene import curves_scene
from pages._shared.presenter.data_scene import data_scene
from pages._shared.presenter.diagnose_scene import diagnose_scene
from pages._shared.presenter.read_scene import read_scene
from pages._shared.presenter.scene import (
    ROOM,
    STEPS,
    TITLES,
    Scene,
    current_step,
    go_to,
    step_after,
)
from pages._shared.presenter.stage import show_stage, turn_dark
from pages._shared.presenter.train_scene import train_scene

SCENES = {
    "data": data_scene,
    "train": train_scene,
    "curves": curves_scene,
    "diagnose": diagnose_scene,
    "compare": compare_scene,
    "read": read_scene,
}
PAGES = {
    "data": widgets.DATASETS,
    "train": widgets.TRAIN,
    "curves": widgets.RUNS,
    "diagnose": widgets.DIAGNOSE,
    "compare": widgets.COMPARE,
    "read": widgets.READ,
}
LIVE_SECONDS, FOLLOWED_SECONDS = 1.0, 2.0
"""Seconds between two looks at what changes by itself, and at how many follow."""
COUNTED_SECONDS = 0.2
"""Seconds between two looks at the answers of phones: seen as they come."""


def scene_of(step: str) -> Scene:
    """What the step shows; what went wrong is a slide, too."""
    try:
        return SCENES[step]()
    except MedModelError as error:
        return Scene(
            Slide(
                _(TITLES[step]),
                _("This cannot be shown"),
                translate(str(error)),
                state="failed",
            )
        )


def show_step(step: str) -> None:
    """The step's slide, on the projector and on the phones, and what keys do."""
    scene = scene_of(step)
    room_view.publish(scene.slide, scene.phones)
    room = room_view.room_of_session()
    shared = room_view.shares_images(scene.slide)
    pressed = show_stage(scene, step, room, shared)
    if pressed:
        answer(pressed, step, scene)
        st.rerun()
    if seconds_until_next(scene) != st.session_state.get("presented-every"):
        st.session_state["presented-every"] = seconds_until_next(scene)
        st.rerun()


def seconds_until_next(scene: Scene) -> float | None:
    """How soon the step is looked at again; None for not by itself."""
    if scene.counts:
        return COUNTED_SECONDS
    if scene.live:
        return LIVE_SECONDS
    return FOLLOWED_SECONDS if room_view.room_of_session() else None


def answer(pressed: str, step: str, scene: Scene) -> None:
    """Does what a key asks for."""
    if pressed in ("next", "previous", "first", "last"):
        go_to(step_after(step, pressed))
    elif pressed in ("up", "down") and scene.turn:
        scene.turn(1 if pressed == "down" else -1)
    elif pressed == "action" and scene.act:
        attempt(scene.act)
    elif pressed == "end" and scene.end:
        attempt(scene.end)
    elif pressed == "image" and room_view.room_of_session() and scene.slide.images:
        room_view.toggle_images(scene.slide)
    elif pressed == "dark":
        turn_dark()
    elif pressed == "room":
        st.session_state["presented-step"] = step
        go_to(ROOM)
    elif pressed == "leave":
        leave(step)


def attempt(act: Callable[[], None]) -> None:
    """Does it; what went wrong is the next slide."""
    try:
        act()
    except MedModelError as error:
        st.session_state["presented-error"] = translate(str(error))


def leave(step: str) -> None:
    """Opens the page that the step stands for."""
    with_run = step in ("curves", "diagnose", "read")
    run = st.query_params.get("run", "") if with_run else ""
    dataset = st.query_params.get("dataset", "") if step in ("data", "train") else ""
    params = {"run": run} if run else {"dataset": dataset} if dataset else {}
    st.switch_page(PAGES[step], query_params=params)


def show_failed_action(step: str) -> None:
    """What Enter could not do, until another key is pressed."""
    error = st.session_state["presented-error"]
    slide = Slide(_(TITLES[step]), _("This was not done"), error, state="failed")
    pressed = show_stage(Scene(slide), step, room_view.room_of_session(), False)
    if pressed:
        del st.session_state["presented-error"]
        answer(pressed, step, Scene(slide))
        st.rerun()


def show() -> None:
    step = current_step()
    if "present" not in st.query_params:
        go_to(step)
        st.rerun()  # without the menu
    if step == ROOM:
        if st.button(
            _("Back to the slides"), shortcut="Esc", icon=":material/arrow_back:"
        ):
            go_to(st.session_state.get("presented-step", STEPS[0]))
            st.rerun()
        room_view.show_room()
        return
    st.title(_("Presenter mode"), anchor=False)
    if "presented-error" in st.session_state:
        show_failed_action(step)
        return
    every = st.session_state.get("presented-every")
    st.fragment(show_step, run_every=every)(step)


show()

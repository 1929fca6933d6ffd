"""The projector: one slide over the whole window, and the keys."""

from __future__ import annotations

from typing import Any

import streamlit as st

from medmodel.audience.room import Room
from medmodel.core.environment import asset_text
from medmodel.language import _
from pages._shared.prediction.image_viewer import viewer_facts, viewer_parts
from pages._shared.presenter.qr_code import qr_path
from pages._shared.presenter.scene import STEPS, TITLES, Scene

_DARK = "presented-dark"


def show_stage(scene: Scene, step: str, room: Room | None, shares_images: bool) -> str:
    """Shows the slide; returns the key that was pressed, as the page understands it.

    Args:
        scene: What is shown.
        step: Key of `TITLES`.
        room: The open audience address of this session.
        shares_images: Whether phones see the slide's images now.

    Returns:
        next, previous, first, last, up, down, action, end, leave, image, room or dark;
        "" for none.
    """
    component = st.components.v2.component(
        "presenter",
        html=asset_text("presenter.html"),
        css=asset_text("slide.css", "presenter.css"),
        js=asset_text("slide.js", "viewer.js", "presenter.js"),
    )
    result = component(
        data={
            "slide": scene.slide.facts(inline=True),
            "place": f"{STEPS.index(step) + 1} / {len(STEPS)}",
            "turns": scene.turn is not None,
            "action": scene.action,
            "room": _attendance(scene, room, shares_images),
            "code": _code(room),
            "codeShown": scene.code_shown,
            "dark": is_dark(),
            "keys": _keys(scene, room, shares_images),
            "viewer": _viewer(scene),
            "texts": _texts(),
        },
        key="presenter",
        on_pressed_change=lambda: None,
    )
    return str(result.pressed or "")


def _texts() -> dict[str, str]:
    """Name in `assets/presenter.html` and `presenter.js` -> what stands there."""
    return {
        "title": _("Presenter mode"),
        "clinical": _("Not for clinical use."),
        "research": _("Research and teaching only."),
        "up": _("The one before"),
        "down": _("Another one"),
        "previous": _("Previous step"),
        "next": _("Next step"),
        "keys": _("Keys"),
        "view": _("Images large"),
        "link": _("Link for phones"),
        "code": _("QR code of the link"),
        "follow": _("Follow on your phone"),
    }


def _viewer(scene: Scene) -> dict[str, Any] | None:
    if scene.viewer is None:
        return None
    return {**viewer_parts(), "data": viewer_facts(**scene.viewer)}


def is_dark() -> bool:
    """As chosen by key, else as the page is."""
    dark: bool = st.session_state.get(_DARK, st.context.theme.type == "dark")
    return dark


def turn_dark() -> None:
    """Light becomes dark, and dark light."""
    st.session_state[_DARK] = not is_dark()


def _attendance(scene: Scene, room: Room | None, shares_images: bool) -> str:
    if room is None:
        return ""
    count = room.attendance.followers
    if scene.phones or not scene.slide.images:
        return _("Phones: {count}", count=count)
    if shares_images:
        return _("Phones: {count}, which see the images", count=count)
    return _("Phones: {count}, without the images", count=count)


def _code(room: Room | None) -> dict[str, Any] | None:
    if room is None:
        return None
    path, size = qr_path(room.link)
    return {"link": room.link, "path": path, "size": size}


def _keys(
    scene: Scene, room: Room | None, shares_images: bool
) -> list[tuple[str, str]]:
    """What the keys do here."""
    steps = _(", ").join(_(title).lower() for title in TITLES.values())
    keys = [("→ ←", _("Next and previous step: {steps}", steps=steps))]
    if scene.turn:
        keys.append(("↑ ↓", _("Another one of the same kind")))
    if scene.action:
        keys.append(("Enter", scene.action))
    if scene.end:
        keys.append(("E", _("End, and show the results")))
    if scene.viewer:
        keys.append(("Z", _("Images large; there + and − zoom, arrow keys move")))
    if room is None:
        keys.append(("R", _("Open a link for phones in the room")))
    else:
        keys += [
            ("Q", _("Link and QR code for phones")),
            ("R", _("Phones in the room")),
        ]
    if room is not None and scene.slide.images and not scene.phones:
        held = _("Hide these images from phones")
        keys.append(("I", held if shares_images else _("Show these images on phones")))
    return [
        *keys,
        ("D", _("Light or dark")),
        ("F", _("Full screen")),
        ("?", _("These keys")),
        ("P, Esc", _("Leave presenter mode")),
    ]

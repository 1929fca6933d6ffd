"""Phones in the room: open the audience address, its link and code, close it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pandas as pd
import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from medmodel.audience import room as rooms
from medmodel.audience.interfaces import Interface, interfaces
from medmodel.audience.process import AudienceError
from medmodel.audience.room import Room
from medmodel.audience.slide import Slide
from medmodel.core import audit
from medmodel.language import _, ngettext
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.presenter.qr_code import qr_svg
from pages._shared.presenter.scene import PhoneScene

_ROOM = "room-of-this-session"
_SHARED = "images-on-phones"
_LIST_HEIGHT = 320


def room_of_session() -> Room | None:
    """The open audience address, if this session opened it or took it over."""
    room = rooms.current()
    return room if room is not None and st.session_state.get(_ROOM) is room else None


def shares_images(slide: Slide) -> bool:
    """Whether the presenter has allowed these very images on phones."""
    digests = [image.digest for image in slide.images]
    return bool(digests) and st.session_state.get(_SHARED) == digests


def toggle_images(slide: Slide) -> None:
    """Allows these images, and no others, on phones; or takes that back."""
    shown = not shares_images(slide)
    digests = [image.digest for image in slide.images]
    st.session_state[_SHARED] = digests if shown else []
    audit.record("share_images", images=len(digests) if shown else 0)


def publish(slide: Slide, phones: PhoneScene | None = None) -> None:
    """Shows a slide on the phones that follow this session, if there are any.

    Args:
        slide: What the projector shows.
        phones: What they see in its place.
    """
    room = room_of_session()
    if room is None:
        return
    # That it ended is said where it is opened.
    with contextlib.suppress(AudienceError):
        if phones is None:
            room.publish(slide, shares_images(slide))
        else:
            room.publish(phones.slide, True, phones.ballot)


def pause() -> None:
    """Phones no longer see what the presenter no longer shows."""
    publish(
        Slide(
            "", _("One moment"), _("The presenter is at another page."), state="empty"
        )
    )


def show_room() -> None:
    """The whole page."""
    st.title(_("Phones in the room"), anchor=False)
    st.markdown(
        _(
            "Whoever has the link sees what presenter mode shows, live, and "
            "nothing else of this server. In a reading room it can answer, too."
        )
    )
    room = rooms.current()
    if room is None:
        _show_closed()
    elif room_of_session() is None:
        _show_other(room)
    else:
        _show_open(room)
    with st.expander(_("How phones reach it"), icon=":material/wifi:"):
        _explain()


def _show_closed() -> None:
    found = interfaces()
    left, right = st.columns([3, 1])
    with left:
        chosen = st.selectbox(_("Network address"), found, format_func=_interface_title)
    with right:
        port = st.number_input(_("Port"), 1, 65535, rooms.PORT, 1)
    meant = True
    if chosen.everywhere:
        meant = st.checkbox(
            _("Every network of this machine may reach it, those of guests among them")
        )
    if st.button(
        _("Show to phones in the room"),
        type="primary",
        icon=":material/qr_code_2:",
        disabled=not meant,
    ):
        with errors_shown():
            st.session_state[_ROOM] = rooms.open_room(
                chosen.address, int(port), _presence(), everywhere=chosen.everywhere
            )
            audit.record("open_audience", address=chosen.address, port=int(port))
            pause()
            st.rerun()


def _interface_title(interface: Interface) -> str:
    if interface.loopback:
        return _(
            "{address}, this machine only: for a proxy with TLS",
            address=interface.address,
        )
    return f"{interface.address}, {_(interface.name)}"


def _show_other(room: Room) -> None:
    st.info(
        _("The address is open, and another tab presents, or this page was reloaded."),
        icon=":material/devices:",
    )
    with st.container(horizontal=True):
        if st.button(_("Present from here"), type="primary"):
            room.present = _presence()
            st.session_state[_ROOM] = room
            pause()
            st.rerun()
        if st.button(_("Close the address")):
            _close()


def _show_open(room: Room) -> None:
    code, text = st.columns([1, 2], gap="large", vertical_alignment="center")
    with code:
        st.image(qr_svg(room.link), width=300, alt=_("QR code of the link"))
    with text:
        st.code(room.link, language=None, wrap_lines=True)
        _follow()
        _show_readers()
        st.markdown(
            _(
                "Images of the data set or of patients are shown on phones only "
                "where you press `I` on them, each time anew. The link ends with "
                "this page, or here:"
            )
        )
        if st.button(_("Close the address"), icon=":material/stop_circle:"):
            _close()


@st.fragment(run_every=2)
def _follow() -> None:
    """How many follow, and whether somebody tries codes."""
    room = room_of_session()
    try:
        there = room.look() if room is not None else None
    except AudienceError:
        there = None
    if there is None:
        st.rerun()
        return
    st.markdown(
        _("Phones that follow now: **{followers:,}**", followers=there.followers)
    )
    if there.wrong_codes:
        st.caption(
            _(
                "Requests with a wrong code: {requests:,}",
                requests=there.wrong_codes,
            )
        )


@st.fragment(run_every=2)
def _show_readers() -> None:
    """Who takes part in the reading, for the presenter alone: no slide has it."""
    room = room_of_session()
    try:
        readers = room.readers() if room is not None else []
    except AudienceError:  # told above
        readers = []
    if not readers:
        return
    count = ngettext("{count} reader", "{count} readers", len(readers))
    with st.expander(count, icon=":material/groups:"):
        st.caption(
            _("Nicknames are in no file and on no slide; they end with the room.")
        )
        answered = {True: _("yes"), False: _("no")}
        table = pd.DataFrame(
            {
                _("Reader"): [str(reader.number) for reader in readers],
                _("Nickname"): [plain(reader.nickname) for reader in readers],
                _("Answered"): [answered[reader.answered] for reader in readers],
            }
        )
        with st.container(height=_LIST_HEIGHT, border=False):
            # Not `st.dataframe`, which offers a file of what it shows.
            st.table(table.set_index(_("Reader")))


def _close() -> None:
    rooms.close_room()
    st.session_state.pop(_ROOM, None)
    audit.record("close_audience")
    st.rerun()


def _presence() -> Callable[[], bool]:
    """Whether this session's page is still open in a browser."""
    context = get_script_run_ctx()
    if context is None or not runtime.exists():
        return lambda: True
    session = context.session_id
    return lambda: runtime.get_instance().is_active_session(session)


def _explain() -> None:
    st.markdown(
        _(
            "* Phones must be in the same network as this machine. Many guest "
            "networks part their devices from each other; then a phone's "
            "hotspot, which this machine joins, helps.\n* A firewall on this "
            "machine must let the port through, from that network alone.\n* The "
            "link holds a code of 128 random bits. It ends when you close the "
            "address, two minutes after this page is gone, or with the "
            "server. Where the process behind it dies, another one takes its place, "
            "with the same link and answers.\n* Without TLS, others in the same "
            "network can read along what phones are shown, and the code. A proxy with "
            "TLS in front "
            "prevents that: let it pass on the requests to 127.0.0.1 and the "
            "port above, and name its address in MEDMODEL_AUDIENCE_URL; the "
            "link and the QR code are then the proxy's.\n* No address and no "
            "name of a follower is noted anywhere."
        )
    )

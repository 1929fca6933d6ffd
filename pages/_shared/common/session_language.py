"""Which language a session speaks: the one chosen, else the browser's, else English."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from medmodel.core.environment import asset_text
from medmodel.language import LANGUAGES, SOURCE, _, language_from, language_name
from pages._shared.common.address import show_in_address
from pages._shared.common.legible import legible

PARAMETER = "lang"
"""The query parameter: a link may name the language in which it opens."""
_CHOSEN = "session-language"
_SELECT = "session-language-select"


def session_language() -> str:
    """The language of the session for which this thread draws; English for no one."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return SOURCE
    chosen = st.session_state.get(_CHOSEN)
    return chosen if chosen in LANGUAGES else browser_language()


def browser_language() -> str:
    """The first of our languages that fits what the browser prefers.

    `zh-CN`, `zh-Hans` and `zh` are all met by `zh_Hans`, for want of a nearer one.
    """
    asked = (st.context.locale or SOURCE).replace("-", "_")
    if asked in LANGUAGES:
        return asked
    language = asked.partition("_")[0]
    return next((x for x in LANGUAGES if x.partition("_")[0] == language), SOURCE)


def speak_session_language() -> None:
    """Makes all texts of this page those of the session's language.

    A link that names a language changes the session's.
    """
    language_from(session_language)
    if (asked := st.query_params.get(PARAMETER)) in LANGUAGES:
        st.session_state[_CHOSEN] = asked


def offer_languages(page: str, below_menu: bool = True) -> None:
    """Lets the user choose, below the menu; the address keeps what was chosen.

    Args:
        page: The page's path in the address.
        below_menu: Whether there is a menu; a choice alone would bring its column back.
    """
    if len(LANGUAGES) < 2:
        return
    language = session_language()
    script = asset_text("language.js")
    say_language = st.components.v2.component("language", js=script)
    say_language(data={"language": language.replace("_", "-")}, key="language")
    if below_menu:
        _language_control(language)
    if language != browser_language():
        show_in_address(page, PARAMETER, language)


def _language_control(language: str) -> None:
    st.session_state[_SELECT] = language
    st.sidebar.segmented_control(
        _("Language"),
        LANGUAGES,
        format_func=legible(language_name),
        key=_SELECT,
        on_change=_choose,
        label_visibility="collapsed",
    )


def _choose() -> None:
    if language := st.session_state.get(_SELECT):  # None where it was switched off
        st.session_state[_CHOSEN] = language
    st.query_params.pop(PARAMETER, None)

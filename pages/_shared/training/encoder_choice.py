"""Which network's features the recipe Instant learns on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

from medmodel.core.config import TrainConfig
from medmodel.core.environment import weights_folder
from medmodel.core.settings.network_names import FROZEN_MODELS, model_title
from medmodel.language import SOURCE, _, speaking, translate
from medmodel.model_import.encoders import (
    Encoder,
    EncoderEntry,
    encoder_settings,
    list_encoders,
)
from pages._shared.common.words import plain

_OWN = ("efficientnet_lite0", *FROZEN_MODELS)
"""Networks that come along, the usual one first."""


@st.cache_data(ttl=10, max_entries=1, show_spinner=False)
def encoders_of(folder: str) -> list[EncoderEntry]:
    """The encoders of the weights folder; no large file is read."""
    with speaking(SOURCE):  # It is kept for all sessions.
        return list_encoders()


def pick_encoder(start: TrainConfig) -> TrainConfig:
    """Asks on whose features to learn.

    Args:
        start: Settings to begin with.

    Returns:
        The same, with what the chosen encoder asks for.
    """
    entries = encoders_of(str(weights_folder()))
    usable = {e.key: e.encoder for e in entries if e.encoder and not e.problem}
    if start.encoder and start.encoder not in usable:
        st.caption(
            _(
                ":material/warning: The encoder {name} of that run is not in the "
                "weights folder, {folder}: features come from another network.",
                name=plain(start.encoder),
                folder=plain(str(weights_folder())),
            )
        )
        start = replace(start, model=_OWN[0])
    start = _ask(start, usable)
    # Below the choice, which stays where it is.
    for entry in entries:
        if entry.problem:
            text = plain(translate(entry.problem))
            st.caption(f":material/warning: {text}")
    return start


def _ask(start: TrainConfig, usable: Mapping[str, Encoder]) -> TrainConfig:
    names = [*_OWN, *usable]
    before = start.encoder or (start.model if start.model in _OWN else _OWN[0])

    def title(name: str) -> str:
        if name in _OWN:
            return model_title(name)
        return _(
            "{name} (weights folder, {size} px)",
            name=usable[name].name,
            size=usable[name].size,
        )

    chosen = st.selectbox(
        _("Features from"),
        names,
        index=names.index(before),
        format_func=title,
        help=_(
            "The pretrained network on whose features the last layer is trained. Two "
            "together take about 2.5 times as long as the first alone. Encoders of "
            "your own lie in the weights folder of this server."
        ),
    )
    if chosen == before:
        return start
    if chosen in _OWN:
        return replace(start, model=chosen)
    return replace(start, **encoder_settings(usable[chosen], chosen))

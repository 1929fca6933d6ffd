"""Make images clearer, see the difference, and keep the chain for training."""

from __future__ import annotations

import numpy as np
import streamlit as st

from medmodel.core.preprocessing import WINDOWS
from medmodel.core.settings.enhancement_steps import MOST_STEPS, STEPS
from medmodel.data import folders
from medmodel.data.layout import list_files
from medmodel.imaging import enhance
from medmodel.imaging.decoded_image import DecodedImage, DecodeOptions
from medmodel.imaging.images import Pixels
from medmodel.imaging.untrusted import DataFile, open_image
from medmodel.language import _, translate
from medmodel.reports import plots
from pages._shared.common import widgets
from pages._shared.common.charts import show_figure
from pages._shared.common.glossary import meaning
from pages._shared.common.image_view import show_image
from pages._shared.common.widgets import errors_shown, page_header
from pages._shared.common.words import plain
from pages._shared.training.setting_fields import window_title

# Longer side of the image that is tried on; images of a data set to choose from.
SIDE = 512
IMAGES = 40
BY_HAND = "by hand"
_CURVES = ("#E69F00", "#0072B2")


@st.cache_data(max_entries=4, ttl=600, show_spinner=False)
def images_of(folder: str) -> list[str]:
    """Some images of a data set, of all its classes."""
    paths = [file.path for file in list_files(folders.safe_folder(folder))[0]]
    return paths[:: max(1, len(paths) // IMAGES)][:IMAGES]


def pick_image() -> tuple[DataFile | bytes, str] | None:
    """An uploaded image or one of a data set that was trained on, and its name."""
    choice = st.container()
    file = st.file_uploader(_("Or upload an image"), key="enhance-file")
    if file is not None:
        choice.caption(
            _(
                "The uploaded image stays in memory and is not saved. Remove it to "
                "return to the images of a data set."
            )
        )
        return file.getvalue(), file.name
    with choice:
        datasets = {str(p): p for p in folders.recent_datasets(widgets.store())}
        requested = st.query_params.get("dataset", "")
        # One that is gone is said to be, and the others can be chosen.
        with errors_shown():
            if requested:
                datasets = {requested: folders.safe_folder(requested)} | datasets
        if not datasets:
            st.caption(_("Upload an image, or open a data set and train on it once."))
            return None
        chosen = st.selectbox(
            _("Data set"),
            list(datasets),
            format_func=widgets.folder_names(datasets).__getitem__,
            key="enhance-folder",
        )
        paths = images_of(chosen)
        path = st.selectbox(_("Image"), paths, key="enhance-image")
    return DataFile(datasets[chosen], path), path


def ask_window(source: DataFile | bytes, name: str) -> tuple[Pixels, Pixels, str]:
    """The image, a scan also through a window, and that as settings know it.

    Both have `SIDE` pixels a side at most.
    """
    decoded = opened(source, "auto", name)
    if decoded.format not in ("DICOM", "NIfTI"):
        return decoded.pixels, decoded.pixels, "auto"
    window = st.selectbox(
        _("Window (DICOM, NIfTI)"),
        ["auto", "file", *WINDOWS, BY_HAND],
        format_func=lambda w: _("By hand") if w == BY_HAND else window_title(w),
        key="enhance-window",
        help=meaning("window"),
    )
    if window == BY_HAND:
        level = st.slider(_("Level (centre)"), -1500, 4000, 40, 5, key="enhance-level")
        width = st.slider(_("Width"), 1, 6000, 400, key="enhance-width")
        window = f"{level}/{width}"
    return decoded.pixels, opened(source, window, name).pixels, window


def opened(source: DataFile | bytes, window: str, name: str) -> DecodedImage:
    """The image with `SIDE` pixels a side at most."""
    options = DecodeOptions(window)
    return open_image(source, name, options, longest_side=SIDE).decoded


def ask_steps() -> list[str]:
    """The chain in the order chosen, with a slider for each strength."""
    chosen = st.multiselect(
        _("Steps, in this order"),
        list(STEPS),
        format_func=lambda name: _(STEPS[name].title),
        max_selections=MOST_STEPS,
        placeholder=_("Choose steps"),
        key="enhance-steps",
    )
    steps = []
    for name in chosen:
        step = STEPS[name]
        if step.high == step.low:
            steps.append(name)
            continue
        integer = step.whole
        value = st.slider(
            _(step.title),
            int(step.low) if integer else float(step.low),
            int(step.high) if integer else float(step.high),
            int(step.usual) if integer else float(step.usual),
            1 if integer else (step.high - step.low) / 200,
            key=f"enhance-{name}",
            help=_(step.help) if step.help else None,
            format="%g",
        )
        steps.append(f"{name}:{value:g}")
    return steps


def show_difference(before: Pixels, after: Pixels, name: str) -> None:
    """Side by side, with the grey levels of both."""
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown(f"**{_('Before')}**")
        show_image(before, name, _("Before"))
    with right:
        st.markdown(f"**{_('After')}**")
        show_image(
            after,
            _(
                "{width} × {height} pixels",
                width=after.shape[1],
                height=after.shape[0],
            ),
            _("After"),
        )
    show_histogram({_("Before"): before, _("After"): after})


def show_histogram(images: dict[str, Pixels]) -> None:
    """How many pixels of each image have which grey level."""
    st.markdown(_("**Histogram** :gray[proportion of pixels at each grey level]"))
    drawing = plots.figure(180)
    for (title, pixels), colour in zip(images.items(), _CURVES, strict=True):
        shares = np.histogram(pixels, 64, (0, 256))[0] / pixels.size
        drawing.add_scatter(
            x=np.arange(0, 256, 4), y=shares, name=title, line_color=colour
        )
    drawing.update_xaxes(title=_("Grey level"))
    # Below the button that downloads the figure.
    drawing.update_layout(showlegend=True, legend={"y": 0.85})
    show_figure(drawing, "histogram", _("Histogram of both images"))


def ask_name(steps: list[str], window: str) -> None:
    """Keeps the chain under a name, for the Train form."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(_("Preset name"), max_chars=60, key="enhance-name")
        ready = bool(name.strip() and (steps or window != "auto"))
        if st.button(
            _("Save"), type="primary", icon=":material/save:", disabled=not ready
        ):
            enhance.save_chain(name.strip(), steps, window)
            st.toast(_("Saved: choose it under Train, More settings, Images."))
    for name_of_chain, chain in enhance.saved_chains().items():
        st.caption(plain(f"{name_of_chain}: {translate(chain.words())}"))


page_header(
    _("Enhance"),
    _("Enhance images, compare before and after, and keep the steps for training."),
)
# Beside each other, so that both images stand on the first screen while one chooses.
choices, images = st.columns([1, 2], gap="medium")
with errors_shown():
    with choices:
        picked = pick_image()
        if picked is not None:
            before, windowed, window = ask_window(*picked)
            wanted = ask_steps()
    if picked is not None:
        with images:
            with st.spinner(_("Enhancing the image")):
                changed = enhance.apply(windowed, wanted)
            show_difference(before, changed, picked[1])
            ask_name(wanted, window)
            st.caption(
                _(
                    "Preview at {side} pixels a side at most; training and Diagnose "
                    "apply the steps at full size, before scaling to the network's "
                    "input size.",
                    side=SIDE,
                )
            )

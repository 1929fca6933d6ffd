"""The model in formats that other programs run: made in the background, compared."""

from __future__ import annotations

import math

import streamlit as st

from medmodel.core.config import TrainConfig
from medmodel.core.errors import RunError
from medmodel.core.processes.background import TaskState
from medmodel.export import report as reports
from medmodel.export.formats import FORMATS, ExportFormat
from medmodel.export.report import ExportReport
from medmodel.export.task import export_state, start_export
from medmodel.language import _, translate
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from pages._shared.common.downloads import noted
from pages._shared.common.words import plain

_PHASES = ("loading", "converting", "comparing", "packing")


def show_model_formats(run: Run) -> None:
    """Every format with what it is for: to be made, being made, failed, or there."""
    st.markdown(_("**Model**"))
    model = _model_of(run)
    if model is None:
        st.caption(_("The model of this run is not there any more."))
        return
    if model.imported and not model.imported.converted:
        st.caption(
            plain(
                _(
                    "This model was imported for prediction only, and is not exported: "
                    "use the file that it came from, {file}.",
                    file=model.imported.file,
                )
            )
        )
        return
    st.caption(
        _(
            "Each file takes pixels from 0 to 255 and gives every class's probability "
            "in every pixel; it is loaded again by the program that will run it and "
            "compared with this model on test images, pixel by pixel, before you get "
            "it. The ZIP file has the model, its classes and preprocessing as JSON, "
            "the model card, a drawn image and a script that writes the mask."
        )
        if model.config.segments
        else _(
            "Each file takes pixels from 0 to 255 and gives every class's probability; "
            "it is loaded again by the program that will run it and compared with this "
            "model on up to 64 test images before you get it. The ZIP file has the "
            "model, its classes and preprocessing as JSON, the model card, a drawn "
            "image and a script that predicts."
        )
    )
    busy = any(export_state(model, key).running for key in FORMATS)
    st.fragment(_show_all, run_every=1 if busy else None)(model, busy)


def _model_of(run: Run) -> Run | None:
    """The run itself, or of an external test the run whose model it tests."""
    try:
        model = RunStore().get(run.tested_model) if run.tested_model else run
    except RunError:
        return None
    return model if model.has_model else None


def _show_all(run: Run, busy: bool) -> None:
    states = {key: export_state(run, key) for key in FORMATS}
    if busy and not any(state.running for state in states.values()):
        st.rerun()
    for key, entry in FORMATS.items():
        with st.container(border=True):
            what, how = st.columns([1, 1.6], vertical_alignment="center")
            with what:
                st.markdown(f"**{plain(_(entry.title))}**")
                st.caption(plain(_(entry.use)))
            with how:
                _show_format(run, entry, states[key])


def _show_format(run: Run, entry: ExportFormat, state: TaskState) -> None:
    if state.running:
        _show_progress(state)
        return
    if state.error:
        st.error(plain(translate(state.error)), icon=":material/error:")
    report = None if state.error else reports.load_report(run, entry.key)
    if report is None:
        _start_button(run, entry)
        return
    st.markdown(plain(_summary(report, run.config)))
    if not report.faithful:
        st.warning(
            _(
                "Rounding to 8 bits changes this model's predicted findings too often. "
                "Prefer a format without it."
            )
            if run.config.multi_label
            else _(
                "Rounding to 8 bits changes this model's predicted class too often. "
                "Prefer a format without it."
            ),
            icon=":material/warning:",
        )
    with st.container(horizontal=True):
        st.download_button(
            _("Download (ZIP)"),
            noted(
                reports.archive_path(run, entry.key).read_bytes,
                "export",
                run=run.id,
                what=f"model {entry.key}",
            ),
            file_name=f"{entry.key}-{run.id}.zip",
            mime="application/zip",
            icon=":material/download:",
            key=f"model-{entry.key}",
            on_click="ignore",
        )


def _start_button(run: Run, entry: ExportFormat) -> None:
    label = _("Export as {format}", format=_(entry.title))
    if st.button(plain(label), icon=":material/deployed_code:", key=entry.key):
        try:
            start_export(run, entry.key)
        except OSError as error:
            st.error(
                plain(
                    _(
                        "The folder of the run cannot be written: {reason}.",
                        reason=error.strerror,
                    )
                )
            )
        else:
            st.rerun()


def _show_progress(state: TaskState) -> None:
    sentences = {
        "loading": _("Loading the model."),
        "preparing": _("Reading images to compare with."),
        "converting": _("Converting the model."),
        "comparing": _("Comparing its answers with the model's."),
        "packing": _("Packing the ZIP file."),
    }
    place = _PHASES.index(state.phase) + 1 if state.phase in _PHASES else 0
    sentence = sentences.get(state.phase, _("Starting."))
    rest = _("You may leave this page; it continues.")
    st.progress(place / (len(_PHASES) + 1), f"{sentence} {rest}")


def _summary(report: ExportReport, config: TrainConfig) -> str:
    """Largest difference, size, speed and memory, as sentences.

    Args:
        report: Of the export.
        config: Of the run.
    """
    if config.segments:
        share = _("same class in {share:.2%} of the pixels", share=report.same_class)
        if report.dice is not None:
            share = _(
                "{share}, Dice of the outlines {dice:.3f} or more",
                share=share,
                dice=math.floor(1000 * report.dice) / 1000,
            )
    elif config.multi_label:
        share = _(
            "a finding is predicted by both or by neither in {share:.1%}",
            share=report.same_class,
        )
    else:
        share = _("same predicted class in {share:.1%}", share=report.same_class)
    values = {
        "images": report.images,
        "drawn": report.drawn,
        "share": share,
        "difference": report.largest_difference,
    }
    if not report.drawn:
        compared = _(
            "On {images:,} test images: {share}, probabilities differ by "
            "{difference:.1g} at most.",
            **values,
        )
    elif report.images:
        compared = _(
            "On {images:,} test images and {drawn:,} of noise: {share}, probabilities "
            "differ by {difference:.1g} at most.",
            **values,
        )
    else:
        compared = _(
            "On {drawn:,} images of noise (the test images cannot be read): {share}, "
            "probabilities differ by {difference:.1g} at most.",
            **values,
        )
    costs = _(
        "{size:.1f} MB; {milliseconds:.1f} ms an image on this processor (the model "
        "itself {original:.1f} ms), {memory:,.0f} MB of memory.",
        size=report.bytes / 1e6,
        milliseconds=1e3 * report.latency,
        original=1e3 * report.original_latency,
        memory=report.memory / 1e6,
    )
    return " ".join(filter(None, (compared, _rounding(report), costs)))


def _rounding(report: ExportReport) -> str:
    """What has 8 bits, as a sentence; "" where nothing has."""
    sentences = {
        "all": _("Weights and values between layers have 8 bits."),
        "weights": _(
            "Only the weights of large layers have 8 bits: with 8 bits throughout, "
            "answers to validation images changed too often, or no training image "
            "could be read."
        ),
        "mixed": _(
            "Only the weights of the largest layers have 8 bits, those of other large "
            "layers 16: with more in 8 bits, answers to validation images changed too "
            "often, or no image could be read."
        ),
        "half": _(
            "The weights of large layers have 16 bits, and nothing has 8: with 8 bits, "
            "answers to validation images changed too often, or no image could be read."
        ),
        "none": _("No layer is large enough to be rounded: nothing has 8 bits."),
    }
    return sentences.get(report.rounded, "")

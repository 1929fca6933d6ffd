"""A classifier that was trained elsewhere becomes a run: file, questions, preview."""

from __future__ import annotations

import streamlit as st

from medmodel.core.errors import DataError, os_reason
from medmodel.core.processes.background import TaskState
from medmodel.language import _, translate
from medmodel.model_import import task
from pages._shared.common import widgets
from pages._shared.common.glossary import meaning
from pages._shared.common.upload_field import forget_upload, upload_field
from pages._shared.common.widgets import errors_shown, page_header
from pages._shared.common.words import plain
from pages._shared.training.import_form import ask_settings

_KEY = "import"


def choose_file() -> None:
    """The field for the file; what arrives is looked at in the background."""
    st.markdown(
        _(
            "Keras (.keras, .h5), ONNX, or a ZIP file: of a SavedModel's folder, of an "
            "ONNX model with its weights, or as Teachable Machine exports it "
            "(TensorFlow, Keras). Nothing in the file is run; what would have to be, "
            "is refused and named."
        ),
        help=meaning("imported model"),
    )
    upload = upload_field("model")
    if upload is None or not upload.files:
        return
    with errors_shown():
        try:
            import_id = task.begin(upload.files)
        except OSError as error:
            raise DataError(
                _("It cannot be kept here: {reason}.", reason=os_reason(error))
            ) from error
        finally:
            forget_upload("model")
        st.query_params[_KEY] = import_id
        st.rerun()


def start_anew(import_id: str, label: str) -> None:
    """A button that lets go of this file."""
    if st.button(label, icon=":material/undo:"):
        task.forget(import_id)
        st.query_params.clear()
        st.rerun()


@st.fragment(run_every=1)
def wait(import_id: str, step: str) -> None:
    """Says that the model is being read or converted, until it is not."""
    running = task.look_task if step == "look" else task.convert_task
    if not running(import_id).state().running:
        st.rerun()
    sentences = {
        "look": _("Reading what the file says of itself."),
        "convert": _("Converting the model and trying it on drawn images."),
    }
    st.progress(0.5, sentences[step])


def show_import(import_id: str) -> None:
    """Where an import stands."""
    look = task.look_task(import_id).state()
    description = None if look.running else task.description_of(import_id)
    if look.running:
        wait(import_id, "look")
        return
    if look.error or description is None:
        show_refused(look)
        start_anew(import_id, _("Choose another file"))
        return
    convert = task.convert_task(import_id).state()
    if convert.running:
        wait(import_id, "convert")
        return
    if convert.phase == "finished":
        task.forget(import_id)
        st.query_params.clear()
        st.switch_page(widgets.RUNS, query_params={"run": convert.folder})
    if convert.error:
        show_refused(convert)
    settings = ask_settings(description, import_id)
    if settings is not None:
        with errors_shown():
            task.convert(import_id, settings)
            st.rerun()
    start_anew(import_id, _("Choose another file"))


def show_refused(state: TaskState) -> None:
    """Why a model is not read."""
    reason = translate(state.error) or _("The model was not read: try again.")
    st.error(plain(reason), icon=":material/error:")


page_header(
    _("Import a model"),
    _("A classifier that was trained elsewhere answers here, and is tested here."),
)
asked = st.query_params.get(_KEY, "")
try:
    if asked:
        task.folder_of(asked)
except DataError as error:
    st.warning(plain(translate(str(error))), icon=":material/help:")
    asked = ""
with errors_shown():
    if asked:
        show_import(asked)
    else:
        choose_file()

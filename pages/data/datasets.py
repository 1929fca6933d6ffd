"""Choose a folder of images, and know what is in it before training."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from medmodel.core.environment import data_roots, workspace_root
from medmodel.core.processes.background import TaskState
from medmodel.data.folders import allowed, recent_datasets, safe_folder, subfolders
from medmodel.data.synthetic import (
    FINDINGS_NAME,
    SAMPLE_NAME,
    SEGMENTATION_NAME,
    ensure_findings_sample,
    ensure_sample_dataset,
    ensure_segmentation_sample,
)
from medmodel.language import _, translate
from medmodel.quality import indexing, report_store
from medmodel.quality.checks import DatasetReport
from pages._shared.common import widgets
from pages._shared.common.lineage import show_runs_of
from pages._shared.common.trash_view import (
    show_trash,
    show_trashed_dataset,
    show_undo,
)
from pages._shared.common.widgets import errors_shown, page_header
from pages._shared.common.words import plain
from pages._shared.data import dataset_files_view, dataset_view, layout_question_view
from pages._shared.data.delete_view import delete_button
from pages._shared.data.import_view import show_import
from pages._shared.data.map_view import show_map
from pages._shared.data.public_data_view import show_public
from pages._shared.data.quality_view import show_classes, show_quality
from pages._shared.data.slices_view import show_slices

_LISTED = 60


def open_dataset(folder: Path) -> None:
    """Goes to a data set's own address; checks it if nobody has yet."""
    if report_store.load_report(folder) is None:
        indexing.start_indexing(folder)
    st.switch_page(widgets.DATASETS, query_params={"dataset": str(folder)})


def show_shortcuts() -> None:
    """Sample data and the data sets of the latest runs, one click each."""
    samples = (SAMPLE_NAME, SEGMENTATION_NAME, FINDINGS_NAME)
    recent = [p for p in recent_datasets(widgets.store()) if p.name not in samples]
    with st.container(border=True):
        st.markdown(_("**Sample and recent data sets**"))
        with st.container(horizontal=True):
            if st.button(SAMPLE_NAME, icon=":material/science:", type="primary"):
                with st.spinner(_("Making the sample images")):
                    folder = ensure_sample_dataset()
                open_dataset(folder)
            if st.button(SEGMENTATION_NAME, icon=":material/science:"):
                with st.spinner(_("Making the sample images")):
                    folder = ensure_segmentation_sample()
                open_dataset(folder)
            if st.button(FINDINGS_NAME, icon=":material/science:"):
                with st.spinner(_("Making the sample images")):
                    folder = ensure_findings_sample()
                open_dataset(folder)
            for folder in recent:
                if st.button(plain(folder.name), key=str(folder), help=plain(folder)):
                    open_dataset(folder)


def show_browser() -> None:
    """The folders of the server under the allowed roots."""
    roots = [root for root in data_roots() if root.is_dir()]
    current = st.session_state.get("browsed", roots[0])
    with st.container(border=True):
        st.markdown(_("**Folders on this server**"))
        if current is None or not allowed(current) or not current.is_dir():
            show_folders(roots, {root: str(root) for root in roots})
            return
        st.markdown(f":gray[:material/folder_open: {plain(current)}]")
        with st.container(horizontal=True):
            if len(roots) > 1 or current not in roots:
                up = None if current in roots else current.parent
                if st.button(_("Up"), icon=":material/arrow_upward:"):
                    st.session_state["browsed"] = up
                    st.rerun()
            if st.button(_("Check this folder"), icon=":material/fact_check:"):
                open_dataset(current)
        show_folders(subfolders(current), {})


def show_folders(paths: list[Path], titles: dict[Path, str]) -> None:
    """A button for each folder, with a filter where there are many."""
    if len(paths) > _LISTED:
        text = st.text_input(_("Filter"), placeholder=_("Part of a folder's name"))
        paths = [p for p in paths if text.casefold() in p.name.casefold()]
    if not paths:
        st.caption(_("No folders in here."))
    with st.container(horizontal=True, gap="small"):
        for folder in paths[:_LISTED]:
            label = plain(titles.get(folder, folder.name))
            if st.button(label, key=f"open {folder}", icon=":material/folder:"):
                st.session_state["browsed"] = folder
                st.rerun()
    if len(paths) > _LISTED:
        st.caption(
            _(
                "The first {shown} of {folders:,} folders are shown.",
                shown=_LISTED,
                folders=len(paths),
            )
        )


@st.fragment(run_every=0.5)
def show_progress(folder: Path) -> None:
    """How far the check is; turns to the result when it ends. May be left."""
    state = indexing.indexing_state(folder)
    if not state.running:
        st.rerun()
    share = state.done / state.total if state.total else 0.0
    rest = _("You may leave this page; the check goes on.")
    st.progress(share, text=f"{_phase_sentence(state)} {rest}")


def _phase_sentence(state: TaskState) -> str:
    if state.phase == "checking":
        return _(
            "Checking {done:,} of {total:,} files.", done=state.done, total=state.total
        )
    if state.phase == "comparing":
        return _("Comparing images and making thumbnails.")
    return _("Looking for files.")


def show_state(folder: Path) -> None:
    """Progress while a check runs; otherwise what went wrong in the last one."""
    state = indexing.indexing_state(folder)
    if state.running:
        show_progress(folder)
    elif state.error and not layout_question_view.show_question(folder):
        st.error(plain(translate(state.error)), icon=":material/error:")
        dataset_files_view.show_rejected(folder)


def ask_for_patients(folder: Path, report: DatasetReport) -> DatasetReport:
    """The field for the pattern of patients; the report with what it says now."""
    with st.container(border=True):
        stored = report_store.load_pattern(folder)
        pattern = st.text_input(
            _("Patient ID pattern (regular expression)"),
            stored,
            key=f"pattern {folder}",
            max_chars=200,
            placeholder=_("For example (patient\\d+)"),
            help=_(
                "Searched for in the path inside the data set; its first group is "
                "the patient ID. All images of one patient go into the same split. "
                "Empty: patients are unknown."
            ),
        )
        if pattern != stored:
            with errors_shown():
                report = indexing.report_with_pattern(folder, pattern)
        named = report.num_images - report.without_patient
        if report.from_headers:
            st.caption(
                _(
                    "The patient of {files:,} files stands in a DICOM header or in a "
                    "table beside the images; that counts first. Patient IDs are kept "
                    "only as pseudonyms, made with a key of this workspace.",
                    files=report.from_headers,
                )
            )
        if named:
            sentence = _(
                "{patients:,} patients in {images:,} images.",
                patients=report.num_patients,
                images=named,
            )
        else:
            sentence = _("Patients are unknown.")
        examples = [
            f"{path.rsplit('/', 1)[-1]} → {patient or _('unknown')}"
            for path, patient in report.patient_examples[:3]
        ]
        st.caption(plain(f"{sentence} {'  ·  '.join(examples) if named else ''}"))
    return report


def show_dataset(folder: Path) -> None:
    """Everything that is known about one data set."""
    st.markdown(f":gray[:material/folder_open: {plain(folder)}]")
    report = report_store.load_report(folder)
    dataset_files_view.show_import(folder)
    layout_question_view.show_reading(folder)
    verdict = st.container()
    with st.container(horizontal=True):
        if report and st.button(
            _("Train on this data set"), type="primary", icon=":material/play_circle:"
        ):
            st.switch_page(widgets.TRAIN, query_params={"dataset": str(folder)})
        label = _("Check again") if report else _("Check this folder")
        # The same check would end as before, until the question is answered.
        failed = indexing.indexing_state(folder).error
        asked = failed and layout_question_view.is_asked(folder)
        kind = "secondary" if report or asked else "primary"
        if st.button(label, type=kind, icon=":material/fact_check:"):
            indexing.start_indexing(folder)
            st.rerun()
        if st.button(_("Choose another"), icon=":material/folder:"):
            st.switch_page(widgets.DATASETS)
        delete_button(folder)
    show_undo("prepared")
    show_state(folder)
    if report is None:
        return
    facts = st.container()
    report = ask_for_patients(folder, report)
    with verdict:
        findings = report_store.load_issues(folder) or []
        dataset_view.show_verdict(report, findings)
    with facts:
        dataset_view.show_facts(report)
        dataset_view.show_splits(report)
    show_slices(folder, report)
    show_quality(folder, report)
    show_map(folder)
    show_runs_of(folder)
    dataset_view.show_samples(folder, report)
    show_classes(folder, report)
    dataset_files_view.show_duplicates(folder, report)
    dataset_files_view.show_shared_patients(report)
    dataset_files_view.show_files(report)


asked = st.query_params.get("dataset", "")
chosen: Path | None = None
name = Path(asked).name if asked else ""
purpose = _("See what is in a folder of images before anything is trained on it.")
page_header(name or _("Data sets"), purpose)
if asked and not show_trashed_dataset(asked):
    with errors_shown():
        chosen = safe_folder(asked)
        show_dataset(chosen)
if chosen is None:
    st.markdown(
        _(
            "A data set is a folder with one folder per class; folders called "
            "train, val and test around them are understood. Or a table beside "
            "the images (CSV) with the columns file and label, and patient and "
            "split if known. For a segmentation: the folders images and masks, with "
            "files of the same names. Nothing in it is ever changed."
        )
    )
    workspace_root().joinpath("datasets").mkdir(parents=True, exist_ok=True)
    show_undo("data set", "prepared")
    show_shortcuts()
    show_browser()
    show_import(open_dataset)
    show_public(open_dataset)
    show_trash("data set", "prepared")

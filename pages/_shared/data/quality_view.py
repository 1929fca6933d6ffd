"""What is odd about a data set: one verdict, findings with images and an action."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pandas as pd
import streamlit as st

from medmodel.core import audit
from medmodel.data.curation import Action
from medmodel.language import N_, _, translate
from medmodel.quality import indexing, quality_report, report_store, thumbnails
from medmodel.quality.checks import DatasetReport
from medmodel.quality.issues import VERDICTS, Issue, verdict
from pages._shared.common.glossary import meaning
from pages._shared.common.tables import show_table
from pages._shared.common.words import plain

_ICONS = {
    "ok": ":material/info:",
    "warning": ":material/warning:",
    "problem": ":material/dangerous:",
    "unsplit": ":material/dangerous:",
}
_ACTS = {"leave_out": N_("Exclude"), "together": N_("Keep in one split")}
_LISTED = 200
_ROW = 36


def show_quality(folder: Path, report: DatasetReport) -> None:
    """Verdict, findings, decisions, and the report as a file."""
    findings = report_store.load_issues(folder)
    if findings is None:
        st.info(_("Check again to see what is odd about the images."))
        return
    level = verdict(report, findings)
    title, sentence = (_(text) for text in VERDICTS[level])
    if level != "ok":
        number = len(findings)
        count = (
            _("{findings} findings, the worst first.", findings=number)
            if number > 1
            else _("One finding.")
        )
        sentence = f"{count} {sentence}" if number else sentence
    st.subheader(
        _("Quality: {verdict}", verdict=title.lower()),
        anchor=False,
        help=meaning("leakage") if level == "problem" else None,
    )
    st.markdown(f":gray[{plain(sentence)}]")
    for finding in findings:
        _show_finding(folder, finding)
    _show_decisions(folder)
    _show_export(folder, report, findings)


def _show_finding(folder: Path, finding: Issue) -> None:
    count = f" ({finding.count:,})" if finding.groups or finding.count > 1 else ""
    title = plain(f"{translate(finding.title)}{count}")
    with st.expander(title, icon=_ICONS[finding.level]):
        st.markdown(plain(translate(finding.sentence)))
        strip = thumbnails.drawn_png(thumbnails.issue_strip(folder, finding.kind))
        if finding.groups and strip:
            st.image(strip, output_format="PNG", alt=translate(finding.title))
        if finding.groups:
            lines = ["   ·   ".join(group) for group in finding.groups[:_LISTED]]
            show_table(
                pd.DataFrame({_("Files"): lines}),
                hide_index=True,
                row_height=_ROW,
                height=_ROW * min(len(lines), 5) + _ROW,
            )
        if len(finding.groups) > _LISTED:
            st.caption(_("The first {shown} are shown.", shown=_LISTED))
        action = finding.action()
        if action and st.button(
            _(_ACTS[action.kind]),
            key=f"act-{finding.kind}",
            icon=":material/check:",
            disabled=indexing.indexing_state(folder).running,
        ):
            _decide(folder, action)


def _decide(folder: Path, action: Action) -> None:
    files = sum(len(group) for group in action.groups)
    audit.record("curate", kind=action.kind, files=files)
    indexing.decide(folder, action)
    st.rerun()


def _show_decisions(folder: Path) -> None:
    decided = indexing.decisions(folder)
    if not decided:
        return
    st.markdown(_("**Decisions** :gray[No file was changed; each can be undone.]"))
    for number, action in enumerate(decided, 1):
        with st.container(horizontal=True, vertical_alignment="center"):
            words = translate(quality_report.words(action))
            st.markdown(plain(f"{number}. {words}"))
            title = _("Undo {number}", number=number)
            if st.button(title, key=f"undo-{action.id}", icon=":material/undo:"):
                audit.record("curate", kind="undo")
                indexing.undo(folder, action.id)
                st.rerun()


def show_classes(folder: Path, report: DatasetReport) -> None:
    """Rename, merge and leave out classes, without touching a file.

    Findings of a multi-label data set are renamed in its table.
    """
    if report.multi_label:
        return
    with st.expander(_("Rename, merge or exclude classes"), icon=":material/edit:"):
        st.caption(_("Give two classes the same name to merge them."))
        names = pd.DataFrame(
            {"Class": report.classes, "New name": report.classes, "Use": True}
        )
        edited = st.data_editor(
            names,
            hide_index=True,
            disabled=["Class"],
            column_config={
                "Class": _("Class"),
                "New name": _("New name"),
                "Use": _("Use"),
            },
            key=f"classes {folder} {report.fingerprint}",
        )
        new = {
            str(row["Class"]): str(row["New name"] or "").strip() if row["Use"] else ""
            for row in edited.to_dict("records")
        }
        changed = {old: name for old, name in new.items() if old != name}
        enough = len(set(new.values()) - {""}) > 1
        if changed and not enough:
            st.warning(_("At least two classes must be left."))
        if st.button(
            _("Apply"), disabled=not (changed and enough), key="apply-classes"
        ):
            _decide(folder, Action("classes", "classes changed", names=changed))


def _show_export(folder: Path, report: DatasetReport, findings: list[Issue]) -> None:
    decided = indexing.decisions(folder)
    with st.container(horizontal=True):
        for suffix, mime, as_text in (
            ("html", "text/html", quality_report.as_html),
            ("json", "application/json", quality_report.as_json),
        ):
            st.download_button(
                _("Report as {format}", format=suffix.upper()),
                partial(as_text, folder, report, findings, decided),
                f"{folder.name} quality.{suffix}",
                mime,
                icon=":material/download:",
                on_click="ignore",
            )

"""What is odd about a data set: one verdict, findings with images and an action."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pandas as pd
import streamlit as st

from medmodel.core import audit
from medmodel.data.curation import Action
from medmodel.quality import indexing, quality_report, report_store, thumbnails
from medmodel.quality.checks import DatasetReport
from medmodel.quality.issues import VERDICTS, Issue, verdict
from pages._shared.common.glossary import meaning
from pages._shared.common.words import plain

_ICONS = {
    "ok": ":material/info:",
    "warning": ":material/warning:",
    "problem": ":material/dangerous:",
    "unsplit": ":material/dangerous:",
}
_ACTS = {"leave_out": "Exclude", "together": "Keep in one split"}
_LISTED = 200
_ROW = 36


def show_quality(folder: Path, report: DatasetReport) -> None:
    """Verdict, findings, decisions, and the report as a file."""
    findings = report_store.load_issues(folder)
    if findings is None:
        st.info("Check again to see what is odd about the images.")
        return
    level = verdict(report, findings)
    word, sentence = VERDICTS[level]
    if level != "ok":
        number = len(findings)
        count = f"{number} findings, the worst first." if number > 1 else "One finding."
        sentence = f"{count} {sentence}" if number else sentence
    st.subheader(
        f"Quality: {word.lower()}",
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
    title = plain(f"{finding.title}{count}")
    with st.expander(title, icon=_ICONS[finding.level]):
        st.markdown(plain(finding.sentence))
        strip = thumbnails.drawn_png(thumbnails.issue_strip(folder, finding.kind))
        if finding.groups and strip:
            st.image(strip, output_format="PNG", alt=finding.title)
        if finding.groups:
            lines = ["   ·   ".join(group) for group in finding.groups[:_LISTED]]
            st.dataframe(
                pd.DataFrame({"Files": lines}),
                hide_index=True,
                row_height=_ROW,
                height=_ROW * min(len(lines), 5) + _ROW,
            )
        if len(finding.groups) > _LISTED:
            st.caption(f"The first {_LISTED} are shown.")
        action = finding.action()
        if action and st.button(
            _ACTS[action.kind],
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
    st.markdown("**Decisions** :gray[No file was changed; each can be undone.]")
    for action in decided:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(plain(quality_report.words(action)))
            if st.button("Undo", key=f"undo-{action.id}", icon=":material/undo:"):
                audit.record("curate", kind="undo")
                indexing.undo(folder, action.id)
                st.rerun()


def show_classes(folder: Path, report: DatasetReport) -> None:
    """Rename, merge and leave out classes, without touching a file."""
    with st.expander("Rename, merge or exclude classes", icon=":material/edit:"):
        st.caption("Give two classes the same name to merge them.")
        names = pd.DataFrame(
            {"Class": report.classes, "New name": report.classes, "Use": True}
        )
        edited = st.data_editor(
            names,
            hide_index=True,
            disabled=["Class"],
            key=f"classes {folder} {report.fingerprint}",
        )
        new = {
            str(row["Class"]): str(row["New name"] or "").strip() if row["Use"] else ""
            for row in edited.to_dict("records")
        }
        changed = {old: name for old, name in new.items() if old != name}
        enough = len(set(new.values()) - {""}) > 1
        if changed and not enough:
            st.warning("At least two classes must be left.")
        if st.button("Apply", disabled=not (changed and enough), key="apply-classes"):
            _decide(folder, Action("classes", "classes changed", names=changed))


def _show_export(folder: Path, report: DatasetReport, findings: list[Issue]) -> None:
    decided = indexing.decisions(folder)
    with st.container(horizontal=True):
        for suffix, mime, as_text in (
            ("html", "text/html", quality_report.as_html),
            ("json", "application/json", quality_report.as_json),
        ):
            st.download_button(
                f"Report as {suffix.upper()}",
                partial(as_text, folder, report, findings, decided),
                f"{folder.name} quality.{suffix}",
                mime,
                icon=":material/download:",
                on_click="ignore",
            )

"""Whether images of a time line can be of one patient at several dates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

import streamlit as st

from medmodel.core.errors import ImageError
from medmodel.evaluation.clinical.time_line import by_patient
from medmodel.imaging.scans import Provenance, read_provenance
from medmodel.language import _
from pages._shared.common.words import plain
from pages._shared.prediction.cases import Case


def provenance(case: Case) -> Provenance:
    """What its DICOM header says; read once."""
    key = f"provenance-{case.key}"
    if key not in st.session_state:
        assert isinstance(case.source, bytes)  # as all that is uploaded
        try:
            st.session_state[key] = read_provenance(case.source, case.name)
        except ImageError:  # no DICOM file, which says nothing
            st.session_state[key] = Provenance()
    read: Provenance = st.session_state[key]
    return read


def header_sentences(provenances: Sequence[Provenance]) -> tuple[str, str]:
    """That images are of different patients, and of different scanners; "" if not.

    Args:
        provenances: Of the images in the order in which they are numbered.
    """
    patients, scanners = "", ""
    groups = by_patient([asdict(each) for each in provenances])
    if len(groups) > 1:
        patients = _(
            "By their DICOM headers these images are of {count} patients: {groups}. A "
            "time line is of one patient.",
            count=len(groups),
            groups="; ".join(
                ", ".join(str(at + 1) for at in group) for group in groups
            ),
        )
    if len({p.scanner for p in provenances} - {""}) > 1:
        scanners = _(
            "By their DICOM headers these images are of different scanners: how these "
            "differ is not in any error shown here."
        )
    return patients, scanners


def identical_sentences(digests: Sequence[str]) -> list[str]:
    """A sentence for each image that was given more than once.

    Args:
        digests: Of the images in the order in which they are numbered.
    """
    return [
        _(
            "Images {numbers} are identical: one image was taken once.",
            numbers=", ".join(
                str(at) for at, other in enumerate(digests, 1) if other == digest
            ),
        )
        for digest, count in Counter(digests).items()
        if count > 1
    ]


def show_checks(cases: Sequence[Case]) -> None:
    """Says what of the images cannot be of one patient at several dates."""
    for sentence in identical_sentences([case.digest for case in cases]):
        st.error(plain(sentence), icon=":material/file_copy:")
    patients, scanners = header_sentences([provenance(case) for case in cases])
    if patients:
        st.error(plain(patients), icon=":material/person_alert:")
    if scanners:
        st.warning(plain(scanners), icon=":material/devices_other:")

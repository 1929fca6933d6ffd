"""One image in every kind of DICOM and NIfTI file comes back with the same pixels."""

from __future__ import annotations

import pytest

from medmodel.benchmark.odd_files import dicom, dicom_frames, difference, nifti

pytestmark = pytest.mark.usefixtures("in_this_process")


@pytest.mark.parametrize("kind", [dicom, dicom_frames, nifti])
@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_every_variant_and_every_refusal_is_as_expected(kind: object) -> None:
    cases = list(kind.drawn_cases())  # type: ignore[attr-defined]
    assert len({case.name for case in cases}) == len(cases) > 100
    assert [text for text in map(difference, cases) if text] == []

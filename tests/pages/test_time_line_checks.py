"""Images that cannot be of one patient at several dates are noticed."""

from __future__ import annotations

from medmodel.imaging.scans import Provenance
from pages._shared.reading.time_line_checks import (
    header_sentences,
    identical_sentences,
)


def test_images_of_two_patients_are_noticed() -> None:
    one, two = Provenance(patient_id="a", scanner="s"), Provenance(patient_id="b")
    patients, scanners = header_sentences([one, two, one, Provenance()])
    assert "of 2 patients: 1, 3; 2. A time line" in patients and not scanners
    assert header_sentences([one, one, Provenance()]) == ("", "")
    other = Provenance(patient_id="a", scanner="t")
    patients, scanners = header_sentences([one, other])
    assert "different scanners" in scanners and not patients
    assert header_sentences([Provenance()] * 2) == ("", "")


def test_an_image_that_was_given_twice_is_noticed() -> None:
    assert identical_sentences(["a", "b", "a", "c", "c"]) == [
        "Images 1, 3 are identical: one image was taken once.",
        "Images 4, 5 are identical: one image was taken once.",
    ]
    assert identical_sentences(["a", "b"]) == []

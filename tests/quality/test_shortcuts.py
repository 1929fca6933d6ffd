from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from medmodel.quality import shortcuts


def table(patients: int, images: int = 3, **columns: Any) -> pd.DataFrame:
    """Two classes with so many patients each, whose files are alike."""
    rows = [
        (label, f"{label}{patient}", f"{label}{patient}-{image}.png")
        for label in "ab"
        for patient in range(patients)
        for image in range(images)
    ]
    plain = pd.DataFrame(rows, columns=["label", "patient", "path"])
    plain = plain.assign(width=64, height=64, format="PNG", mode="L", bytes=999)
    return plain.assign(**columns)


def test_sizes_that_go_with_the_class() -> None:
    plain = table(20)
    told = shortcuts.accuracy(plain)
    assert told and told.accuracy == 0.5 and not told.suspicious
    wide = table(20, width=[64] * 60 + [80] * 60)
    told = shortcuts.accuracy(wide)
    assert told and told.accuracy == 1 and told.suspicious and told.by_patient
    assert told.strongest in ("width", "aspect ratio")


def test_bytes_are_no_shortcut() -> None:
    """They depend on what is shown, and on how long the header is."""
    told = shortcuts.accuracy(table(20, bytes=[900] * 60 + [1800] * 60))
    assert told and told.accuracy == 0.5


def test_no_patient_is_in_two_folds() -> None:
    """A width of each patient's own tells the class of the patient's other images."""
    widths = [64 + (7 * n) % 40 for n in range(40) for _ in range(12)]
    of_patients = table(20, 12, width=widths, height=64)
    told = shortcuts.accuracy(of_patients)
    assert told and not told.suspicious
    alone = shortcuts.accuracy(of_patients.assign(patient=""))
    assert alone and not alone.by_patient and alone.accuracy > told.accuracy + 0.1


@pytest.mark.parametrize(("patients", "judged"), [(10, True), (9, False)])
def test_so_many_patients_of_each_class(patients: int, judged: bool) -> None:
    assert (shortcuts.accuracy(table(patients)) is not None) is judged


def test_one_class_or_few_images_are_not_judged() -> None:
    alone = table(20)
    assert shortcuts.accuracy(alone[alone["label"] == "a"]) is None
    assert shortcuts.accuracy(table(9, 1, patient="")) is None
    assert shortcuts.accuracy(table(10, 1, patient="")) is not None

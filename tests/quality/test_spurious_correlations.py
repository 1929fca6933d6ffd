"""Classes that differ in what has nothing to do with disease."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from medmodel.quality import spurious_correlations


def table(count: int = 40, **columns: Any) -> pd.DataFrame:
    """Two classes alike in everything; columns may be changed."""
    rows = pd.DataFrame(
        {
            "path": [f"{'ab'[n % 2]}/{n}.png" for n in range(2 * count)],
            "label": ["ab"[n % 2] for n in range(2 * count)],
            "format": "PNG",
            "mode": "L",
            "colour": 0,
            "letters": 0.0,
            "black_frame": 0.0,
            "white_frame": 0.0,
        }
    )
    return rows.assign(**columns)


ODD = np.arange(80) % 2 == 1
ALL = np.ones(80, bool)


@pytest.mark.parametrize(
    ("kind", "column", "value"),
    [
        ("letters", "letters", 1.0),
        ("black-frames", "black_frame", 3.0),
        ("white-frames", "white_frame", 20.0),
        ("colours", "colour", 9),
        ("formats", "format", "JPEG"),
        ("formats", "mode", "I;16"),
        ("formats", "mode", "MONOCHROME2, 12 bits"),
    ],
)
def test_each_difference_is_told(kind: str, column: str, value: object) -> None:
    plain = table()
    assert spurious_correlations.differences(plain) == []
    changed = plain[column].astype(object).where(~ODD, value)
    (found,) = spurious_correlations.differences(
        plain.assign(**{column: changed.infer_objects()})
    )
    assert found.kind == kind
    assert "100 % of " in found.sentence and "(n = 40 and 40)" in found.sentence
    everywhere = plain[column].astype(object).where(~ALL, value).infer_objects()
    same = plain.assign(**{column: everywhere})
    assert spurious_correlations.differences(same) == []


def test_the_least_colour_counts() -> None:
    least = spurious_correlations.COLOURED
    (difference,) = spurious_correlations.differences(table(colour=least * ODD))
    assert difference.kind == "colours"
    assert spurious_correlations.differences(table(colour=(least - 1) * ODD)) == []


def test_little_or_uncertain_differences_are_not() -> None:
    some = np.zeros(80)
    some[1:17:2] = 1  # 8 of 40 in b: 20 points
    assert spurious_correlations.differences(table(letters=some)) == []
    few = table(5, letters=np.arange(10) % 2.0)
    assert spurious_correlations.differences(few) == []
    unknown = np.where(ODD, np.nan, 0.0)  # b was not looked at
    assert spurious_correlations.differences(table(letters=unknown)) == []


def test_paths_are_those_that_have_it() -> None:
    some = np.where(ODD & (np.arange(80) > 20), 2.0, 0.0)
    (found,) = spurious_correlations.differences(table(letters=some))
    assert len(found.paths) == 30 and all(p.startswith("b/") for p in found.paths)
    assert found.sentence.startswith("75 % of b have small marks")
    assert "and 0 % of a" in found.sentence


@pytest.mark.parametrize(
    ("path", "label", "source"),
    [
        ("train/NORMAL/IM-0115-0001.jpeg", "NORMAL", "IM-#-#"),
        ("test/ill/person12_virus_3.jpeg", "ill", "person#_virus_#"),
        ("ill/site 2/case7/ill_003.png", "ill", "site #/case#/_#"),
        ("a/0123456789abcdef.png", "a", "#"),
        ("a/vol.nii.gz#axial=12", "a", "vol"),
    ],
)
def test_sources_by_hand(path: str, label: str, source: str) -> None:
    assert spurious_correlations.source_of(path, [label]) == source


def test_sources_that_go_with_the_class() -> None:
    rows = [(f"a/IM-{n}-{n % 3}.png", "a") for n in range(30)]
    rows += [(f"b/{'person' if n % 2 else 'IM-'}{n}-1.png", "b") for n in range(30)]
    found = spurious_correlations.sources(pd.DataFrame(rows, columns=["path", "label"]))
    # All of a, and half of b, by a rule that guesses IM- to be a.
    assert found and found.accuracy == pytest.approx(0.75)
    assert found.chance == 0.5 and found.suspicious and not found.named
    assert found.examples[1] == ("b", ["IM-#-#", "person#-#"])
    same = pd.DataFrame([(f"{n % 2}/{n}.png", n % 2) for n in range(40)])
    same.columns = pd.Index(["path", "label"])
    assert spurious_correlations.sources(same.astype({"label": str})) is None
    assert spurious_correlations.sources(same.astype({"label": str})[:8]) is None


def test_names_of_classes_in_file_names_are_no_source() -> None:
    """Taken out of one class's names alone, they set the classes apart themselves."""
    rows = [(f"contrast/ID_{n}_CONTRAST_1.dcm", "contrast") for n in range(20)]
    rows += [(f"no_contrast/ID_{n}_CONTRAST_0.dcm", "no_contrast") for n in range(20)]
    assert (
        spurious_correlations.sources(pd.DataFrame(rows, columns=["path", "label"]))
        is None
    )
    rows = [(f"{c}/scan {n}.png", c) for c in ("a", "s", "1") for n in range(12)]
    assert (
        spurious_correlations.sources(pd.DataFrame(rows, columns=["path", "label"]))
        is None
    )
    assert (
        spurious_correlations.source_of("stage 2/x_stage 2_7.png", ["stage 2", "x"])
        == "__#"
    )


@pytest.mark.parametrize(
    ("label", "stem"),
    [
        ("cats", "cat_12"),
        ("cat", "Cats 12"),
        ("biopsies", "biopsy-12"),
        ("biopsy", "Biopsies_12"),
        ("boxes", "box_12"),
        ("no_contrast", "NoContrast_12"),
        ("No contrast", "no-contrast_12"),
        ("stage 2", "stage2_12"),
        ("gas", "gas_12"),
    ],
)
def test_a_class_in_the_singular_or_plural_is_no_source(label: str, stem: str) -> None:
    source = spurious_correlations.source_of(f"{label}/{stem}.png", [label, "other"])
    assert source in ("_#", " #", "-#")


@pytest.mark.parametrize("stem", ["concatenate_1", "scat_1", "category_1"])
def test_a_word_that_holds_a_class_stays(stem: str) -> None:
    source = spurious_correlations.source_of(f"cats/{stem}.png", ["cats"])
    assert source == stem.replace("1", "#")


def test_frames_are_hints_and_say_so() -> None:
    (frame,) = spurious_correlations.differences(table(black_frame=9.0 * ODD))
    assert frame.kind in spurious_correlations.HINTS
    assert frame.sentence.endswith("Look at the examples: it may be what is shown.")
    (letters,) = spurious_correlations.differences(table(letters=1.0 * ODD))
    assert letters.kind not in spurious_correlations.HINTS
    assert letters.sentence.endswith("instead of the disease.")

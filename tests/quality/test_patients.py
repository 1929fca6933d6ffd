"""Tables written by hand: who has images in two classes, and what is said of them."""

from __future__ import annotations

import pandas as pd

from medmodel.quality import patients


def table(*rows: tuple[str, str, str, str]) -> pd.DataFrame:
    """Rows of path, label, patient and patient in the header."""
    return pd.DataFrame(rows, columns=["path", "label", "patient", "patient_header"])


def test_a_patient_in_two_classes_is_told_with_a_picture_of_each() -> None:
    (found,) = patients.in_two_classes(
        table(
            ("a/1.png", "a", "P1", "P1"),
            ("a/2.png", "a", "P1", "P1"),
            ("b/3.png", "b", "P1", "P1"),
            ("a/4.png", "a", "P2", "P2"),
            ("b/5.png", "b", "P3", "P3"),
            ("a/6.png", "a", "", ""),
            ("b/7.png", "b", "", ""),
        )
    )
    assert found.groups == [["a/1.png", "b/3.png", "a/2.png"]]
    assert (found.count, found.level, found.action()) == (1, "warning", None)
    assert found.sentence.startswith("1 of 3 patients, with 3 images: a + b (1).")
    assert "file names" not in found.sentence


def test_images_of_unknown_patients_are_nobodys() -> None:
    rows = [(f"{c}/{n}.png", c, "", "") for c in "ab" for n in range(3)]
    assert patients.in_two_classes(table(*rows)) == []
    one_each = [(f"{c}/{n}.png", c, f"{c}{n}", "") for c in "ab" for n in range(3)]
    assert patients.in_two_classes(table(*one_each)) == []


def test_where_most_patients_are_in_both_it_is_the_design() -> None:
    rows = [(f"{c}/{n}.png", c, f"P{n}", f"P{n}") for c in "ab" for n in range(3)]
    (found,) = patients.in_two_classes(table(*rows))
    assert (found.count, found.level) == (3, "ok")


def test_patients_from_file_names_may_be_others_of_the_same_number() -> None:
    rows = [(f"{c}/p{n}.png", c, f"p{n}", "") for c in "abc" for n in range(2)]
    (found,) = patients.in_two_classes(table(*rows))
    assert "a + b + c (2)" in found.sentence
    assert "if numbers begin anew in each class" in found.sentence


def test_three_pairs_of_classes_are_named_and_more_are_hinted_at() -> None:
    def sentence(*pairs: str) -> str:
        rows = [(f"{c}/{p}.png", c, f"P{p}", f"P{p}") for p in pairs for c in p]
        (issue,) = patients.in_two_classes(table(*rows))
        return issue.sentence

    assert ": a + b (1), a + c (1), b + c (1). Right" in sentence("ab", "ac", "bc")
    assert ", …. Right" in sentence("ab", "ac", "bc", "ad")


def test_files_of_a_long_scan_are_not_all_named() -> None:
    rows = [(f"{'ab'[n % 2]}/{n:03}.png", "ab"[n % 2], "P", "P") for n in range(300)]
    (found,) = patients.in_two_classes(table(*rows))
    assert len(found.groups[0]) == 24 and found.groups[0][:2] == [
        "a/000.png",
        "b/001.png",
    ]
    assert "with 300 images" in found.sentence


def test_patients_of_training_and_validation_alone_do_not_touch_the_test() -> None:
    rows = [("1", "P1", "train"), ("2", "P1", "val"), ("3", "P2", "train")]
    rows += [("4", "P2", "test"), ("5", "P3", "train"), ("6", "P3", "train")]
    with_splits = pd.DataFrame(rows, columns=["path", "patient_header", "split"])
    tested, validated = patients.in_two_splits(with_splits)
    assert (tested.level, tested.groups) == ("problem", [["3", "4"]])
    assert (validated.level, validated.groups) == ("warning", [["1", "2"]])

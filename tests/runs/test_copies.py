"""Test images that are copies of training images are known and left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medmodel.core.errors import FileError
from medmodel.reports import evaluation_html, evaluation_pdf, model_card, run_facts
from medmodel.runs import copies, run_index
from medmodel.runs.copies import (
    Copies,
    compared_copies,
    copies_of,
    independent_predictions,
    pooled_copies,
)
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.tables.predictions import read_predictions, write_predictions
from medmodel.runs.tables.split import SPLIT_COLUMNS, read_split, write_split
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run

DIGESTS = "abcdefghijkl"
"""One letter is one image."""


def copied_run(tmp_path: Path) -> Run:
    """Twelve images: two learned, ten tested, of which one equals a learned one.

    The copy is the only test image that is predicted right.
    """
    dataset = draw_class_folders(tmp_path / "data", ("a", "b"), 6)
    run = write_finished_run(dataset, "copied")
    table = read_predictions(run)
    table["split"] = ["train", "val"] + ["test"] * 10
    labels = table["label"].eq("a").to_numpy()
    right = np.zeros(12, bool)
    right[2] = True
    scores = np.where(right == labels, 0.9, 0.1)
    rows = table[table["split"] != "train"].index
    write(run, "predictions.csv")
    write_predictions(
        run,
        ["a", "b"],
        table.loc[rows],
        np.stack([scores, 1 - scores], axis=1)[rows],
    )
    split = table.assign(digest=list(DIGESTS))[list(SPLIT_COLUMNS)]
    split.loc[2, "digest"] = "a"
    write(run, "split.csv")
    write_split(run, split)
    return run


def write(run: Run, name: str) -> None:
    """Removes a file that is to be written anew."""
    (run.folder / name).unlink(missing_ok=True)


def near(run: Run, *rows: int) -> set[str]:
    paths = read_split(run)["path"].iloc[list(rows)]
    return set(paths)


def test_identical_and_near_copies_are_counted_once(tmp_path: Path) -> None:
    run = copied_run(tmp_path)
    assert copies_of(run) == Copies(10, frozenset(near(run, 2)), None)
    copies.write_near_copies(run, near(run, 3, 4))
    known = copies_of(run)
    assert known.paths == near(run, 2, 3, 4) and known.near == near(run, 3, 4)
    assert str(known) == (
        "3 of 10 test images are copies of training or validation images "
        "(1 identical, 2 near): the numbers are of the other 7."
    )


def test_near_copies_are_those_of_groups_with_a_learned_image() -> None:
    split = pd.DataFrame(
        {
            "path": list("123456789"),
            "split": ["train", "val", "test", "test", "test", *["test"] * 4],
            "digest": ["a", "b", "c", "d", "c", "e", "f", "a", "g"],
        }
    )
    groups = [["1", "3"], ["4", "2"], ["6", "7"]]
    # 3 and 5 are one image; 6 and 7 look like each other only; 8 equals 1.
    assert copies.near_copies(split, groups) == {"3", "4", "5"}
    assert copies.near_copies(split, [["1", "gone"], ["gone", "9"]]) == set()
    assert copies.near_copies(split, []) == set()


def test_numbers_are_without_copies_and_with_them_beside(tmp_path: Path) -> None:
    run = copied_run(tmp_path)
    copies.write_near_copies(run, set())
    assert run_facts.evaluate_run(run).accuracy.value == 0
    text = run_facts.test_copies(run)
    assert text.startswith("1 of 10 test images is a copy of training or validation")
    assert "With the copies (n = 10 images): accuracy 0.100 (" in text
    assert "not looked for" not in text
    (entry,) = run_index.entries(RunStore())
    assert entry.test_accuracy == 0
    facts = dict(
        model_card.model_facts_label(run, run_facts.evaluate_run(run)),
    )
    assert facts["Copies in the test"] == text
    for html in (
        evaluation_html.evaluation_page(run),
        evaluation_html.model_card_html(run),
    ):
        assert "1 of 10 test images is a copy" in html
        assert "With the copies (n = 10 images): accuracy 0.100 (" in html
    assert b"%PDF" in evaluation_pdf.evaluation_sheet(run)[:10]


def test_the_split_of_copies_is_another_and_comes_back(tmp_path: Path) -> None:
    run = copied_run(tmp_path)
    table = independent_predictions(run)
    assert (table["split"] == copies.LEFT_OUT).sum() == 1
    assert (table["split"] == "test").sum() == 9 and (table["split"] == "val").any()
    assert copies.with_copies(table).equals(read_predictions(run))


def test_where_all_test_images_are_copies_they_are_shown_and_said(
    tmp_path: Path,
) -> None:
    run = copied_run(tmp_path)
    copies.write_near_copies(run, near(run, *range(3, 12)))
    assert copies_of(run).all_are_copies
    assert independent_predictions(run).equals(read_predictions(run))
    assert run_facts.evaluate_run(run).images == 10
    text = run_facts.test_copies(run)
    assert text == (
        "10 of 10 test images are copies of training or validation images (1 "
        "identical, 9 near): the numbers show what was remembered, not how new images "
        "fare."
    )
    (entry,) = run_index.entries(RunStore())
    assert entry.test_accuracy == 0.1


def test_what_is_not_known_of_earlier_runs_is_said(tmp_path: Path) -> None:
    run = copied_run(tmp_path)
    assert str(copies_of(run)).endswith("Near copies were not looked for in this run.")
    split = read_split(run)
    write(run, "split.csv")
    write_split(run, split.drop(columns="digest"))
    assert copies_of(run) == Copies(10, None, None)
    assert "is not known for this run" in str(copies_of(run))
    assert run_facts.evaluate_run(run).images == 10


@pytest.mark.parametrize(
    ("identical", "near", "sentence"),
    [
        ([], [], "No copy of a training or validation image was found"),
        ([], None, "No identical copy of a training or validation image was found"),
        (None, ["x"], "1 of 4 test images is a copy of training or validation images "),
        (["x"], [], "1 of 4 test images is a copy of training or validation images "),
        ([], ["x", "y"], "2 of 4 test images are copies of training or validation "),
    ],
)
def test_sentences(
    identical: list[str] | None, near: list[str] | None, sentence: str
) -> None:
    known = Copies(
        4,
        None if identical is None else frozenset(identical),
        None if near is None else frozenset(near),
    )
    assert str(known).startswith(sentence)
    assert ("not looked for" in str(known)) == (near is None)


def test_a_fold_of_nothing_but_copies_is_not_the_whole_model() -> None:
    """Of one fold alone it was said that the model was tested on nothing else."""
    clean = Copies(4, frozenset(), frozenset())
    copied = Copies(2, frozenset("a"), frozenset("b"))
    compared = compared_copies({"folds": [clean, copied], "other": [copied]})
    assert compared.remembered.startswith("Tested on nothing but copies: other.")
    assert "folds: 2, other: 2" in compared.left_out
    pooled = pooled_copies([clean, copied])
    assert pooled == Copies(6, frozenset("a"), frozenset("b"))
    assert pooled_copies([clean, Copies(2, None, None)]) == Copies(
        6, frozenset(), frozenset()
    )
    assert pooled_copies([Copies(2, None, None)]) == Copies(2, None, None)


def test_images_that_were_not_predicted_do_not_count(tmp_path: Path) -> None:
    """The split has images that could not be read when predictions were made."""
    run = copied_run(tmp_path)
    copies.write_near_copies(run, near(run, 3) | {"a/gone.png"})
    assert copies_of(run).images == 10 and len(copies_of(run).paths) == 2


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    run = copied_run(tmp_path)
    (run.folder / "copies.csv").write_text("wrong\nx\n")
    with pytest.raises(FileError, match="copies.csv is damaged"):
        copies_of(run)
    (run.folder / "copies.csv").write_bytes(b"path\n\xff\xfe\n")
    with pytest.raises(FileError, match="copies.csv is damaged"):
        copies_of(run)

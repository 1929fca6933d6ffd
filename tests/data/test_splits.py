from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medmodel.core.config import TrainConfig
from medmodel.core.config_problems import config_problems
from medmodel.core.errors import ConfigError, DataError
from medmodel.data import datasets, patient_regex, splits
from medmodel.data.datasets import Index


def index_of(rows: list[tuple[str, str, str]], folder: str = "set") -> Index:
    """An index of (path, split, digest); the label is the folder before the name."""
    table = pd.DataFrame(rows, columns=["path", "split", "digest"])
    table["label"] = [path.split("/")[-2] for path in table["path"]]
    ignored = pd.DataFrame(columns=["path", "reason"])
    table = table.assign(error="", patient="", group="")
    return Index(Path(folder), table, ignored)


def config(**settings: object) -> TrainConfig:
    return TrainConfig(dataset="/set", **settings)  # type: ignore[arg-type]


def flat(per_class: dict[str, int]) -> Index:
    names = [f"{c}/{n:04}.png" for c, count in per_class.items() for n in range(count)]
    return index_of([(name, "", name) for name in names])


def test_flat_folders_get_three_stratified_splits() -> None:
    table = splits.assign_splits(flat({"a": 100, "b": 40}), config())
    counts = Counter(zip(table["label"], table["split"], strict=True))
    assert counts == {
        ("a", "test"): 20,
        ("a", "val"): 15,
        ("a", "train"): 65,
        ("b", "test"): 8,
        ("b", "val"): 6,
        ("b", "train"): 26,
    }
    assert list(table.columns) == ["path", "label", "patient", "split"]


def test_existing_splits_stay_and_the_missing_one_comes_from_train() -> None:
    rows = [(f"train/{c}/{n}.png", "train", f"{c}{n}") for c in "ab" for n in range(40)]
    rows += [(f"test/{c}/{n}.png", "test", f"t{c}{n}") for c in "ab" for n in range(5)]
    table = splits.assign_splits(index_of(rows), config())
    assert (table["split"] == "test").tolist() == [
        path.startswith("test/") for path in table["path"]
    ]
    assert Counter(table["split"]) == {"train": 68, "val": 12, "test": 10}


def test_all_three_given_are_left_alone() -> None:
    rows = [(f"{s}/{c}/1.png", s, s + c) for s in splits.SPLITS for c in "ab"]
    table = splits.assign_splits(index_of(rows), config())
    assert [p.split("/")[0] for p in table["path"]] == table["split"].tolist()


def test_images_beside_the_splits_are_for_training() -> None:
    rows = [(f"test/{c}/1.png", "test", f"t{c}") for c in "ab"]
    rows += [(f"x/{c}/{n}.png", "", f"{c}{n}") for c in "ab" for n in range(20)]
    table = splits.assign_splits(index_of(rows), config())
    assert Counter(table["split"]) == {"train": 34, "val": 6, "test": 2}


def test_no_training_images_is_a_data_error() -> None:
    rows = [(f"test/{c}/{n}.png", "test", f"{c}{n}") for c in "ab" for n in range(5)]
    with pytest.raises(DataError, match="set has no training images"):
        splits.assign_splits(index_of(rows), config())


def test_class_without_training_images_is_a_data_error() -> None:
    rows = [(f"train/a/{n}.png", "train", f"a{n}") for n in range(9)]
    rows += [("test/b/1.png", "test", "b1")]
    with pytest.raises(DataError, match="no training images of b"):
        splits.assign_splits(index_of(rows), config())


def test_one_patient_cannot_be_split() -> None:
    rows = [(f"{c}/p1_{n}.png", "", f"{c}{n}") for c in "ab" for n in range(9)]
    with pytest.raises(DataError, match="too small.*for the validation images"):
        splits.assign_splits(index_of(rows), config(patient_pattern=r"p\d+"))


def test_classes_of_three_images_reach_every_split() -> None:
    table = splits.assign_splits(flat({"a": 3, "b": 3}), config())
    assert Counter(table["split"]) == {"train": 2, "val": 2, "test": 2}


@settings(max_examples=60, deadline=None)
@given(
    images=st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 30), st.integers(0, 60)),
        min_size=60,
        max_size=250,
    ),
    seed=st.integers(0, 5),
)
def test_laws_of_splitting(images: list[tuple[str, int, int]], seed: int) -> None:
    rows = [
        (f"{label}/patient{patient}_{n}.png", "", f"digest{picture}")
        for n, (label, patient, picture) in enumerate(images)
    ]
    index = index_of(rows)
    chosen = config(seed=seed, patient_pattern=r"(patient\d+)_")
    try:
        table = splits.assign_splits(index, chosen)
    except DataError:
        # Everything hangs together, or a class has one group only.
        return
    assert table["path"].tolist() == sorted(row[0] for row in rows)
    assert set(table["split"]) == set(splits.SPLITS)
    assert (table.groupby("patient")["split"].nunique() == 1).all()
    digests = dict(zip(index.table["path"], index.table["digest"], strict=True))
    by_picture = table.assign(digest=table["path"].map(digests)).groupby("digest")
    assert (by_picture["split"].nunique() == 1).all()
    assert set(table.loc[table["split"] == "train", "label"]) == set(table["label"])
    assert splits.assign_splits(index, chosen).equals(table)


@settings(max_examples=30, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=120, max_size=200),
    test_fraction=st.sampled_from([0.1, 0.2, 0.3]),
    seed=st.integers(0, 9),
)
def test_shares_of_classes_are_near_the_wish(
    sizes: list[int], test_fraction: float, seed: int
) -> None:
    rows = [
        (f"{'ab'[p % 2]}/p{p}_{n}.png", "", f"{p}-{n}")
        for p, size in enumerate(sizes)
        for n in range(size)
    ]
    table = splits.assign_splits(
        index_of(rows),
        config(seed=seed, patient_pattern=r"p\d+", test_fraction=test_fraction),
    )
    for _, of_class in table.groupby("label"):
        wished = {"test": test_fraction, "val": 0.15}
        for name, fraction in wished.items():
            # One patient of six images more or less.
            off = abs((of_class["split"] == name).sum() - fraction * len(of_class))
            assert off <= 3.5


@settings(max_examples=40, deadline=None)
@given(
    images=st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 40)), min_size=40, max_size=120
    ),
    folds=st.integers(2, 5),
    seed=st.integers(0, 5),
)
def test_laws_of_folds(images: list[tuple[str, int]], folds: int, seed: int) -> None:
    rows = [(f"{c}/p{p}_{n}.png", "", str(n)) for n, (c, p) in enumerate(images)]
    index, seen, classes = index_of(rows), Counter[str](), dict(images)
    if len(classes) < 2 * folds or len({c for c, _ in images}) < 2:
        return
    for fold in range(1, folds + 1):
        changes = {"seed": seed, "folds": folds, "fold": fold, "val_fraction": 0.1}
        try:
            table = splits.assign_splits(
                index, config(patient_pattern=r"p(\d+)", **changes)
            )
        except DataError:
            return  # too few patients of a class for as many folds
        sides = table.groupby("patient")["split"].nunique()
        assert (sides == 1).all()
        seen.update(table.loc[table["split"] == "test", "path"])
        assert set(table["split"]) == set(splits.SPLITS)
    assert set(seen.values()) == {1} and len(seen) == len(rows)


def test_folds_are_alike_in_size_and_classes() -> None:
    index = flat({"a": 50, "b": 26})
    for fold in range(1, 6):
        table = splits.assign_splits(index, config(folds=5, fold=fold))
        tested = Counter(table.loc[table["split"] == "test", "label"])
        assert tested["a"] == 10 and tested["b"] in (5, 6)
        assert (table["split"] == "val").sum() in (9, 10)


def test_a_seed_deals_the_same_folds_in_every_version() -> None:
    """Else folds trained before an update would not belong to those trained after."""
    rows = [
        (f"{'ab'[n % 3 == 0]}/p{n * 7 % 11}_{n:02}.png", "", str(n % 26))
        for n in range(30)
    ]
    folds: dict[str, str] = {}
    for fold in range(1, 5):
        deal = config(folds=4, fold=fold, seed=5, patient_pattern=r"p\d+")
        table = splits.assign_splits(index_of(rows), deal)
        tested = table.loc[table["split"] == "test", "path"]
        folds |= dict.fromkeys(tested, str(fold))
    assert "".join(folds[path] for path in sorted(folds)) == (
        "332222441132233441113241323411"
    )


def test_folds_leave_the_given_test_images_alone() -> None:
    rows = [(f"train/{c}/{n}.png", "train", f"{c}{n}") for c in "ab" for n in range(20)]
    rows += [(f"val/{c}/{n}.png", "val", f"v{c}{n}") for c in "ab" for n in range(5)]
    rows += [(f"test/{c}/{n}.png", "test", f"t{c}{n}") for c in "ab" for n in range(5)]
    tested: list[str] = []
    for fold in (1, 2, 3):
        table = splits.assign_splits(index_of(rows), config(folds=3, fold=fold))
        assert not table["path"].str.startswith("test/").any() and len(table) == 50
        tested += table.loc[table["split"] == "test", "path"].tolist()
    assert sorted(tested) == sorted(p for p, s, _ in rows if s != "test")


def test_another_seed_is_another_split() -> None:
    index = flat({"a": 50, "b": 50})
    tables = [splits.assign_splits(index, config(seed=seed)) for seed in (0, 1)]
    assert not tables[0].equals(tables[1])


def names(pattern: str, patients: int = 12, images: int = 3) -> list[str]:
    return [
        f"{label}/" + pattern.format(p=2 * p + c, n=n)
        for c, label in enumerate(("sick", "well"))
        for p in range(1, patients)
        for n in range(images)
    ]


@pytest.mark.parametrize(
    ("pattern", "example"),
    [
        ("person{p}_virus_{n}.jpeg", "person2"),
        ("patient{p:03}_slice{n}.png", "patient002"),
        ("Patient-{p:03}-{n}.png", "Patient-002"),
        ("p{p}-{n}.png", "p2"),
        ("ID_{p:04}_AGE_00{n}_CT.tif", "ID_0002"),
        ("scan_subject {p}_{n}.png", "subject 2"),
        ("IM-{p:04}-{n:04}.jpeg", "IM-0002"),
        ("NORMAL2-IM-{p:04}-{n:04}.jpeg", "NORMAL2-IM-0002"),
        ("TCGA-4J-AA{p:02}-{n}.png", "TCGA-4J-AA02"),
        ("patient_{p}/{n}.png", "patient_2"),
        ("{p:05}/{n}.png", "00002"),
    ],
)
def test_usual_names_of_patients_are_guessed(pattern: str, example: str) -> None:
    paths = names(pattern)
    guess = splits.guess_patient_pattern(paths)
    patients = patient_regex.patients_of(paths, guess)
    assert patients[0] == example, guess
    assert len(set(patients)) == 22
    assert not config_problems(TrainConfig(dataset="x", patient_pattern=guess))


def test_patients_in_folders_below_splits_and_classes() -> None:
    paths = [f"data/train/{path}" for path in names("{p:03}/{n}.png")]
    paths += [f"data/test/{path}" for path in names("9{p:03}/{n}.png")]
    guess = splits.guess_patient_pattern(paths)
    assert len(set(patient_regex.patients_of(paths, guess))) == 44


@pytest.mark.parametrize(
    "pattern",
    [
        "BA_{p}{n}.jpg",
        "{p:03}{n}.png",
        "image_{p}_{n}.png",
        "p{p}{n}.png",
        "id{p:04}{n}.png",
        "patient1_{p}_{n}.png",
    ],
)
def test_no_patients_are_invented(pattern: str) -> None:
    assert splits.guess_patient_pattern(names(pattern)) == ""


@pytest.mark.parametrize("around", ["", "train/", "download/train/"])
def test_numbered_classes_are_no_patients(around: str) -> None:
    paths = [f"{around}grade{n % 4}/x{n}.png" for n in range(60)]
    assert splits.guess_patient_pattern(paths) == ""


@pytest.mark.parametrize(("fitting", "guessed"), [(6, False), (8, False), (9, True)])
def test_a_guess_fits_nine_of_ten_names(fitting: int, guessed: bool) -> None:
    named = [f"a/patient{n // 2}_{n}.png" for n in range(10 * fitting)]
    others = [f"a/{chr(97 + n % 26)}{n}.png" for n in range(100 - len(named))]
    pattern = splits.guess_patient_pattern([*named, *others])
    assert bool(pattern) is guessed


def test_a_number_of_a_whole_folder_is_no_patient() -> None:
    paths = [f"class{c}/patient{c}_{n}.png" for c in "1234567" for n in range(4)]
    assert splits.guess_patient_pattern(paths) == ""
    mixed = [f"class{c}/patient{n // 2}_{n}.png" for c in "1234567" for n in range(8)]
    assert "patient" in splits.guess_patient_pattern(mixed)


def test_nothing_is_guessed_from_nothing() -> None:
    assert splits.guess_patient_pattern([]) == ""


def test_a_word_in_the_class_name_is_no_patient() -> None:
    paths = [f"patient {c}/{n:04}.png" for c in (1, 2) for n in range(30)]
    assert splits.guess_patient_pattern(paths) == ""


def test_chest_xray_patients(real_data: Callable[[str], Path]) -> None:
    folder = real_data("chest_xray")
    paths = [p.relative_to(folder).as_posix() for p in sorted(folder.rglob("*.jpeg"))]
    guess = splits.guess_patient_pattern(paths)
    patients = Counter(patient_regex.patients_of(paths, guess))
    assert "" not in patients
    assert max(patients.values()) >= 30
    assert patients["person12"] > 1
    trained = set(patient_regex.patients_of([p for p in paths if "train/" in p], guess))
    tested = set(patient_regex.patients_of([p for p in paths if "test/" in p], guess))
    assert len([p for p in trained & tested if p.startswith("person")]) == 170


@pytest.mark.parametrize(
    "name", ["blood_cells", "pneumoniamnist28", "medical_mnist_mini"]
)
def test_no_patients_where_there_are_none(
    real_data: Callable[[str], Path], name: str
) -> None:
    folder = real_data(name)
    paths = [p.relative_to(folder).as_posix() for p in sorted(folder.rglob("*/*.*g"))]
    assert splits.guess_patient_pattern(paths) == ""


def test_real_index_is_split(class_folders: Path) -> None:
    index = datasets.index_dataset(class_folders)
    (class_folders / "dark" / "bad.png").write_text("no image")
    index = datasets.index_dataset(class_folders)
    table = splits.assign_splits(index, config())
    assert len(table) == 24
    assert "dark/bad.png" not in table["path"].tolist()


def test_no_pattern_is_tried_where_every_patient_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a table with a column of patients: a busy machine failed such trainings."""
    tried: list[Sequence[str]] = []

    def patients(paths: Sequence[str], pattern: str) -> list[str]:
        tried.append(paths)
        return ["n"] * len(paths)

    monkeypatch.setattr(splits, "patients_of", patients)
    assert splits.resolve_patients(["a", "b"], ["p", "q"], "(.)") == ["p", "q"]
    assert splits.resolve_patients(["a", "b"], ["p", ""], "(.)") == ["p", "n"]
    assert tried == [[], ["b"]]


def test_a_wrong_pattern_is_refused_where_every_patient_is_known() -> None:
    with pytest.raises(ConfigError, match="Not a regular expression"):
        splits.resolve_patients(["a"], ["p"], "(")

"""Folders, tables and ZIP files as people make them: is every file where it belongs?

Each case is a data set of small files: those of `found`, and variants drawn here. What
is compared: files by class and split, and whether anything was left out, or the
sentence of the refusal.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from medmodel.benchmark.odd_files import Case
from medmodel.core.environment import workspace_root
from medmodel.data import importing, layout
from medmodel.data.layouts.left_out import left_out

Result = tuple[dict[str, int], str]
"""Files by "class" or "class, split"; what was left out, up to a parenthesis."""
_PIXELS = b"\x89PNG\r\n\x1a\n"
_SPLITS = {
    "train": "train Training train_data trainset training_set train_images Train~Data "
    "1_train seg_train TRAIN tr 训练集 訓練 训练 обучение entrenamiento entraînement "
    "treinamento train-set trainImages 훈련 学習用データ",
    "val": "val valid validation dev eval Validation_Set 2_val 验证集 驗證 検証 "
    "validación валидация val_images 검증 validate valset",
    "test": "test testing holdout TEST~set external test_images testset 3_test 测试集 "
    "測試 テスト тест prueba hold-out test-data seg_test 테스트",
}
_UNKNOWN = "holdout_b fold3 0 later trainval unlabelled site2 stress~test"
_FILES = "file filename image image_id path id img image_path name 文件名 archivo файл"
_LABELS = (
    "label class target diagnosis finding category dx Finding~Labels 类别 diagnóstico "
    "диагноз"
)


def cases(folder: Path) -> Iterator[Case]:
    """ZIP files of `found`, then words, places of splits, tables, names and masks."""
    yield from _found(folder)
    yield from _split_words()
    yield from _columns()
    yield from _tables()
    yield from _folders()
    yield from _names()


def _found(folder: Path) -> Iterator[Case]:
    splits = {"cats, test": 4, "cats, train": 4, "dogs, test": 4, "dogs, train": 4}
    expected: dict[str, Result] = {
        "csv_absolute_paths.zip": ({"a": 3, "b": 3}, ""),
        "csv_columns_filename_class.zip": ({"a": 3, "b": 3}, ""),
        "csv_label_case_and_float.zip": (
            {"A": 3, "b": 3},
            "'a' counts as class 'A', which looks alike. "
            "'B' counts as class 'b', which looks alike.",
        ),
        "csv_split_column_says_holdout.zip": (
            {f"{c}, {s}": n for c in "ab" for s, n in _counts(3, 1, 2).items()},
            "",
        ),
        "csv_two_tables_train_and_test.zip": (
            {f"{c}, {s}": n for c in "ab" for s, n in (("train", 2), ("test", 1))},
            "",
        ),
        "folder_dicom_without_extension_and_one_stray_png.zip": (
            {f"{c}, {s}": 3 for c in ("no", "yes") for s in ("train", "test")},
            "Left out: overview.png",
        ),
        "folder_names_with_other_spaces_and_joiners.zip": (
            {"A": 8, "B": 3, "正常\u3000肺": 3},
            "",
        ),
        "folder_seg_train_seg_test.zip": (splits, ""),
        "folder_training_set_test_set.zip": (splits, ""),
        "zip_gbk_names.zip": ({"\u6b63\u5e38": 3, "\u5f02\u5e38": 3}, ""),
        "zip_mac_utf8_names_without_flag.zip": (
            {"\u6b63\u5e38": 3, "\u7570\u5e38": 3},
            "",
        ),
        "zip_same_names_but_for_capitals.zip": (
            {"Normal": 3, "Sick": 2},
            "'normal' counts as class 'Normal', which looks alike.",
        ),
    }
    for name, result in expected.items():
        yield Case(name, partial(_imported, folder / name), result)


def _counts(train: int, val: int, test: int) -> dict[str, int]:
    return {"train": train, "val": val, "test": test}


def _split_words() -> Iterator[Case]:
    """Every word as a folder above the classes, below them, and in a column."""
    for split, words in _SPLITS.items():
        beside = "test" if split == "train" else "train"
        for word in _words(words):
            both = {word: split, beside: beside}
            expected = {f"{c}, {s}": 1 for c in "ab" for s in both.values()}
            above = [f"{f}/{c}/1.png" for f in both for c in "ab"]
            below = [f"{c}/{f}/1.png" for f in both for c in "ab"]
            lines = [f"{n}.png,{c},{f}" for n, (f, c) in enumerate(_pairs(both))]
            table = {"all labels.csv": "file,label,split\n" + "\n".join(lines)}
            flat = [f"{n}.png" for n in range(4)]
            yield drawn(f"{word} above classes", above, expected)
            yield drawn(f"{word} below classes", below, expected)
            yield drawn(f"{word} in a column", flat, expected, table=table)
    for word in _words(_UNKNOWN):
        known = {f"{c}, {s}": 1 for c in "ab" for s in ("train", "test")}
        folders = [f"{f}/{c}/1.png" for f in ("train", "test", word) for c in "ab"]
        inside = [f"{c}/{f}/1.png" for f in ("train", "test", word) for c in "ab"]
        left = "Left out: 2 files, first {}"
        yield drawn(
            f"unknown {word} above", folders, known, left.format(f"{word}/a/1.png")
        )
        yield drawn(
            f"unknown {word} below", inside, known, left.format(f"a/{word}/1.png")
        )
        table = {"all labels.csv": f"file,label,split\n0.png,a,train\n1.png,b,{word}"}
        pattern = re.compile(
            rf"labels\.csv names the split '{word}', which is not known"
        )
        yield drawn(
            f"unknown {word} in a column", ["0.png", "1.png"], pattern, table=table
        )


def _words(text: str) -> list[str]:
    return [word.replace("~", " ") for word in text.split()]


def _pairs(folders: dict[str, str]) -> list[tuple[str, str]]:
    return [(folder, label) for folder in folders for label in "ab"]


def _columns() -> Iterator[Case]:
    """Usual columns, in three kinds of capitals, with four separators."""
    names, labels = _words(_FILES), _words(_LABELS)
    paths = ["img/1.png", "img/2.png"]
    for number, name in enumerate(names):
        label = labels[number % len(labels)]
        for separator in ",;\t|":
            for capitals in (str.lower, str.upper, str.title):
                header = separator.join(map(capitals, (name, label)))
                rows = "".join(
                    f"{p}{separator}{c}\n" for p, c in zip(paths, "ab", strict=True)
                )
                table = {"my data.csv": f"{header}\n{rows}"}
                yield drawn(f"{header!r}", paths, {"a": 1, "b": 1}, table=table)


def _tables() -> Iterator[Case]:
    """Paths, encodings, labels, and lines that do not fit."""
    paths = [f"img/{c}{n}.png" for c in "ab" for n in range(2)]
    both = {"a": 2, "b": 2}
    ways: dict[str, Callable[[str], str]] = {
        "absolute": "/home/me/set/{}".format,
        "of Windows": lambda p: "D:\\set\\" + p.replace("/", "\\"),
        "without folder": lambda p: p.rpartition("/")[2],
        "without suffix": lambda p: p.rpartition("/")[2][:-4],
        "with another suffix": lambda p: p[:-4] + ".dcm",
        "in capitals": str.upper,
        "quoted": '"{}"'.format,
    }
    for name, way in ways.items():
        rows = "".join(f"{way(p)},{p[4]}\n" for p in paths)
        table = {"all labels.csv": f"file,label\n{rows}"}
        yield drawn(f"paths {name}", paths, both, table=table)
    rows = "".join(f"{p},{p[4]}\n" for p in paths)
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"):
        content = f"file,label\n{rows}".encode(encoding)
        yield drawn(f"in {encoding}", paths, both, table={"my l.csv": content})
    values = ["0", "0.0", '"0 "', "1.0"]
    rows = "".join(f"{p},{v}\n" for p, v in zip(paths, values, strict=True))
    yield drawn(
        "0 and 0.0",
        paths,
        {"0": 3, "1.0": 1},
        "'0.0' counts as class '0', which looks alike.",
        table={"my l.csv": f"file,label\n{rows}"},
    )
    rows = "".join(f"pics/{n}.png,a\n" for n in range(6))
    refusal = re.compile(r"l\.csv names 6 files that are not here, first pics/0\.png")
    yield drawn(
        "other files", paths, refusal, table={"my l.csv": f"file,label\n{rows}"}
    )
    rows = "".join(f"{p},{int(p[4] == 'a')},{int(p[4] == 'b')}\n" for p in paths)
    table = {"my l.csv": f"image,MEL,NV\n{rows}"}
    yield drawn("a column per class", paths, {"MEL": 2, "NV": 2}, table=table)
    for train, test in (("train", "test"), ("train_labels", "test_labels")):
        table = {
            f"{name}.csv": f"file,label\nimg/a{n}.png,a\nimg/b{n}.png,b\n"
            for n, name in enumerate((train, test))
        }
        expected = {f"{c}, {s}": 1 for c in "ab" for s in ("train", "test")}
        yield drawn(f"{train}.csv and {test}.csv", paths, expected, table=table)


def _folders() -> Iterator[Case]:
    """Classes that look alike, masks, strays, and what can be meant in two ways."""
    pairs = [("B", "B "), ("DR", "dr"), ("a b", "a\u00a0b"), ("\u00e9", "e\u0301")]
    for one, other in pairs:
        name = " ".join(one.split())
        paths = [f"{one}/1.png", f"{other}/2.png", "z/1.png"]
        left = f"{other!r} counts as class {name!r}, which looks alike."
        left = "" if one == "\u00e9" else left
        yield drawn(f"{one!r} and {other!r}", paths, {name: 2, "z": 1}, left)
    masks = {
        "images/a/1.png images/b/1.png masks/a/1.png": "masks/a/1.png",
        "a/images/1.png a/masks/1.png b/images/1.png": "a/masks/1.png",
        "a/1.png a/1_mask.png b/1.png": "a/1_mask.png",
        "a/1.png a/1_seg.png b/1.png": "a/1_seg.png",
        "a/1.png a_masks/1.png b/1.png": "a_masks/1.png",
        "a/1.png b/1.png overview.png": "overview.png",
        "d/a/1.png d/b/1.png d/overview.png": "d/overview.png",
    }
    for paths_text, left in masks.items():
        expected = {"a": 1, "b": 1}
        yield drawn(paths_text, paths_text.split(), expected, f"Left out: {left}")
    two_ways = [
        "train/1.png test/1.png",
        "test/p1/1.png control/p1/1.png",
        "fold1/a/1.png fold2/a/1.png",
        "cat_train/1.png cat_test/1.png dog_train/1.png",
        "a/p1/train/1.png a/p1/test/1.png b/p2/train/1.png",
    ]
    for paths_text in two_ways:
        pattern = re.compile("splits?|folds of a cross-validation")
        yield drawn(paths_text, paths_text.split(), pattern)
    for label in ("test", "training"):
        paths = [f"{label}/1.png", "control/1.png"]
        yield drawn(f"a class {label}", paths, {label: 1, "control": 1})


def _names() -> Iterator[Case]:
    """Names in ZIP files without a flag, and names that are no text."""
    words = {
        "utf-8": "\u6b63\u5e38",
        "gb18030": "\u80ba\u708e",
        "cp950": "\u7570\u5e38",
        "cp932": "\u816b\u760d",
        "cp949": "\uc815\uc0c1",
        "cp866": "\u043d\u043e\u0440\u043c\u0430",
        "cp1251": "\u041d\u043e\u0440\u043c\u0430",
        "cp437": "L\u00e9sion",
    }
    for encoding, word in words.items():
        code = word.encode(encoding)
        data = zipped([f"{'Q' * len(code)}/1.png", "b/1.png"])
        data = data.replace(b"Q" * len(code), code)
        yield Case(
            f"name in {encoding}",
            partial(imported_bytes, data),
            ({word: 1, "b": 1}, ""),
        )
    for space in "\u202f\u00a0\u3000\u200c\u200d\u00ad":
        data = zipped([f"a{space}c/1{space}.png", "b/1.png"])
        result = {f"a{space}c": 1, "b": 1}
        yield Case(f"name with {space!r}", partial(imported_bytes, data), (result, ""))
    for bad in ("a/\x01.png", "a/" + "n" * 300 + ".png", "n" * 200 + "/" + "m/" * 40):
        data = zipped(["a/1.png", "b/1.png", bad + "x.png"])
        yield Case(
            f"name {bad[:9]!r}", partial(imported_bytes, data), ({"a": 1, "b": 1}, "")
        )


def drawn(
    name: str,
    paths: list[str],
    expected: dict[str, int] | re.Pattern[str],
    left: str = "",
    table: Mapping[str, str] | Mapping[str, bytes] | None = None,
) -> Case:
    """A case of a folder with these files, and of tables beside them.

    Args:
        name: Of the case.
        paths: Files, which count as images.
        expected: As in `Result`, or a pattern of the refusal.
        left: What is said to be left out.
        table: Name of a table -> its content.
    """
    result = expected if isinstance(expected, re.Pattern) else (expected, left)
    return Case(name, partial(listed_drawing, paths, table or {}), result)


def listed_drawing(
    paths: list[str], tables: Mapping[str, str] | Mapping[str, bytes]
) -> Result:
    """What is read of such a folder."""
    with tempfile.TemporaryDirectory() as place:
        return _listed(write_drawing(Path(place), paths, tables))


def write_drawing(
    place: Path, paths: list[str], tables: Mapping[str, str] | Mapping[str, bytes]
) -> Path:
    """Writes such a folder; returns its absolute path."""
    folder = place.resolve()
    contents: dict[str, bytes] = dict.fromkeys(paths, _PIXELS)
    for name, content in tables.items():
        contents[name] = content if isinstance(content, bytes) else content.encode()
    for name, data in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def _listed(folder: Path) -> Result:
    files, ignored = layout.list_files(folder)
    counts = Counter(", ".join(filter(None, (f.label, f.split))) for f in files)
    return dict(counts), left_out(ignored).partition(" (")[0]


def zipped(names: list[str]) -> bytes:
    """A ZIP file with files of these names, which count as images."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, _PIXELS)
    return buffer.getvalue()


def _imported(path: Path) -> Result:
    return imported_bytes(path.read_bytes())


def imported_bytes(data: bytes) -> Result:
    """What an import into a workspace of its own makes of an archive."""
    with tempfile.TemporaryDirectory() as place, _workspace(Path(place)):
        return _listed(importing.import_zip(io.BytesIO(data), "set.zip").folder)


@contextlib.contextmanager
def _workspace(place: Path) -> Iterator[None]:
    before = str(workspace_root())
    os.environ["MEDMODEL_WORKSPACE"] = str(place)
    try:
        yield
    finally:
        os.environ["MEDMODEL_WORKSPACE"] = before

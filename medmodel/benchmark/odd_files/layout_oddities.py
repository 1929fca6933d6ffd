"""Cases of `odd_files`: what folders, tables and ZIP files hold beside the plain.

Splits with something around their names, columns that flag a split, lines of tables
that do not fit, folders that systems and programs leave, archives in archives. What is
compared is as in `layouts`.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from medmodel.benchmark.odd_files import Case
from medmodel.benchmark.odd_files.layouts import (
    Result,
    drawn,
    imported_bytes,
    zipped,
)

_PAIRS = (
    "Trainingsdaten/Testdaten train_folder/test_folder imgs_train/imgs_test "
    "X_train/X_test 01_train/02_test train_split/test_split train_jpg/test_jpg "
    "train~(1)/test~(1) train2017/test2017 treino/teste trening/testowy Tr/Te trn/tst "
    "training_images/held_out Train-Set/Hold-Out learning/test ISIC_train/ISIC_test "
    "train_cropped/test_cropped labelled_train/labelled_test train./test. "
    "\u8bad\u7ec3\u6570\u636e/\u6d4b\u8bd5\u6570\u636e "
    "\u062a\u062f\u0631\u064a\u0628/\u0627\u062e\u062a\u0628\u0627\u0631"
)
"""Folders of training and of test images, a blank written as ~."""
_ASKED = (
    "train_val/test trainval/test internal/external discovery/validation "
    "public/private seen/unseen fit/score apprentissage/essai A_train/B_test"
)
"""Folders that may be splits, and are not known."""
_UNSURE = "valid is_valid test external dev evaluation"
"""Columns of yes and no that may be a split, and of half the lines say yes."""
_SPLIT_LABELS = ("train test", "valid test", "training validation")
"""Labels that are words of splits, all of them."""
_LABELS = ("valid invalid", "test control", "train bus", "test normal")
"""Labels of which one is a word of a split."""
_FLAGS = "is_train isTrain istrain is_training in_train train used_for_train"
_FLAT = ["1.png", "2.png", "3.png", "4.png"]
_BOTH = {f"{label}, {split}": 1 for label in "ab" for split in ("train", "test")}


def cases(_: Path) -> Iterator[Case]:
    """All of them."""
    yield from split_cases()
    yield from line_cases()
    yield from folder_cases()
    yield from archive_cases()


def split_cases() -> Iterator[Case]:
    """Folders and columns that say the split, in more words than one."""
    for pair in _PAIRS.replace("/", "|").split():
        train, test = pair.replace("~", " ").split("|")
        paths = [
            f"{folder}/{label}/1.png" for folder in (train, test) for label in "ab"
        ]
        yield drawn(f"{train} and {test}", paths, _BOTH)
    for pair in _ASKED.split():
        paths = [
            f"{folder}/{label}/1.png" for folder in pair.split("/") for label in "ab"
        ]
        yield drawn(pair, paths, re.compile("like a split|either may be|at once"))
    for flag in _FLAGS.split():
        for yes, no in (("1", "0"), ("True", "False"), ("yes", "no")):
            rows = _rows(f",a,{yes} ,b,{yes} ,a,{no} ,b,{no}".split())
            table = {"l.csv": f"file,label,{flag}\n{rows}"}
            yield drawn(f"{flag} of {yes} and {no}", _FLAT, _BOTH, table=table)
    yield from _doubtful_columns()
    for column in ("fold", "usage", "set", "phase"):
        rows = _rows([",a,0", ",b,1", ",a,2", ",b,0"])
        left = "Left out: l.csv"
        table = {"l.csv": f"file,label,{column}\n{rows}"}
        yield drawn(f"{column} of numbers", _FLAT, {"a": 2, "b": 2}, left, table)


def _doubtful_columns() -> Iterator[Case]:
    """Columns that name splits, or something else by the same words."""
    half = _rows([",a,yes", ",b,no", ",a,no", ",b,yes"])
    for column in _UNSURE.split():
        asked = re.compile(f"column '{column}' says yes of 2 of 4 lines")
        yield drawn(
            f"{column} of half the lines",
            _FLAT,
            asked,
            table={"l.csv": f"file,label,{column}\n{half}"},
        )
    few = _rows([",a,no", ",b,no", ",a,no", ",b,yes"])
    some = {"a, train": 2, "b, train": 1, "b, val": 1}
    for column in ("valid", "is_valid", "validation"):
        table = {"l.csv": f"file,label,{column}\n{few}"}
        yield drawn(f"{column} of few lines", _FLAT, some, table=table)
    for column in ("TR", "va", "ts"):  # findings, or units
        table = {"l.csv": f"file,label,{column}\n{half}"}
        yield drawn(f"{column} as a column", _FLAT, {"a": 2, "b": 2}, table=table)
    untrained = _rows([",a,valid", ",b,test", ",a,test", ",b,valid"])
    for column in ("status", "stage", "group", "quality"):
        asked = re.compile(f"column '{column}' may be the split, without a word")
        table = {"l.csv": f"file,label,{column}\n{untrained}"}
        yield drawn(f"{column} of valid and test", _FLAT, asked, table=table)
    asked = re.compile("called like splits")
    for pair in _SPLIT_LABELS + _LABELS:
        one, other = pair.split()
        rows = _rows([f",{word}" for word in (one, other, one, other)])
        result = asked if pair in _SPLIT_LABELS else {one: 2, other: 2}
        table = {"l.csv": f"file,label\n{rows}"}
        yield drawn(f"labels {pair}", _FLAT, result, table=table)


def _rows(ends: list[str]) -> str:
    return "\n".join(f"{path}{end}" for path, end in zip(_FLAT, ends, strict=True))


_TWO_EACH = {"a": 2, "b": 2}
_LINES: tuple[tuple[str, str, list[str], dict[str, int], str], ...] = (
    (
        "a comma that is not quoted",
        "file,label,note",
        [",a", ",b", ",a,x, y", ",b"],
        {"a": 1, "b": 2},
        "Left out: 3.png",
    ),
    (
        "a comma before the label",
        "file,note,label",
        [",x,a", ",x,b", ",x, y,a", ",x,b"],
        {"a": 1, "b": 2},
        "Left out: 3.png",
    ),
    (
        "empty cells behind",
        "file,label,,",
        [",a,,", ",b,,", ",a", ",b,,,"],
        _TWO_EACH,
        "",
    ),
    (
        "a|b",
        "file,label",
        [",a", ",b", ",a|b", ",b"],
        {"a": 1, "b": 2},
        "Left out: 3.png",
    ),
    (
        "a;b",
        "file,label",
        [",a", ",b", ",a; b", ",a"],
        {"a": 2, "b": 1},
        "Left out: 3.png",
    ),
    (
        "a slash",
        "file,label",
        [",a", ",b", ",a/b", ",b"],
        {"a": 1, "b": 2, "a/b": 1},
        "",
    ),
    (
        "no label",
        "file,label",
        [",a", ",b", ",", ",b"],
        {"a": 1, "b": 2},
        "Left out: 3.png",
    ),
    (
        "NA",
        "file,label",
        [",a", ",b", ",NA", ",b"],
        {"a": 1, "b": 2},
        "Left out: 3.png",
    ),
    ("codes", "file,label", [",01", ",1", ",01", ",1"], {"01": 2, "1": 2}, ""),
    ("turned", "file,label", [",a\u202e", ",b", ",\u2067a\u2069", ",b"], _TWO_EACH, ""),
    ("blanks", " file , label ", [" , a ", " , b ", " , a ", " , b "], _TWO_EACH, ""),
    (
        "two columns alike",
        "file,label,label",
        [",a,a", ",b,b", ",a,a", ",b,b"],
        _TWO_EACH,
        "",
    ),
    (
        "the name and the code",
        "file,class_id,class_name",
        [",0,a", ",1,b", ",0,a", ",1,b"],
        _TWO_EACH,
        "",
    ),
    ("blanks for 0", "file,a,b", [",1,", ",,1", ",1,", ",,1"], _TWO_EACH, ""),
    (
        "yes and no",
        "file,a,b",
        [",yes,no", ",no,yes", ",yes,no", ",no,yes"],
        _TWO_EACH,
        "",
    ),
    (
        "none is marked",
        "file,a,b",
        [",1,0", ",0,1", ",0,0", ",0,1"],
        {"a": 1, "b": 2},
        "Left out: 3.png",
    ),
    (
        "two are marked",
        "file,a,b",
        [",1,0", ",0,1", ",1,1", ",0,1"],
        {"a": 1, "b": 2},
        "Left out: 3.png",
    ),
)
"""Title, header, what follows each file's name, images of each class, what is said."""


def line_cases() -> Iterator[Case]:
    """Lines that say more or less than the header, and labels of several classes."""
    both, plain = _TWO_EACH, [",a", ",b", ",a", ",b"]
    for name, header, ends, expected, left in _LINES:
        table = {"l.csv": f"{header}\n{_rows(ends)}"}
        yield drawn(name, _FLAT, expected, left, table)
    for name, ending in (("CR", "\r"), ("CR LF", "\r\n"), ("LF CR", "\n\r")):
        text = "file,label\n" + _rows(plain)
        table = {"l.csv": text.replace("\n", ending)}
        yield drawn(f"lines end with {name}", _FLAT, both, table=table)
    for way in ("./{}", "/{}", "file:///set/{}", "https://x.org/set/{}", "set\\{}"):
        lines = [way.format(path) + end for path, end in zip(_FLAT, plain, strict=True)]
        table = {"l.csv": "file,label\n" + "\n".join(lines)}
        yield drawn(f"paths as {way}", _FLAT, both, table=table)
    differ = {"l.csv": "file,label,label\n" + _rows([",a,x", ",b,y", ",a,x", ",b,y"])}
    yield drawn(
        "two columns differ", _FLAT, {}, "Left out: 4 files, first 1.png", differ
    )
    most = {"l.csv": "file,label\n" + _rows([",a|b", ",a", ",b", ",b|a"])}
    yield drawn(
        "half have two findings",
        _FLAT,
        {"a|b": 2, "a": 1, "b": 1},
        "",
        most,
    )


def folder_cases() -> Iterator[Case]:
    """What systems and programs leave, and folders with a copy of every class."""
    plain = {"a": 1, "b": 1}
    for name in (
        *("lost+found", "#recycle", "@eaDir", "__pycache__", ".ipynb_checkpoints"),
        *("System Volume Information", "$RECYCLE.BIN", "found.000", "RECYCLER"),
    ):
        yield drawn(f"a folder {name}", ["a/1.png", "b/1.png", f"{name}/1.png"], plain)
    for name in ("augmented", "backup", "old", "copy of all"):
        paths = ["a/1.png", "b/1.png", f"{name}/a/1.png", f"{name}/b/1.png"]
        yield drawn(f"{name} holds all classes", paths, re.compile("called like the"))
        inside = [f"{split}/{path}" for split in ("train", "test") for path in paths]
        yield drawn(f"{name} in splits", inside, re.compile("called like the"))
    paths = ["a/1.png", "a/b/1.png", "b/1.png", "c/1.png"]
    yield drawn("one class below another", paths, {"a": 2, "b": 1, "c": 1})
    paths = ["a/x/1.png", "a/y/1.png", "b/z/1.png", "b/w/1.png"]
    yield drawn("kinds of a class", paths, {"a": 2, "b": 2})
    for name in ("more.zip", "a.tar.gz", "l.csv.gz", "set.7z", "b.rar"):
        paths = ["a/1.png", "b/1.png", name]
        yield drawn(f"{name} beside classes", paths, plain, f"Left out: {name}")
    for paths in (
        ["a/1.png", "b/1.PNG", "b/2.Jpeg"],
        ["a/1 (1).png", "b/1 - Copy.png", "b/2.jfif"],
    ):
        yield drawn(f"{paths}", paths, {"a": 1, "b": 2})


def archive_cases() -> Iterator[Case]:
    """ZIP files as systems write them."""
    plain: Result = ({"a": 1, "b": 1}, "")
    usual = ["a/1.png", "b/1.png"]
    data = zipped(usual)
    archives = {
        "with __MACOSX": (zipped([*usual, "__MACOSX/a/._1.png", "a/.DS_Store"]), plain),
        "with backslashes": (zipped(["s\\a\\1.png", "s\\b\\1.png"]), plain),
        "with ./": (zipped(["./a/1.png", "./b/1.png"]), plain),
        "behind a program": (b"MZ" + bytes(500) + data, plain),
        "before zeros": (data + bytes(200), plain),
        "with folders": (zipped(["a/", "b/", "c/", *usual]), plain),
        "with a name for Unicode": (_with_unicode_name(), ({"\u80ba": 1, "b": 1}, "")),
        "with others inside": (
            zipped([*usual, "more.zip"]),
            ({"a": 1, "b": 1}, "Left out: more.zip"),
        ),
        "of others": (
            zipped(["a.zip", "b.zip"]),
            ({}, "Left out: 2 files, first a.zip"),
        ),
    }
    for name, (content, expected) in archives.items():
        yield Case(f"ZIP {name}", partial(imported_bytes, content), expected)
    refused = {
        "cut": (data[:-30], "no ZIP file, or its end is missing"),
        "encrypted": (_encrypted(data), "is encrypted"),
        "RAR": (b"Rar!\x1a\x07\0" + bytes(99), "no ZIP file"),
        "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(99), "no ZIP file"),
        "out of the folder": (zipped(["../a/1.png"]), "leads out of the folder"),
        "empty": (zipped([]), "holds no file that can be used"),
    }
    for name, (content, words) in refused.items():
        yield Case(f"ZIP {name}", partial(imported_bytes, content), re.compile(words))


def _with_unicode_name() -> bytes:
    """As Info-ZIP writes names that the old code page lacks (APPNOTE 4.6.9)."""
    old, name = "Q/1.png", "\u80ba/1.png".encode()
    entry = zipfile.ZipInfo(old)
    head = struct.pack("<HHBL", 0x7075, 5 + len(name), 1, zlib.crc32(old.encode()))
    entry.extra = head + name
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(entry, b"\x89PNG\r\n\x1a\n")
        archive.writestr("b/1.png", b"\x89PNG\r\n\x1a\n")
    return buffer.getvalue()


def _encrypted(data: bytes) -> bytes:
    """The archive, each of its files marked as encrypted."""
    marked = bytearray(data)
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := marked.find(signature, at + 1)) >= 0:
            marked[at + flags] |= 1
    return bytes(marked)

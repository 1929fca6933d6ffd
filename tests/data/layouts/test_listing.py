"""Which folders hold images, by names and first bytes; the others: test_folder_layout.

Drawn folders of every kind: test_odd_layouts.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from medmodel.data.layouts import listing
from tests.data.test_layout import fill

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    ("names", "holding"),
    [
        ("a/1.png b/notes.txt", "a"),
        ("a/1.PNG b/readme", "a"),
        ("a/is_png b/is_text", "a"),
        ("a/1.png b/is_png c/is_text", "a b"),
        ("a/notes.txt b/readme", "a b"),  # then any may
        ("a/is_text b/is_text", "a b"),
    ],
)
def test_folders_that_hold_images(tmp_path: Path, names: str, holding: str) -> None:
    fill(tmp_path, names.split())
    for path in tmp_path.rglob("is_*"):
        path.write_bytes(PNG if path.name == "is_png" else b"text")
    files = [tuple(name.split("/")) for name in names.split()]
    assert listing.image_folders(tmp_path, files) == {(f,) for f in holding.split()}


def test_after_so_many_looks_the_rest_may_hold_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_MOST_PEEKS", 2)
    fill(tmp_path, ["a/1", "b/1", "c/1"])
    files = [("a", "1"), ("b", "1"), ("c", "1")]
    assert listing.image_folders(tmp_path, files) == {("c",)}


@pytest.mark.parametrize("header", ["x.hdr", "x.HDR"])
def test_the_header_of_a_pair_is_no_image(tmp_path: Path, header: str) -> None:
    fill(tmp_path, [f"a/{header}", "a/x.img", "b/x.img"])
    listed = listing.list_folder(tmp_path)
    assert sorted(listed.paths) == ["a/x.img", "b/x.img"]
    assert listed.headers == {("a", "x.img"): ("a", header)}

"""Names of samples: one for each, and back again; which slices are taken."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmodel.core import samples
from medmodel.core.samples import Part, Slicing

PARTS = st.builds(
    Part,
    st.sampled_from(["axial", "coronal", "sagittal", "frame"]),
    st.integers(0, 99_999),
)
ENDINGS = ["", "#", "#whole", "#axial=3", "#frame=0", "#axial=3#whole", "#whole#whole"]
FILES = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "a/", "a#axial=1/"]),
    st.text(st.characters(exclude_characters="/"), min_size=1, max_size=8),
    st.sampled_from(ENDINGS),
)


@given(FILES, st.none() | PARTS)
def test_every_name_leads_back(file: str, part: Part | None) -> None:
    assert samples.split(samples.join(file, part)) == (file, part)
    if part:
        place = samples.located(Path("/data") / samples.join(file.strip("."), part))
        assert place[1] == part


@given(FILES, FILES, st.none() | PARTS, st.none() | PARTS)
def test_no_two_samples_share_a_name(
    one: str, other: str, first: Part | None, second: Part | None
) -> None:
    same = samples.join(one, first) == samples.join(other, second)
    assert same == ((one, first) == (other, second))


@pytest.mark.parametrize(
    ("file", "part", "name"),
    [
        ("a/1.png", None, "a/1.png"),
        ("a/scan#3.nii", None, "a/scan#3.nii"),
        ("a/vol.nii.gz", Part("axial", 11), "a/vol.nii.gz#axial=12"),
        ("a/echo", Part("frame", 0), "a/echo#frame=1"),
        ("a/echo#frame=1", None, "a/echo#frame=1#whole"),
        ("a/#axial=1", None, "a/#axial=1"),
    ],
)
def test_names(file: str, part: Part | None, name: str) -> None:
    assert samples.join(file, part) == name
    assert samples.split(name) == (file, part)


def test_as_things_were_unless_somebody_chooses() -> None:
    for file_format in ("PNG", "TIFF", "GIF", "NIfTI", "DICOM"):
        assert Slicing().parts(file_format, 90) == [None]


def numbers(slicing: Slicing, file_format: str, count: int) -> list[int]:
    return [part.number for part in slicing.parts(file_format, count) if part]


def test_slices() -> None:
    every = Slicing("every", "coronal", step=20)
    assert numbers(every, "NIfTI", 100) == [20, 40, 60, 80]
    assert numbers(every, "NIfTI", 3) == [1]
    assert every.parts("NIfTI", 100)[0] == Part("coronal", 20)
    assert numbers(Slicing("middle", "sagittal"), "NIfTI", 91) == [45]
    assert numbers(Slicing("all"), "NIfTI", 3) == [0, 1, 2]
    assert Slicing("all").parts("PNG", 3) == [None]


@pytest.mark.parametrize("file_format", ["TIFF", "GIF", "WEBP", "PNG", "DICOM"])
def test_frames_and_pages(file_format: str) -> None:
    every = Slicing(frames="every", frame_step=2)
    assert numbers(every, file_format, 5) == [1, 3]
    assert every.parts(file_format, 1) == [None]


def test_what_training_has_seen() -> None:
    assert samples.axis_of(["1.png", "b.dcm#frame=3", "c.nii#sagittal=4"]) == "sagittal"
    assert samples.axis_of(["1.png"]) == "axial"
    assert samples.frame_of(["1.png", "a.dcm#frame=3", "b.dcm#frame=3"]) == 2
    assert samples.frame_of(["a.dcm#frame=3", "a.dcm#frame=4"]) == 0


def test_frames() -> None:
    assert numbers(Slicing(frames="every", frame_step=4), "DICOM", 10) == [2, 6]
    assert numbers(Slicing(frame=3), "DICOM", 10) == [2]
    assert numbers(Slicing(frame=30), "DICOM", 10) == [9]
    assert Slicing(frame=30).parts("DICOM", 1) == [None]


@given(st.integers(1, 500), st.integers(1, 50))
def test_slices_come_from_the_middle(count: int, step: int) -> None:
    found = numbers(Slicing("every", step=step), "NIfTI", count)
    assert found == sorted(set(found)) and found
    assert found[0] >= int(count * 0.1) and found[-1] < count - int(count * 0.1)
    assert all(b - a == step for a, b in zip(found, found[1:], strict=False))


def test_words() -> None:
    text = "Of volumes every 3rd axial slice of the central part, of several frames or "
    assert Slicing("every", step=3, frame=2).words() == text + "pages number 2"
    assert Slicing(frames="every", frame_step=1).words().endswith("pages all")
    assert Slicing(frames="every", frame_step=11).words().endswith("pages every 11th")

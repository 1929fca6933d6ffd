"""Images for Diagnose: the slice or frame that is meant, as in training."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medmodel.benchmark.bomb_files import png
from medmodel.core.errors import DataError
from medmodel.core.preprocessing import Preprocessing
from medmodel.evaluation.ood.traits import ImageTraits
from medmodel.imaging.images import decode, pixel_digest, png_bytes, prepare_image
from medmodel.imaging.untrusted import LONGEST_SIDE
from pages._shared.prediction import cases
from pages._shared.prediction.file_facts import FileFacts
from tests.dicom_files import dicom_file, ramp
from tests.volumes import draw_series, draw_stacks, draw_volumes


@dataclass
class Sent:
    """Stands in for an uploaded file."""

    file_id: str
    name: str
    content: bytes

    def getvalue(self) -> bytes:
        return self.content


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return draw_volumes(tmp_path / "data" / "vols", count=1)


def test_a_slice_of_a_data_set(folder: Path) -> None:
    first = Preprocessing(32, colour="grey", axis="coronal")
    place = folder / "dark" / "0.nii#coronal=5"
    case = cases.dataset_case(folder, "dark/0.nii#coronal=5", "dark", first)
    assert (case.axis, case.frame, case.frames) == ("coronal", 4, 20)
    assert case.name == "0.nii#coronal=5" and case.seen == "by its own range"
    expected = prepare_image(decode(place).pixels, first)
    assert (cases.prepared(case, first) == expected).all()
    other = Preprocessing(48, colour="grey", axis="sagittal")
    expected = prepare_image(decode(place).pixels, other)
    assert (cases.prepared(case, other) == expected).all()
    next_one = cases.at_frame(case, 5)
    expected = prepare_image(decode(folder / "dark" / "0.nii#coronal=6").pixels, first)
    assert (cases.prepared(next_one, first) == expected).all()
    digests = {case.digest, next_one.digest}
    digests.add(cases.dataset_case(folder, "dark/0.nii", "dark", first).digest)
    assert len(digests) == 3
    with pytest.raises(DataError, match="not in the data set any more"):
        cases.dataset_case(folder, "dark/9.nii#coronal=5", "dark", first)
    with pytest.raises(DataError, match="has no coronal slice 21 of 20"):
        cases.dataset_case(folder, "dark/0.nii#coronal=21", "dark", first)


def test_a_case_equals_its_copy_once_it_is_prepared() -> None:
    file, facts = FileFacts(8, 8, "PNG"), ImageTraits(8, 0.0)
    prepared = {Preprocessing(32): np.zeros((32, 32, 3), np.uint8)}
    case = cases.Case("1", "a.png", b"", "", file, "", facts, prepared=prepared)
    assert copy.deepcopy(case) == case


@pytest.mark.parametrize(("asked", "shown"), [(0, -1), (2, 2), (9, 3)])
def test_an_upload_opens_at_the_frame_of_training(
    folder: Path, monkeypatch: pytest.MonkeyPatch, asked: int, shown: int
) -> None:
    monkeypatch.setattr(cases.st, "session_state", {})
    content = (folder / "dark" / "echo.dcm").read_bytes()
    files: Any = [Sent("1", "echo.dcm", content)]
    first = Preprocessing(16, colour="grey", frame=asked)
    (case,) = cases.uploaded(files, first)
    assert case.frame == shown and case.frames == 4
    expected = prepare_image(decode(content, frame=shown).pixels, first)
    assert (cases.prepared(case, first) == expected).all()


def test_an_upload_opens_at_the_first_frame_that_is_not_blank(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cases.st, "session_state", {})
    stack = np.stack([ramp("<u2") * 0, ramp("<u2"), ramp("<u2", 5)])
    content = dicom_file(np.repeat(stack, 8, axis=2), NumberOfFrames=3)
    files: Any = [Sent("1", "echo.dcm", content)]
    (case,) = cases.uploaded(files, Preprocessing(16, colour="grey"))
    assert (case.frame, case.frames) == (1, 3)
    assert case.seen == "by its own range, frame 2, as all before it are blank"


def test_an_animation_opens_at_the_frame_of_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases.st, "session_state", {})
    content = (draw_stacks(tmp_path) / "dark" / "loop0.gif").read_bytes()
    files: Any = [Sent("1", "loop.gif", content)]
    first = Preprocessing(16, colour="grey", frame=2)
    (case,) = cases.uploaded(files, first)
    assert (case.frame, case.frames, case.scan) == (2, 4, False)
    expected = prepare_image(decode(content, frame=2).pixels, first)
    assert (cases.prepared(case, first) == expected).all()
    other = cases.at_frame(case, 3)
    assert (cases.pixels_of(other) == decode(content, frame=3).pixels).all()
    assert other.digest != case.digest


def test_nothing_outside_the_allowed_roots_becomes_a_case(folder: Path) -> None:
    """Neither by a path in a planted table, nor by a link that appears later."""
    first = Preprocessing(16, colour="grey")
    secret = folder.parent.parent / "secret.nii"
    secret.write_bytes((folder / "dark" / "0.nii").read_bytes())
    (folder / "dark" / "1.nii").unlink(missing_ok=True)
    (folder / "dark" / "1.nii").symlink_to(secret)
    for path in ("../../secret.nii", str(secret), "dark/1.nii"):
        with pytest.raises(DataError, match="outside the folders"):
            cases.dataset_case(folder, path, "dark", first)


def test_a_series_says_which_volume_is_seen(tmp_path: Path) -> None:
    place = draw_series(tmp_path) / "dark"
    first = Preprocessing(16, colour="grey")
    about = [cases.dataset_case(place, f"{n}.nii", "", first).file.text for n in (1, 2)]
    assert about[0].endswith("NIfTI, the first of 5 volumes")
    assert about[1].endswith("NIfTI")


def test_an_upload_is_cut_as_in_training(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases.st, "session_state", {})
    content = (folder / "dark" / "0.nii").read_bytes()
    files: Any = [Sent("1", "0.nii", content)]
    shapes = []
    for axis in ("axial", "sagittal"):
        (case,) = cases.uploaded(files, Preprocessing(32, axis=axis))  # type: ignore[arg-type]
        shapes.append(cases.pixels_of(case).shape)
    assert shapes == [(20, 16, 1), (12, 20, 1)]
    assert case.frames == 16


def test_a_huge_upload_comes_back_as_a_page_shows_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cases.st, "session_state", {})
    content = png(5000, 2500)
    first = Preprocessing(16)
    files: Any = [Sent("1", "a.png", content)]
    (case,) = cases.uploaded(files, first)
    assert case.file.text == "5000 × 2500 pixels, PNG" and case.facts.side == 2500
    assert cases.pixels_of(case).shape == (LONGEST_SIDE // 2, LONGEST_SIDE, 1)
    other = Preprocessing(24)
    expected = prepare_image(decode(content).pixels, other)
    assert (cases.prepared(case, other) == expected).all()
    assert cases.pixel_digest_of(case) == pixel_digest(decode(content).pixels)


def test_of_several_uploads_each_has_its_own_pixels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cases.st, "session_state", {})
    images = [np.full((4, 4 + n, 1), n, np.uint8) for n in range(3)]
    files: Any = [
        Sent(str(n), f"{n}.png", png_bytes(image)) for n, image in enumerate(images)
    ]
    found = cases.uploaded(files, Preprocessing(16))
    for case, image in zip(found, images, strict=True):
        assert (cases.pixels_of(case) == image).all()


def test_what_cannot_be_read_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cases.st, "session_state", {})
    files: Any = [Sent("1", "C:\\x\\a.png", png(20_000, 20_000)), Sent("2", "b", b"")]
    assert cases.uploaded(files, Preprocessing(16)) == []
    reasons = [case.reason for case in cases.refused()]
    assert reasons[0].startswith("a.png has more than 100 million pixels")
    assert reasons[1].startswith("b is empty")


def test_a_refusal_that_lacks_the_name_gets_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*args: Any) -> None:
        raise DataError("Its header is damaged: export it again.")

    monkeypatch.setattr(cases.st, "session_state", {})
    monkeypatch.setattr(cases, "open_for_model", refuse)
    files: Any = [Sent("1", "C:\\x\\a", b"x"), Sent("2", "scan.dcm", b"x")]
    assert cases.uploaded(files, Preprocessing(16)) == []
    assert [case.reason for case in cases.refused()] == [
        f"{name} cannot be shown: Its header is damaged: export it again."
        for name in ("a", "scan.dcm")
    ]

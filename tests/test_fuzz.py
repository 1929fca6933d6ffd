"""The fuzz run in small: made to be repeated, and nothing gets through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medmodel.benchmark import fuzz
from medmodel.core.processes import sandbox
from tests.dicom_files import dicom_file, ramp
from tests.imaging.nifti.test_reading import nifti_file, volume


@pytest.fixture
def seeds(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "seeds"
    folder.mkdir()
    (folder / "a.dcm").write_bytes(dicom_file(ramp()))
    (folder / "b.nii").write_bytes(nifti_file(volume()))
    (folder / "empty").write_bytes(b"")
    noise = np.random.default_rng(0).integers(0, 255, (9, 9, 3), np.uint8)
    Image.fromarray(noise).save(folder / "c.png")
    yield folder
    sandbox.close()


def test_mutations_are_the_same_each_time(seeds: Path) -> None:
    files = fuzz.seeds_of([seeds])
    assert [p.name for p in files] == ["a.dcm", "b.nii", "c.png", "empty"]
    first = [fuzz.mutated(files, n) for n in range(50)]
    assert first == [fuzz.mutated(files, n) for n in range(50)]
    assert len({data for _, data in first}) > 40
    assert all(data for _, data in first)


def test_a_small_run(
    seeds: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("dicom", "nifti", "image_edge_cases"):
        (tmp_path / "bench" / name).mkdir(parents=True)
    for path in seeds.iterdir():
        path.rename(tmp_path / "bench" / "dicom" / path.name)
    monkeypatch.setenv("MEDMODEL_BENCH_DATA", str(tmp_path / "bench"))
    monkeypatch.setenv("MEDMODEL_FUZZ_FILES", "150")
    (row,) = fuzz.fuzz_images()
    assert row.ok, row.note
    assert "of 150 files" in row.note and "bad" not in row.note


def test_a_crash_is_counted(
    monkeypatch: pytest.MonkeyPatch, seeds: Path, tmp_path: Path
) -> None:
    # Without its memory the reader cannot even start: every file counts as a crash.
    monkeypatch.setattr(fuzz.sys, "executable", "/bin/false")
    monkeypatch.setattr(fuzz, "bench_data", lambda name: seeds)
    monkeypatch.setenv("MEDMODEL_FUZZ_FILES", "3")
    (row,) = fuzz.fuzz_images()
    assert not row.ok and row.value == 3 and "3 crashes [0, 1, 2]" in row.note


@pytest.mark.filterwarnings("ignore")
def test_hostile_real_files(real_data: Callable[[str], Path]) -> None:
    folders = [real_data(n) for n in ("dicom", "nifti", "image_edge_cases")]
    seeds = fuzz.seeds_of(folders)
    kinds = [
        fuzz._read(d, p.name) for p, d in (fuzz.mutated(seeds, n) for n in range(150))
    ]
    assert set(kinds) == {"read", "refused"}
    sandbox.close()

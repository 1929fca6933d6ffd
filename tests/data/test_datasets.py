from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from medmodel.benchmark.odd_files.tiff_variants import plain_tags, tiff_of_tags
from medmodel.core.config import TrainConfig
from medmodel.core.errors import Cancelled, DataError
from medmodel.core.job import Job
from medmodel.core.processes import pool, sandbox
from medmodel.core.samples import Slicing, file_of
from medmodel.data import curation, datasets, image_stats, splits
from medmodel.data.curation import Action
from medmodel.data.describe import describe_files
from medmodel.data.index_table import SampleRow
from medmodel.data.layout import FileEntry
from medmodel.imaging import images
from tests.conftest import draw_class_folders
from tests.volumes import draw_stacks, draw_volumes


def test_table_says_what_every_image_is(class_folders: Path) -> None:
    index = datasets.index_dataset(class_folders)
    assert index.classes == ["dark", "light"]
    assert len(index.table) == 24
    row = index.table.iloc[0]
    path = class_folders / "dark" / "dark_000.png"
    statistics = image_stats.measure(b"", images.decode(path).pixels, "PNG")
    assert row.to_dict() == {
        **statistics,
        **dict.fromkeys(("colour", "red", "blue"), 0),
        "group": "",
        "path": "dark/dark_000.png",
        "label": "dark",
        "split": "",
        "bytes": path.stat().st_size,
        "mtime_ns": path.stat().st_mtime_ns,
        "format": "PNG",
        "mode": "L",
        "width": 32,
        "height": 32,
        "digest": images.pixel_digest(images.decode(path).pixels),
        "patient": "",
        "frames": 1,
        "seen": "",
        "series": 1,
        "error": "",
    }


def test_kept_index_is_the_same(class_folders: Path) -> None:
    (class_folders / "dark" / "NA.png").write_text("no image")
    (class_folders / "light" / 'a "b", <i>ü.txt').write_text("note")
    assert datasets.load_index(class_folders) is None
    made = datasets.index_dataset(class_folders)
    kept = datasets.load_index(class_folders)
    assert kept is not None
    assert kept.table.equals(made.table)
    assert kept.ignored.equals(made.ignored)
    assert kept.table.dtypes.equals(made.table.dtypes)
    assert kept.fingerprint == made.fingerprint


def as_of_version(version: int, text: str) -> str:
    """An index as an earlier version wrote it, which kept no digest of its rows."""
    return re.sub(r"# 7 sha256:\w+", f"# {version}", text, count=1)


def test_a_changed_row_is_noticed_and_the_index_made_anew(class_folders: Path) -> None:
    made = datasets.index_dataset(class_folders)
    place = datasets.index_folder(class_folders) / "index.csv"
    whole = place.read_text()
    assert whole.count(",dark,") == 12
    for damaged in (
        whole.replace(",dark,", ",light,", 1),
        whole[: whole.rindex("\n", 0, -1) + 1],
        whole.replace("sha256:", "sha256:0", 1),
    ):
        place.write_text(damaged)
        assert datasets.load_index(class_folders) is None
        assert datasets.index_dataset(class_folders).table.equals(made.table)
        assert place.read_text() == whole
    place.write_text(as_of_version(6, whole))
    assert datasets.load_index(class_folders) is not None


def test_older_versions_are_shown_but_never_compared(class_folders: Path) -> None:
    made = datasets.index_dataset(class_folders)
    place = datasets.index_folder(class_folders) / "index.csv"
    digest = made.table["digest"][0]
    text = place.read_text().replace(digest, "0" * 32)
    place.write_text(as_of_version(4, text))
    shown = datasets.load_index(class_folders)
    assert shown is not None and shown.table["digest"][0] == "0" * 32
    assert datasets.load_index(class_folders, comparable=True) is None
    assert datasets.index_dataset(class_folders).table.equals(made.table)


def test_earlier_hashes_are_measured_again_and_digests_not_compared(
    class_folders: Path,
) -> None:
    """Version 5 read deep images and many TIFF files otherwise."""
    made = datasets.index_dataset(class_folders)
    place = datasets.index_folder(class_folders) / "index.csv"
    text = place.read_text().replace(made.table["hash"][0], "ab" * 32)
    place.write_text(as_of_version(5, text))
    earlier = datasets.load_index(class_folders)
    assert earlier is not None and set(earlier.table["hash"]) == {""}
    assert datasets.load_index(class_folders, comparable=True) is None
    assert datasets.index_dataset(class_folders).table.equals(made.table)
    assert datasets.load_index(class_folders, comparable=True) is not None


def test_an_odd_image_is_a_row_of_its_own_and_ends_no_check(
    class_folders: Path,
) -> None:
    shape = (32, 32)
    odd = {
        "cfa.tif": tiff_of_tags(plain_tags(*shape, 32803), bytes(1024)),
        "packed.tif": tiff_of_tags(plain_tags(*shape, 1, 1, 12), bytes(range(256)) * 6),
        "cut.tif": tiff_of_tags(plain_tags(*shape, 1), bytes(1024))[:900],
        "phone.heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        "note.bmp": b"BMI of all",
    }
    for name, content in odd.items():
        (class_folders / "dark" / name).write_bytes(content)
    table = datasets.index_dataset(class_folders).table
    assert len(table) == 24 + len(odd)
    errors = {
        Path(p).name: e for p, e in zip(table["path"], table["error"], strict=True)
    }
    assert errors["packed.tif"] == ""
    assert "cfa.tif is a TIFF with the colours CFA" in errors["cfa.tif"]
    assert "cut.tif cannot be read: the file is damaged" in errors["cut.tif"]
    assert "phone.heic is a HEIC image" in errors["phone.heic"]
    assert "note.bmp is not an image" in errors["note.bmp"]
    assert sum(error != "" for error in errors.values()) == 4


def test_broken_files_are_rows_with_a_reason_and_others_ignored(
    class_folders: Path,
) -> None:
    (class_folders / "dark" / "broken.png").write_text("no image")
    (class_folders / "dark" / "notes.txt").write_text("note")
    (class_folders / "README.md").write_text("note")
    (class_folders / "dark" / ".hidden.png").write_text("note")
    picture = (class_folders / "dark" / "dark_000.png").read_bytes()
    (class_folders / "dark" / "no_suffix").write_bytes(picture)
    index = datasets.index_dataset(class_folders)
    broken = index.table[index.table["error"] != ""]
    assert broken["path"].tolist() == ["dark/broken.png"]
    assert "broken.png is not an image" in broken["error"].item()
    assert "dark/no_suffix" in index.readable["path"].tolist()
    assert dict(zip(index.ignored["path"], index.ignored["reason"], strict=True)) == {
        "README.md": "not an image",
        "dark/.hidden.png": "hidden",
        "dark/notes.txt": "not an image",
    }
    assert "dark/broken.png" not in index.readable["path"].tolist()


def test_only_changed_files_are_opened_again(
    class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = datasets.index_dataset(class_folders)
    opened: list[str] = []
    original = describe_files

    def spy(files: list[FileEntry], *others: Any) -> list[list[SampleRow]]:
        opened.extend(file.path for file in files)
        return original(files, *others)

    monkeypatch.setattr(datasets, "describe_files", spy)
    assert datasets.index_dataset(class_folders).table.equals(first.table)
    assert opened == []
    light = class_folders / "light" / "light_001.png"
    light.write_bytes((class_folders / "dark" / "dark_000.png").read_bytes())
    (class_folders / "dark" / "dark_003.png").unlink()
    second = datasets.index_dataset(class_folders)
    assert opened == ["light/light_001.png"]
    assert len(second.table) == 23
    assert second.fingerprint != first.fingerprint


def test_what_could_not_be_read_is_tried_again(class_folders: Path) -> None:
    if os.getuid() == 0:
        pytest.skip("needs a user other than root, who may read everything")
    locked = class_folders / "dark" / "dark_000.png"
    locked.chmod(0)
    table = datasets.index_dataset(class_folders).table
    assert table["error"].str.contains("cannot be opened").sum() == 1
    locked.chmod(0o644)
    assert (datasets.index_dataset(class_folders).table["error"] == "").all()


def test_touching_a_file_changes_no_fingerprint(class_folders: Path) -> None:
    before = datasets.index_dataset(class_folders).fingerprint
    os.utime(class_folders / "dark" / "dark_000.png")
    assert datasets.index_dataset(class_folders).fingerprint == before


def test_moving_to_another_class_does(class_folders: Path) -> None:
    before = datasets.index_dataset(class_folders).fingerprint
    path = class_folders / "dark" / "dark_000.png"
    path.rename(class_folders / "light" / "dark_000.png")
    assert datasets.index_dataset(class_folders).fingerprint != before


@pytest.mark.parametrize("labels", [(), ("only",)])
def test_fewer_than_two_classes_are_refused(
    tmp_path: Path, labels: tuple[str, ...]
) -> None:
    folder = tmp_path / "data" / "few"
    folder.mkdir(parents=True)
    draw_class_folders(folder, labels, 2)
    (folder / "empty").mkdir()
    with pytest.raises(DataError, match="few holds .*one folder per class"):
        datasets.index_dataset(folder)


def test_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        datasets.index_dataset(tmp_path / "gone")


def test_progress_and_cancelling_keep_what_was_done(tmp_path: Path) -> None:
    folder = draw_class_folders(
        tmp_path / "data" / "many", images_per_class=100, size=8
    )
    told: list[tuple[str, int, int]] = []

    def progress(*values: Any) -> None:
        told.append(values)

    with pytest.raises(Cancelled):
        datasets.index_dataset(
            folder, Job(progress, lambda: any(done for _phase, done, _total in told))
        )
    assert told[0] == ("listing", 0, 0)
    done = told[-1][1]
    assert 0 < done < 200
    told.clear()
    datasets.index_dataset(folder, Job(progress))
    # The first answer comes on top of what was kept.
    assert told[1][1] == done < told[2][1]
    assert told[-1] == ("checking", 200, 200)


def test_killed_half_way_it_goes_on(tmp_path: Path) -> None:
    folder = draw_class_folders(
        tmp_path / "data" / "many", images_per_class=200, size=8
    )
    script = (
        "import sys; from pathlib import Path; from medmodel.data import datasets;"
        "from medmodel.core.job import Job;"
        "datasets._KEEP_EVERY = 0;"
        "job = Job(lambda *a: print(*a, flush=True));"
        "datasets.index_dataset(Path(sys.argv[1]), job)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    for line in process.stdout:
        if line.startswith("checking") and int(line.split()[1]) >= 100:
            break
    time.sleep(0.05)
    process.kill()
    process.wait()
    process.stdout.close()
    told: list[int] = []
    job = Job(lambda phase, done, total: told.append(done))
    index = datasets.index_dataset(folder, job)
    assert len(index.table) == 400
    assert told[1] > 400 // (pool.SHARES * pool.cores())


def choose(folder: Path, slicing: Slicing) -> datasets.Index:
    action = Action("slices", "chosen", slicing=slicing.to_json())
    curation.add(datasets.index_folder(folder), action)
    return datasets.index_dataset(folder)


def test_a_volume_is_one_sample_unless_somebody_chooses(tmp_path: Path) -> None:
    folder = draw_volumes(tmp_path / "vols", count=1)
    table = datasets.index_dataset(folder).table.set_index("path")
    assert list(table.index) == [
        *("dark/0.nii", "dark/echo.dcm", "dark/echo.dcm#frame=2#whole"),
        *("light/0.nii", "light/echo.dcm", "light/echo.dcm#frame=2#whole"),
    ]
    assert table.loc["dark/0.nii", "frames"] == 12
    assert table.loc["dark/0.nii", "seen"] == "by its own range"


def test_several_samples_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = draw_volumes(tmp_path / "vols", count=1)
    datasets.index_dataset(folder)
    index = choose(folder, Slicing("every", "coronal", 4, "every", frame_step=2))
    dark = [p for p in index.readable["path"] if p.startswith("dark")]
    slices = [f"dark/0.nii#coronal={n}" for n in (13, 17, 5, 9)]
    frames = [f"dark/echo.dcm#frame={n}" for n in (2, 4)]
    other = [f"dark/echo.dcm#frame=2#frame={n}" for n in (2, 4)]
    assert dark == [*slices, *frames[:1], *other, *frames[1:]]
    kept = datasets.load_index(folder)
    assert kept is not None and kept.table.equals(index.table)
    for path, digest in zip(index.table["path"], index.table["digest"], strict=True):
        assert images.pixel_digest(images.decode(folder / path).pixels) == digest
    assert len(set(index.table["digest"])) == len(index.table)
    # Another look opens nothing; another choice opens the volumes again.
    monkeypatch.setattr(datasets, "describe_files", None)
    assert datasets.index_dataset(folder).fingerprint == index.fingerprint
    with pytest.raises(TypeError):
        choose(folder, Slicing())


def test_all_slices_that_show_something(tmp_path: Path) -> None:
    folder = draw_volumes(tmp_path / "vols", count=1)
    paths = choose(folder, Slicing("all")).readable["path"]
    numbers = [int(p.split("=")[1]) for p in paths if p.startswith("light/0.nii#")]
    assert sorted(numbers) == list(range(3, 11))  # the ends are empty


def test_pictures_of_one_file_stay_together(tmp_path: Path) -> None:
    folder = draw_volumes(tmp_path / "vols", count=6)
    index = choose(folder, Slicing("every", step=3))
    table = splits.assign_splits(index, TrainConfig(str(folder)))
    table["file"] = table["path"].map(file_of)
    assert set(table.groupby("file")["split"].nunique()) == {1}
    volumes = table[table["file"].str.endswith(".nii")]
    assert (volumes["patient"] == volumes["file"]).all()
    # What was decided about a file holds for all of its slices.
    action = Action("leave_out", "bad", [["dark/0.nii"]])
    curation.add(datasets.index_folder(folder), action)
    index = datasets.index_dataset(folder)
    assert not index.table["path"].str.startswith("dark/0.nii").any()
    assert "left out: bad" in set(index.ignored["reason"])


def test_pages_and_frames_are_samples(tmp_path: Path) -> None:
    folder = draw_stacks(tmp_path / "stacks")
    table = datasets.index_dataset(folder).table.set_index("path")
    files = ("loop0.gif", "one0.png", "stack0.tif")
    names = [f"{label}/{name}" for label in ("dark", "light") for name in files]
    assert list(table.index) == names
    assert table["frames"].tolist() == 2 * [4, 1, 5]
    index = choose(folder, Slicing(frames="every", frame_step=2))
    dark = [path for path in index.readable["path"] if path.startswith("dark")]
    frames = [f"dark/loop0.gif#frame={n}" for n in (2, 4)]
    pages = [f"dark/stack0.tif#frame={n}" for n in (2, 4)]
    assert dark == [*frames, "dark/one0.png", *pages]
    for path, digest in zip(index.table["path"], index.table["digest"], strict=True):
        assert images.pixel_digest(images.decode(folder / path).pixels) == digest
    assert len(set(index.table["digest"])) == len(index.table)
    assert splits.known_patients(index, "")[:3] == [*2 * ["dark/loop0.gif"], ""]
    index = choose(folder, Slicing(frame=5))
    assert index.readable["path"].tolist()[:3] == [
        *("dark/loop0.gif#frame=4", "dark/one0.png", "dark/stack0.tif#frame=5")
    ]


def test_a_check_that_fails_says_the_commonest_reason_and_keeps_the_list(
    tmp_path: Path,
) -> None:
    folder = draw_class_folders(tmp_path / "data" / "set", ("a", "b"), 2)
    for number in range(2):
        (folder / "b" / f"b_{number:03}.png").write_bytes(b"no image")
    (folder / "b" / "c.dcm").write_bytes(b"")
    (folder / "overview.png").write_bytes(b"x")
    with pytest.raises(DataError) as caught:
        datasets.index_dataset(folder)
    sentence = str(caught.value)
    assert sentence.startswith("set holds only the class 'a': there must be one ")
    assert "3 files cannot be read, 2 of them like the first: b_000.png is" in sentence
    assert sentence.endswith("Left out: overview.png (not in a class folder).")
    rejected = dict(datasets.rejected_files(folder))
    assert list(rejected) == [
        "b/b_000.png",
        "b/b_001.png",
        "b/c.dcm",
        "overview.png",
    ]
    assert rejected["overview.png"] == "not in a class folder"
    draw_class_folders(folder, ("b",), 2)
    datasets.index_dataset(folder)
    assert datasets.rejected_files(folder) == []


@pytest.mark.parametrize("limit", ["largest file", "nothing"])
def test_what_this_process_would_not_hold_is_opened_in_another(
    class_folders: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    sizes = [path.stat().st_size for path in class_folders.rglob("*.png")]
    most = max(sizes) - 1 if limit == "largest file" else 0
    monkeypatch.setattr(sandbox, "LARGEST_ANSWER", most)
    with pytest.raises(sandbox.AnswerTooLargeError, match="is too large to be opened"):
        images.check_bytes(max(sizes), "a.png")
    index = datasets.index_dataset(class_folders)
    assert len(index.readable) == 24

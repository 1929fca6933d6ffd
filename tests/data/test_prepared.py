from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from medmodel.core.errors import Cancelled, DataError
from medmodel.core.job import Job
from medmodel.core.locks import Lock
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.processes import pool
from medmodel.data import prepared
from medmodel.data.decoding import unfinished_array
from medmodel.data.prepared import prepare
from medmodel.imaging import images
from tests.conftest import draw_class_folders
from tests.volumes import draw_stacks

SMALL = Preprocessing(28, "pad", "grey")


def table_of(folder: Path) -> pd.DataFrame:
    paths = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.png"))
    return pd.DataFrame({"path": paths, "label": [p.split("/")[0] for p in paths]})


@pytest.fixture
def many(tmp_path: Path) -> Path:
    return draw_class_folders(tmp_path / "many", images_per_class=100, size=16)


@pytest.mark.parametrize("colour", ["grey", "rgb"])
def test_pixels_are_those_of_prepare_image(class_folders: Path, colour: Any) -> None:
    preprocessing = Preprocessing(40, "crop", colour)
    table = table_of(class_folders)
    result = prepare(class_folders, table, preprocessing)
    assert result.pixels.shape == (24, *preprocessing.shape)
    assert result.pixels.dtype == np.uint8
    assert not result.pixels.flags.writeable
    assert result.table.equals(table)
    for position, path in enumerate(table["path"]):
        decoded = images.decode(class_folders / path)
        wanted = images.prepare_image(decoded.pixels, preprocessing)
        assert (result.pixels[position] == wanted).all()


def test_in_processes_as_in_this_one(many: Path) -> None:
    table = table_of(many)
    told: list[tuple[str, int, int]] = []
    result = prepare(many, table, SMALL, Job(lambda *facts: told.append(facts)))
    for position in (0, 77, 199):
        decoded = images.decode(many / table["path"][position])
        wanted = images.prepare_image(decoded.pixels, SMALL)
        assert (result.pixels[position] == wanted).all()
    assert told[-1] == ("preparing", 200, 200)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


def test_unreadable_files_are_left_out(class_folders: Path) -> None:
    table = table_of(class_folders)
    (class_folders / "dark" / "dark_000.png").write_text("no image any more")
    (class_folders / "light" / "light_011.png").unlink()
    result = prepare(class_folders, table, SMALL)
    assert set(result.failed) == {"dark/dark_000.png", "light/light_011.png"}
    assert "is not an image" in result.failed["dark/dark_000.png"]
    assert len(result.pixels) == len(result.table) == 22
    assert result.table["path"][0] == "dark/dark_001.png"
    first = images.decode(class_folders / "dark" / "dark_001.png").pixels
    assert (result.pixels[0] == images.prepare_image(first, SMALL)).all()


def test_nothing_outside_the_allowed_roots_is_prepared(class_folders: Path) -> None:
    """Neither a path of a planted split.csv nor what a later link points at."""
    secret = class_folders.parents[1] / "secret.png"
    (class_folders / "dark" / "dark_001.png").rename(secret)
    (class_folders / "dark" / "dark_001.png").symlink_to(secret)
    paths = ["dark/dark_000.png", "dark/dark_001.png", "../../secret.png", str(secret)]
    result = prepare(class_folders, pd.DataFrame({"path": paths}), SMALL)
    assert list(result.table["path"]) == paths[:1] and len(result.pixels) == 1
    assert all("outside the folders" in reason for reason in result.failed.values())


def test_nothing_readable_is_a_data_error(class_folders: Path) -> None:
    table = table_of(class_folders)
    for path in table["path"]:
        (class_folders / path).write_text("no image")
    for _ in range(2):
        with pytest.raises(DataError, match="None of the 24 images of easy"):
            prepare(class_folders, table, SMALL)


def test_prepared_once(class_folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = table_of(class_folders)
    first = prepare(class_folders, table, SMALL)

    def fail(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(prepared, "decode_chunk", fail)
    assert prepare(class_folders, table, SMALL).folder == first.folder


def test_key_follows_files_order_and_preprocessing(class_folders: Path) -> None:
    paths = table_of(class_folders)["path"].tolist()
    keys = {
        prepared.prepared_folder(class_folders, paths, SMALL),
        prepared.prepared_folder(class_folders, paths[1:], SMALL),
        prepared.prepared_folder(class_folders, paths[::-1], SMALL),
        prepared.prepared_folder(class_folders, paths, Preprocessing(28)),
    }
    os.utime(class_folders / paths[0], (1, 1))
    keys.add(prepared.prepared_folder(class_folders, paths, SMALL))
    assert len(keys) == 5


def test_cancelled_half_way_it_goes_on(
    many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    table = table_of(many)
    job = Job(lambda phase, done, total: told.append(done), lambda: any(told))
    with pytest.raises(Cancelled):
        prepare(many, table, SMALL, job)
    finished = told[-1]
    assert 0 < finished < 200
    decoded: list[Any] = []
    original = prepared.decode_chunk

    def spy(rows: list[Any], *rest: Any) -> dict[str, str]:
        decoded.extend(rows)
        return original(rows, *rest)

    monkeypatch.setattr(prepared, "decode_chunk", spy)
    monkeypatch.setattr(prepared.pool, "FEW", 1000)
    result = prepare(many, table, SMALL)
    assert len(decoded) <= 200 - finished
    means = result.pixels[:, 14, 14, 0]
    assert (result.pixels.reshape(200, -1).max(1) > 0).all()
    assert means.shape == (200,)
    assert sorted(p.name for p in result.folder.iterdir()) == [
        "lock",
        "pixels.npy",
        "prepared.json",
    ]


def test_killed_at_any_time_nothing_half_done_is_trusted(many: Path) -> None:
    table = table_of(many)
    script = (
        "import sys; import pandas as pd; from pathlib import Path;"
        "from medmodel.core.preprocessing import Preprocessing;"
        "from medmodel.data.prepared import prepare;"
        "folder = Path(sys.argv[1]);"
        "table = pd.DataFrame({'path': sys.stdin.read().split()});"
        "prepare(folder, table, Preprocessing(28, 'pad', 'grey'),"
        " lambda *a: print(*a, flush=True))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(many)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin and process.stdout
    process.stdin.write("\n".join(table["path"]))
    process.stdin.close()
    process.stdout.readline()
    process.kill()
    process.wait()
    process.stdout.close()
    result = prepare(many, table, SMALL)
    for position in range(0, 200, 20):
        decoded = images.decode(many / table["path"][position])
        assert (
            result.pixels[position] == images.prepare_image(decoded.pixels, SMALL)
        ).all()


@pytest.mark.parametrize("leftover", ["pixels.part", "pixels.npy", "chunks.jsonl"])
def test_leftovers_of_other_deaths_are_not_trusted(
    class_folders: Path, leftover: str
) -> None:
    table = table_of(class_folders)
    place = prepared.prepared_folder(class_folders, table["path"].tolist(), SMALL)
    place.mkdir(parents=True)
    (place / leftover).write_text('{"rows": [0, 1], "failed": {}}\n{"ro')
    result = prepare(class_folders, table, SMALL)
    assert (result.pixels.reshape(24, -1).max(1) > 0).all()


@pytest.mark.parametrize("name", ["pixels.part", "chunks.jsonl"])
@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_nothing_is_written_through_what_is_no_file(
    class_folders: Path, tmp_path: Path, name: str, kind: str
) -> None:
    table = table_of(class_folders)
    place = prepared.prepared_folder(class_folders, table["path"].tolist(), SMALL)
    place.mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.write_bytes(b"secret")
    if kind == "link":
        (place / name).symlink_to(outside)
    elif kind == "pipe":
        os.mkfifo(place / name)
    else:
        (place / name).mkdir()
    result = prepare(class_folders, table, SMALL)
    assert (result.pixels.reshape(24, -1).max(1) > 0).all()
    assert outside.read_bytes() == b"secret"


def test_full_disk_passes_through(
    class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    table = table_of(class_folders)
    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        with pytest.raises(OSError, match="No space left"):
            prepare(class_folders, table, SMALL)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(OSError, match="No space left"):
            prepare(class_folders, table, SMALL)
    result = prepare(class_folders, table, SMALL)
    assert (result.pixels.reshape(24, -1).max(1) > 0).all()


def test_second_run_waits_for_the_first(class_folders: Path) -> None:
    table = table_of(class_folders)
    place = prepared.prepared_folder(class_folders, table["path"].tolist(), SMALL)
    lock = Lock(place / "lock")
    assert lock.acquire()
    told: list[str] = []
    waiting = threading.Event()

    def progress(phase: str, done: int, total: int) -> None:
        told.append(phase)
        waiting.set()

    results: list[prepared.Prepared] = []
    thread = threading.Thread(
        target=lambda: results.append(
            prepare(class_folders, table, SMALL, Job(progress))
        )
    )
    thread.start()
    assert waiting.wait(20)
    assert "waiting" in told[0]
    assert not results
    lock.release()
    thread.join(60)
    assert len(results[0].pixels) == 24


def test_who_waited_does_not_decode_again(
    class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = table_of(class_folders)
    wait = prepared._wait_for_lock

    def another_was_first(place: Path, *others: Any) -> Lock:
        monkeypatch.setattr(prepared, "_wait_for_lock", wait)
        prepare(class_folders, table, SMALL)
        monkeypatch.setattr(prepared, "_decode_all", None)
        return wait(place, *others)

    monkeypatch.setattr(prepared, "_wait_for_lock", another_was_first)
    assert len(prepare(class_folders, table, SMALL).pixels) == 24


def test_pixels_are_on_the_disk_before_they_count(
    class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = table_of(class_folders)
    place = prepared.prepared_folder(class_folders, table["path"].tolist(), SMALL)
    noted: list[str] = []
    sync = os.fdatasync
    monkeypatch.setattr(unfinished_array, "_SETTLE_EVERY", -1.0)

    def spy(file: int) -> None:
        noted.append((place / "chunks.jsonl").read_text())
        sync(file)

    monkeypatch.setattr(os, "fdatasync", spy)
    prepare(class_folders, table, SMALL)
    lines = [text.count("\n") for text in noted]
    # Chunk after chunk, each noted after its pixels are safe.
    assert lines == [*range(len(lines) - 1), len(lines) - 1] and len(lines) > 2


def test_waiting_can_be_cancelled(class_folders: Path) -> None:
    table = table_of(class_folders)
    place = prepared.prepared_folder(class_folders, table["path"].tolist(), SMALL)
    with Lock(place / "lock"), pytest.raises(Cancelled):
        prepare(class_folders, table, SMALL, job=Job(cancelled=lambda: True))


def test_odd_files_are_prepared_too(real_data: Callable[[str], Path]) -> None:
    folder = real_data("image_edge_cases")
    paths = [f"tiny_or_huge/{name}.png" for name in ("one_pixel", "strip_4000x3")]
    result = prepare(folder, pd.DataFrame({"path": paths}), Preprocessing(32))
    assert result.pixels.shape == (2, 32, 32, 3)
    assert result.failed == {}


def test_a_file_of_many_pictures_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = draw_stacks(tmp_path / "stacks")
    names = [f"dark/stack0.tif#frame={n}" for n in (2, 3, 5)]
    names += ["dark/one0.png", *(f"light/loop0.gif#frame={n}" for n in (4, 9))]
    read: list[str] = []
    original = images.read_data_file

    def spy(folder: Path, path: str) -> bytes:
        read.append(path)
        return original(folder, path)

    monkeypatch.setattr(images, "read_data_file", spy)
    monkeypatch.setattr(pool, "SHARES", 1)  # all in one chunk
    monkeypatch.setattr(pool, "cores", lambda: 1)
    result = prepare(folder, pd.DataFrame({"path": names}), SMALL)
    assert read == ["dark/stack0.tif", "dark/one0.png", "light/loop0.gif"]
    assert list(result.failed) == names[-1:]
    assert "frame=9 has no frame 9: it has 4" in result.failed[names[-1]]
    for pixels, name in zip(result.pixels, names[:-1], strict=True):
        decoded = images.decode(folder / name).pixels
        assert (pixels == images.prepare_image(decoded, SMALL)).all()


def flipped(path: Path, position: int) -> bytes:
    """A file's content with one bit that is another."""
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    return bytes(content)


def test_of_damaged_pixels_nothing_is_kept(class_folders: Path) -> None:
    table = table_of(class_folders)
    place = prepare(class_folders, table, SMALL).folder
    pixels, features = place / "pixels.npy", place / "features_net_1.npy"
    features.touch()
    prepare(class_folders, table, SMALL)
    assert features.exists()
    pixels.write_bytes(flipped(pixels, -1))
    prepare(class_folders, table, SMALL)
    assert not features.exists()


def test_pixels_of_earlier_versions_have_no_digest(class_folders: Path) -> None:
    table = table_of(class_folders)
    place = prepare(class_folders, table, SMALL).folder
    (place / "prepared.json").write_text('{"failed": {}}')
    content = flipped(place / "pixels.npy", -1)
    (place / "pixels.npy").write_bytes(content)
    prepare(class_folders, table, SMALL)
    assert (place / "pixels.npy").read_bytes() == content


def test_looking_at_pixels_can_be_cancelled(class_folders: Path) -> None:
    table = table_of(class_folders)
    prepare(class_folders, table, SMALL)
    with pytest.raises(Cancelled):
        prepare(class_folders, table, SMALL, Job(cancelled=lambda: True))


def test_a_damaged_array_is_decoded_again(class_folders: Path) -> None:
    table = table_of(class_folders)
    before = prepare(class_folders, table, SMALL)
    expected = np.array(before.pixels)
    pixels, facts = before.folder / "pixels.npy", before.folder / "prepared.json"
    for path, content in (
        (pixels, b""),
        (pixels, b"no array"),
        (pixels, pixels.read_bytes()[:-100]),
        (pixels, flipped(pixels, -1)),
        (pixels, flipped(pixels, -SMALL.size)),
        (facts, b"{"),
        (facts, b"[]"),
        (facts, b'{"failed": ["dark/dark_000.png"]}'),
        (facts, b'{"failed": {"dark/dark_000.png": "lost"}}'),
    ):
        path.write_bytes(content)
        assert (prepare(class_folders, table, SMALL).pixels == expected).all()
    pixels.unlink()
    assert (prepare(class_folders, table, SMALL).pixels == expected).all()

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from medmodel.core.errors import ConfigError, DataError
from medmodel.core.locks import Lock
from medmodel.core.processes import background
from medmodel.core.storage import read_json, write_json
from medmodel.data import curation, datasets
from medmodel.imaging import images
from medmodel.quality import assessment, indexing, report_store, thumbnails
from tests.conftest import draw_class_folders


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def ended(folder: Path) -> bool:
    return not indexing.indexing_state(folder).running


@pytest.fixture
def patients(tmp_path: Path) -> Path:
    """Two classes of images named after patients, one image under two labels."""
    folder = draw_class_folders(tmp_path / "data" / "wards")
    for path in sorted(folder.rglob("*.png")):
        label, number = path.stem.split("_")
        patient = int(number) // 2 + (20 if label == "light" else 1)
        path.rename(path.with_name(f"patient{patient:02}_{int(number) % 2}.png"))
    twin = folder / "light" / "patient20_0.png"
    twin.write_bytes((folder / "dark" / "patient01_0.png").read_bytes())
    return folder


def test_a_process_of_its_own_checks_and_leaves_all_the_page_needs(
    patients: Path,
) -> None:
    assert indexing.indexing_state(patients).phase == ""
    assert report_store.load_report(patients) is None
    indexing.start_indexing(patients)
    assert indexing.indexing_state(patients).running
    indexing.start_indexing(patients)  # no second one
    wait_for(lambda: ended(patients))
    state = indexing.indexing_state(patients)
    assert (state.phase, state.error) == ("finished", "")
    assert (state.done, state.total) == (24, 24)
    report = report_store.load_report(patients)
    assert report is not None
    assert report.num_patients == 12
    assert report.level == "warning"
    assert report_store.load_pattern(patients) != ""
    index = datasets.load_index(patients)
    assert index is not None
    assert index.fingerprint == report.fingerprint
    strip = images.decode(thumbnails.class_strip(patients, "dark")).pixels
    assert strip.shape[0] == thumbnails.SAMPLE_SIDE
    twin = thumbnails.duplicate_thumbnail(patients, report.duplicates[0].paths[0])
    assert images.decode(twin).pixels.shape[0] == thumbnails.DUPLICATE_SIDE


def test_what_is_wrong_is_told_in_a_sentence(tmp_path: Path) -> None:
    folder = draw_class_folders(tmp_path / "data" / "one", ("only",))
    indexing.start_indexing(folder)
    wait_for(lambda: ended(folder))
    state = indexing.indexing_state(folder)
    assert state.phase == "failed"
    assert "only the class 'only'" in state.error


def test_a_bad_check_keeps_the_last_good_report(patients: Path) -> None:
    indexing.check_folder(patients)
    for path in (patients / "dark").iterdir():
        path.unlink()
    indexing.start_indexing(patients)
    wait_for(lambda: ended(patients))
    assert indexing.indexing_state(patients).phase == "failed"
    assert report_store.load_report(patients) is not None


def test_killed_it_says_so_and_can_start_again(tmp_path: Path) -> None:
    folder = draw_class_folders(
        tmp_path / "data" / "big", images_per_class=400, size=64
    )
    indexing.start_indexing(folder)
    wait_for(lambda: indexing.indexing_state(folder).phase == "checking")
    os.kill(background._processes[-1].pid, signal.SIGKILL)
    wait_for(lambda: ended(folder))
    state = indexing.indexing_state(folder)
    assert "ended without a word" in state.error
    indexing.start_indexing(folder)
    wait_for(lambda: ended(folder))
    assert indexing.indexing_state(folder).error == ""


def test_a_process_that_never_came_up_is_noticed(class_folders: Path) -> None:
    state = indexing.index_folder(class_folders) / "state.json"
    write_json(state, {"phase": "starting", "started": time.time() - 60})
    found = indexing.indexing_state(class_folders)
    assert not found.running
    assert "ended without a word" in found.error


def test_a_clock_that_was_put_back_lets_nothing_run_for_ever(
    class_folders: Path,
) -> None:
    state = indexing.index_folder(class_folders) / "state.json"
    write_json(state, {"phase": "starting", "started": time.time() + 86_400})
    assert not indexing.indexing_state(class_folders).running


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", '{"phase": 5, "started": "now"}'),
        '{"version": 1, "report": {}, "findings": [{}], "pattern": 1}',
    ],
)
def test_damaged_files_are_as_good_as_none(class_folders: Path, text: str) -> None:
    place = indexing.index_folder(class_folders)
    place.mkdir(parents=True)
    for name in ("state", "report", "findings", "measured"):
        (place / f"{name}.json").write_text(text)
    state = indexing.indexing_state(class_folders)
    assert (state.phase, state.running, state.error) == ("", False, "")
    assert report_store.load_report(class_folders) is None
    assert report_store.load_issues(class_folders) is None
    assert report_store.load_pattern(class_folders) == ""


@pytest.mark.parametrize("text", ["{", "[]", '{"all": [{"odd": 1}]}'])
def test_damaged_decisions_are_not_passed_over(class_folders: Path, text: str) -> None:
    place = indexing.index_folder(class_folders)
    place.mkdir(parents=True)
    (place / "actions.json").write_text(text)
    with pytest.raises(DataError, match=r"actions\.json is damaged"):
        indexing.decisions(class_folders)


def test_decisions_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    def decide(number: int) -> None:
        curation.add(tmp_path, curation.Action("leave_out", str(number)))

    with ThreadPoolExecutor(8) as people:
        list(people.map(decide, range(24)))
    reasons = {action.reason for action in curation.actions(tmp_path)}
    assert reasons == {str(number) for number in range(24)}


def test_whoever_holds_the_lock_is_at_work(class_folders: Path) -> None:
    state = indexing.index_folder(class_folders) / "state.json"
    write_json(state, {"phase": "checking", "done": 5, "total": 9})
    with Lock(state.with_name("lock")):
        found = indexing.indexing_state(class_folders)
    assert found.running
    assert (found.done, found.total, found.error) == (5, 9, "")


def test_a_chosen_pattern_outlives_the_next_check(patients: Path) -> None:
    indexing.check_folder(patients)
    report = indexing.report_with_pattern(patients, "")
    assert report.num_patients == 0
    assert report_store.load_pattern(patients) == ""
    indexing.check_folder(patients)
    assert report_store.load_pattern(patients) == ""
    assert report_store.load_report(patients) == report
    with pytest.raises(ConfigError):
        indexing.report_with_pattern(patients, "(")


def test_findings_follow_the_pattern_at_once(
    patients: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few patients of a class are found by the pattern, without opening an image."""
    indexing.check_folder(patients)

    def kinds() -> set[str]:
        return {f.kind for f in report_store.load_issues(patients) or []}

    assert "few-patients" in kinds()
    monkeypatch.setattr(assessment, "measure", None)
    indexing.report_with_pattern(patients, "")
    assert "few-patients" not in kinds()
    indexing.report_with_pattern(patients, r"(patient\d+)")
    assert "few-patients" in kinds()


def test_reports_of_other_versions_are_not_shown(class_folders: Path) -> None:
    indexing.check_folder(class_folders)
    path = indexing.index_folder(class_folders) / "report.json"
    write_json(path, {**read_json(path), "version": 0})
    assert report_store.load_report(class_folders) is None
    assert report_store.load_pattern(class_folders) == ""


def test_state_names_the_folder(class_folders: Path) -> None:
    indexing.check_folder(class_folders)
    state = read_json(indexing.index_folder(class_folders) / "state.json")
    assert state["folder"] == str(class_folders)


def test_tiny_pictures_are_enlarged_and_gone_ones_dark(class_folders: Path) -> None:
    small = thumbnails.square_thumbnail(class_folders, "light/light_000.png", 112)
    assert small.shape == (112, 112, 3)
    assert (small[8:104, 8:104].min(), small[0, 0, 0]) > (17, 16)
    gone = thumbnails.square_thumbnail(class_folders, "gone.png", 112)
    assert (gone == 17).all()

"""`medmodel check`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medmodel.quality import indexing
from tests.cli.conftest import Invoke
from tests.conftest import draw_class_folders
from tests.findings_folder import draw_findings_folder


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check runs in this process, before it is waited for."""
    monkeypatch.setattr(
        indexing,
        "start_indexing",
        lambda folder: indexing._task(folder).run(
            lambda: indexing.check_folder(folder)
        ),
    )
    monkeypatch.setattr("os.nice", lambda by: 0)


def test_a_sound_folder(
    class_folders: Path, invoke: Invoke, json_of: Callable[..., Any]
) -> None:
    values = json_of("check", class_folders)
    assert values["dataset"] == str(class_folders) and values["images"] == 24
    assert sorted(values["classes"]) == ["dark", "light"]
    assert sum(values["classes"]["dark"].values()) == 12
    assert values["level"] in ("ok", "warning") and values["unreadable"] == 0
    assert values["unreadable_files"] is None
    assert values["splits_drawn"] == ["train", "val", "test"]
    text = invoke("check", class_folders).stdout
    assert values["verdict"] in text and "24 images\n" in text
    assert "The split is drawn" in text and "cannot be read" not in text
    assert values["baseline"] == {
        "class": "dark",
        "equally_common": ["light"],
        "accuracy": 0.5,
    }
    assert (
        "Baseline (always dark; 2 classes have equally many training images): test "
        "accuracy 0.500." in text
    )


def test_several_findings_have_no_class_to_predict_always(
    tmp_path: Path, invoke: Invoke, json_of: Callable[..., Any]
) -> None:
    folder = draw_findings_folder(tmp_path / "data" / "several")
    values = json_of("check", folder)
    assert values["multi_label"] and set(values["classes"]) > {"bright", "striped"}
    assert values["baseline"] == {
        "class": None,
        "equally_common": [],
        "accuracy": None,
    }
    assert "Baseline" not in invoke("check", folder).stdout


def test_what_cannot_be_split_is_a_failure(
    tmp_path: Path, invoke: Invoke, json_of: Callable[..., Any]
) -> None:
    folder = draw_class_folders(tmp_path / "data" / "single", images_per_class=1)
    values = json_of("check", folder, status=1)
    assert values["level"] == "unsplit" and values["baseline"]["accuracy"] is None
    said = invoke("check", folder, status=1).stdout
    assert said.startswith("No split possible.") and "Baseline" not in said
    assert "is drawn" not in said and "\n\n\n" not in said


def test_leakage_is_a_failure(
    tmp_path: Path, invoke: Invoke, json_of: Callable[..., Any]
) -> None:
    folder = tmp_path / "data" / "leaky"
    for split, seed in (("train", 1), ("test", 2)):
        draw_class_folders(folder / split, seed=seed)
    copied = folder / "train" / "dark" / "dark_000.png"
    shutil.copy(copied, folder / "test" / "dark" / "Jane_Doe.png")
    values = json_of("check", folder, status=1)
    assert values["level"] == "problem"
    findings = {f["kind"]: f for f in values["findings"]}
    assert findings["same-splits"]["count"] == 1
    assert findings["same-splits"]["files"] is None
    said = invoke("check", folder, status=1).stdout
    assert said.startswith("Data leakage found.") and "Jane" not in said
    assert "Drawn, patients kept together: validation." in said or "val" in said


def test_files_are_named_when_asked(
    class_folders: Path, invoke: Invoke, json_of: Callable[..., Any]
) -> None:
    (class_folders / "dark" / "Jane_Doe.png").write_bytes(b"no image")
    (class_folders / "dark" / "notes.txt").write_text("x")
    hidden = invoke("check", class_folders).stdout
    assert "1 file cannot be read." in hidden and "Jane" not in hidden
    assert "Jane" in invoke("check", class_folders, "--files").stdout
    assert "Jane" not in str(json_of("check", class_folders))
    (file,) = json_of("check", class_folders, "--files")["unreadable_files"]
    assert file["path"] == "dark/Jane_Doe.png" and file["reason"]


def test_a_failed_check_is_told(
    monkeypatch: pytest.MonkeyPatch, class_folders: Path, invoke: Invoke
) -> None:
    task = indexing._task(class_folders)
    monkeypatch.setattr(
        indexing,
        "start_indexing",
        lambda folder: task.write("failed", error="There is one class."),
    )
    assert (
        "Error: There is one class." in invoke("check", class_folders, status=1).stderr
    )


def test_a_check_without_a_report_is_told(
    monkeypatch: pytest.MonkeyPatch, class_folders: Path, invoke: Invoke
) -> None:
    monkeypatch.setattr(indexing, "start_indexing", lambda folder: None)
    assert "left no report" in invoke("check", class_folders, status=1).stderr


def test_no_folder_is_wrong_use(invoke: Invoke) -> None:
    assert "no folder 'nowhere'" in invoke("check", "nowhere", status=2).stderr


def test_ctrl_c_ends_the_waiting_alone(
    monkeypatch: pytest.MonkeyPatch, class_folders: Path, invoke: Invoke
) -> None:
    def interrupt(folder: Path) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(indexing, "indexing_state", interrupt)
    said = invoke("check", class_folders, status=130).stderr
    assert f"The check goes on. See it: medmodel check {class_folders}" in said

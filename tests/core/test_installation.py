"""What is missing of a requirements file, and how it is told."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest

from medmodel.core import installation


def requirements(folder: Path, *lines: str) -> Path:
    path = folder / "requirements.txt"
    path.write_text("\n".join(lines))
    return path


def test_nothing_of_our_own_requirements_is_missing() -> None:
    assert installation.missing_packages() == []


def test_names_are_told_from_versions_extras_and_comments(tmp_path: Path) -> None:
    path = requirements(
        tmp_path,
        *("# tensorflow", "", "-r other.txt", "--no-index", "pytest>=1,<99"),
        *("absent-one[extra]>=2", "  numpy", "Absent.Two==1 ; python_version > '3'"),
        *("PILLOW", "scikit_image"),
    )
    assert installation.missing_packages(path) == ["absent-one", "Absent.Two"]


def test_another_build_of_the_same_module_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = requirements(tmp_path, "built-otherwise")
    assert installation.missing_packages(path) == ["built-otherwise"]
    (tmp_path / "built_otherwise.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert installation.missing_packages(path) == []


def test_no_file_asks_for_nothing(tmp_path: Path) -> None:
    assert installation.missing_packages(tmp_path / "absent.txt") == []


@pytest.mark.parametrize(
    ("packages", "start"),
    [
        (["one"], "A package is missing: one. "),
        (["one", "two"], "2 packages are missing: one, two. "),
    ],
)
def test_the_command_can_be_pasted(packages: list[str], start: str) -> None:
    path = Path("/srv/my apps/requirements.txt")
    sentence = installation.how_to_install(packages, path)
    assert sentence.startswith(start) and "\n" not in sentence
    command = shlex.split(sentence.partition("with: ")[2])
    assert command == [sys.executable, "-m", "pip", "install", "-r", str(path)]


def test_changes_of_the_program_are_seen_in_every_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("worker.py", "runs/queue.py", "runs/notes.txt"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    monkeypatch.setattr(installation, "PROGRAM", tmp_path)
    program = installation.program_stamps()
    os.utime(tmp_path / "runs" / "notes.txt", (1, 1))
    assert installation.program_stamps() == program
    os.utime(tmp_path / "runs" / "queue.py", (1, 1))
    changed = installation.program_stamps()
    assert changed != program
    (tmp_path / "runs" / "added.py").touch()
    assert installation.program_stamps() != changed

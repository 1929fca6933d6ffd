"""All commands: lazily imported, in the terminal's language, errors as one sentence."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from medmodel import __main__ as entrance
from medmodel import cli
from medmodel.cli import COMMANDS, medmodel_command, terminal_language
from medmodel.core.config import TrainConfig
from medmodel.core.errors import ConfigError, DataError
from medmodel.language import _
from medmodel.runs.run_store import RunStore
from tests.cli.conftest import Invoke

ROOT = Path(__file__).resolve().parents[2]


def in_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The real entry in a real process."""
    return subprocess.run(
        [sys.executable, "-m", "medmodel", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_explains_itself(name: str, invoke: Invoke) -> None:
    text = invoke(name, "--help").stdout
    assert f"{name} [OPTIONS]" in text and "--json" in text
    command = medmodel_command.get_command(click.Context(medmodel_command), name)
    assert command is not None and command.name == name


def test_help_lists_every_command(invoke: Invoke) -> None:
    text = invoke("--help").stdout
    listed = text.split("Commands:")[1]
    assert re.findall(r"^  ([\w-]+)", listed, re.M) == list(COMMANDS)


def test_an_unknown_command_is_wrong_use(invoke: Invoke) -> None:
    assert "No such command 'chekc'" in invoke("chekc", status=2).stderr


def test_what_a_command_does_not_need_is_not_imported(workspace: Path) -> None:
    RunStore(workspace).create(TrainConfig("/data"))
    code = (
        "import sys; from medmodel.cli import medmodel_command\n"
        "medmodel_command(['list'], standalone_mode=False)\n"
        "heavy = {'numpy', 'pandas', 'tensorflow', 'streamlit', 'babel', 'psutil'}\n"
        "sys.exit(str(heavy & set(sys.modules) or ''))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert ended.returncode == 1 and ended.stderr.strip() == "", ended.stderr
    assert "Instant on data" in ended.stdout


def test_no_module_of_the_commands_imports_tensorflow_or_streamlit() -> None:
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "medmodel" / "cli").rglob("*.py")
    ]
    code = (
        f"import importlib, sys\nfor name in {names}: importlib.import_module(name)\n"
        "sys.exit(bool({'tensorflow', 'keras', 'streamlit'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_the_real_entry_and_its_exit_statuses(workspace: Path) -> None:
    ended = in_process("list", "--json")
    assert ended.returncode == 0 and json.loads(ended.stdout)["runs"] == []
    assert in_process("list", "--limit", "-1").returncode == 2
    assert in_process("check").returncode == 2
    assert in_process("--version").stdout.startswith("MedModel, version ")


@pytest.mark.parametrize("brought", [(), ("click",)])
def test_missing_packages_are_named_by_the_real_entry(
    brought: tuple[str, ...], tmp_path: Path
) -> None:
    for name in brought:
        spec = importlib.util.find_spec(name)
        assert spec and spec.origin
        (tmp_path / name).symlink_to(Path(spec.origin).parent)
    # Without `site` this Python has its standard library alone.
    ended = subprocess.run(
        [sys.executable, "-S", "-m", "medmodel", "list"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    assert re.match(r"\d+ packages are missing: .*msgspec", ended.stderr)


def test_the_installed_command_is_the_same_entry() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    entry = re.search(r'^medmodel = "([\w.]+):(\w+)"$', text, re.M)
    assert entry is not None
    assert getattr(importlib.import_module(entry[1]), entry[2]) is entrance.main


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh_Hans"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "C", "LC_MESSAGES": "zh_CN"}, "zh_Hans"),
        ({"LANG": "C", "LANGUAGE": "zh_CN:en"}, "zh_Hans"),
        ({"LANG": "de_DE@euro"}, "en"),
        ({"LANG": "POSIX"}, "en"),
        ({"LANG": ""}, "en"),
    ],
)
def test_the_terminal_chooses_the_language(
    variables: dict[str, str], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert terminal_language() == language


def test_json_is_english_whatever_the_terminal_speaks(
    monkeypatch: pytest.MonkeyPatch, workspace: Path, invoke: Invoke
) -> None:
    RunStore(workspace).create(TrainConfig("/data"))
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert json.loads(invoke("list", "--json").stdout)["runs"][0]["state"] == "queued"
    assert "排队中" in invoke("list").stdout


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (DataError("The folder is gone."), 1, "Error: The folder is gone."),
        (ConfigError("size", "Too small."), 2, "Error: Too small."),
        (
            OSError(errno.ENOSPC, "No space left", "/secret/Jane Doe.png"),
            1,
            "Error: a file cannot be read or written: the disk is full.",
        ),
    ],
)
def test_errors_are_one_sentence(
    error: Exception,
    status: int,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    invoke: Invoke,
) -> None:
    def broken(*arguments: object) -> Any:
        raise error

    monkeypatch.setattr("medmodel.runs.run_index.entries", broken)
    said = invoke("list", status=status).stderr
    assert sentence in said and "Jane" not in said


@pytest.mark.parametrize("arguments", [("train", "sample"), ("check", "sample")])
def test_a_workspace_that_is_a_file(
    arguments: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    invoke: Invoke,
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("MEDMODEL_WORKSPACE", str(tmp_path / "file"))
    said = invoke(*arguments, status=1).stderr
    assert "what should be a folder is a file" in said


def test_a_mistake_of_ours_is_no_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> Any:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr("medmodel.runs.run_index.entries", broken)
    result = CliRunner().invoke(medmodel_command, ["list"])
    assert isinstance(result.exception, OSError)


def test_a_reader_that_left_is_no_full_disk() -> None:
    assert cli._storage_sentence(OSError(errno.EPIPE, "Broken pipe")) == ""
    assert _("a file") in cli._storage_sentence(OSError(errno.EACCES, "Denied"))

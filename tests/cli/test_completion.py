"""`medmodel completion`: scripts for shells, and what they are answered."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medmodel.cli import COMMANDS, completion
from medmodel.core.config import TrainConfig
from medmodel.runs.run_store import RunStore
from tests.cli.conftest import Invoke

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_scripts(shell: str, invoke: Invoke, json_of: Callable[..., Any]) -> None:
    script = invoke("completion", shell).stdout
    assert f"_MEDMODEL_COMPLETE={shell}_complete" in script and "\ufffd" not in script
    assert json_of("completion", shell) == {"shell": shell, "script": script[:-1]}


def test_another_shell_is_wrong_use(invoke: Invoke) -> None:
    invoke("completion", "cmd", status=2)


def completed(*words: str) -> list[str]:
    """What the real entry answers to the shell, `words[-1]` being completed."""
    environment = {
        **os.environ,
        "_MEDMODEL_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["medmodel", *words]),
        "COMP_CWORD": str(len(words)),
    }
    answered = subprocess.run(
        [sys.executable, "-m", "medmodel"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return [line.partition(",")[2] for line in answered.stdout.splitlines()]


def test_the_real_entry_completes(workspace: Path) -> None:
    assert completed("") == list(COMMANDS)
    run = RunStore().create(TrainConfig("/data"))
    assert completed("evaluate", run.id[:6]) == [run.id]
    assert completed("train", "--prec") == ["--precision"]

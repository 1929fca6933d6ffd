"""Python, packages, processor and TensorFlow, each well and ill."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from medmodel.cli.doctor import python


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ((3, 9), "problem"),
        ((3, 10), "ok"),
        ((3, 13), "ok"),
        ((3, 14), "problem"),
        ((2, 7), "problem"),
    ],
)
def test_versions_of_python(version: tuple[int, int], level: str) -> None:
    finding = python.python_version(version)
    assert finding.level == level and bool(finding.mend) == (level == "problem")


def test_packages_that_are_missing_or_of_another_version(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("# all\nnumpy>=1  # any\nabsent-package>=1\nclick>=100\n")
    missing, other = python.packages(file)
    assert missing.level == "problem" and "absent-package" in missing.sentence
    assert other.level == "warning" and "numpy" not in other.sentence
    assert "click 8." in other.sentence and "(>=100)" in other.sentence
    assert all(str(file) in finding.mend for finding in (missing, other))


def test_packages_as_they_should_be() -> None:
    (finding,) = python.packages()
    assert finding.level == "ok"


@pytest.mark.parametrize(
    ("machine", "cpuinfo", "count"),
    [
        ("x86_64", "flags\t: fpu sse avx avx2\n", 0),
        ("x86_64", "flags\t: fpu sse avx2\n", 1),
        ("x86_64", "", 0),
        ("aarch64", "flags\t: fp asimd\n", 0),
    ],
)
def test_processors_without_avx(machine: str, cpuinfo: str, count: int) -> None:
    assert len(list(python.processor(machine, cpuinfo))) == count


@pytest.mark.parametrize(
    ("status", "printed", "errors", "gpus", "level", "words"),
    [
        (0, "noise\nGPUs 2\n", "", 2, "ok", "GPUs: 2"),
        (0, "GPUs 0\n", "", 0, "ok", "starts"),
        (0, "GPUs 0\n", "Cannot dlopen", 1, "problem", "sees 0 of 1 GPUs"),
        (1, "", "Traceback\nImportError: libx.so\n", 0, "problem", "libx.so"),
        (-4, "", "", 0, "problem", "exit status -4"),
    ],
)
def test_tensorflow(
    status: int, printed: str, errors: str, gpus: int, level: str, words: str
) -> None:
    finding = python._judge_tensorflow(status, printed, errors, gpus)
    assert finding.level == level and words in finding.sentence
    if "sees" in words:
        assert "tensorflow[and-cuda]" in finding.mend


def test_tensorflow_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*arguments: Any, **more: Any) -> Any:
        raise subprocess.TimeoutExpired("python", more["timeout"])

    monkeypatch.setattr(subprocess, "run", hang)
    assert python.tensorflow_finding(0).level == "problem"

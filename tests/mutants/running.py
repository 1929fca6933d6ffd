"""Runs tests on a mutated copy of the repository, never on the checkout itself."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path

import psutil

from .finding import Mutation

# A test that takes longer hangs; the slowest takes half a minute on an idle machine.
HANGS = 600
_MARK = "MEDMODEL_MUTANT"
_FAILED = re.compile(r"^(?:FAILED|ERROR) (tests/[\w/.-]+(?:::[\w.-]+)*)", re.MULTILINE)
_STARTED = re.compile(r"^(tests/[\w/.-]+::\w+)", re.MULTILINE)
_HUNG = re.compile(r"Timeout \(\d+:\d\d:\d\d\)!")
# Every call of pytest is a fork of one process that has imported these, nothing of
# ours: most calls take less time than the imports.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(
    [
        *["pytest", "hypothesis.extra.numpy", "pandas", "scipy.optimize"],
        *["scipy.ndimage", "scipy.stats", "sklearn.metrics", "sklearn.linear_model"],
        *["skimage.metrics", "pydicom", "nibabel", "tifffile", "reportlab.platypus"],
        *["plotly.graph_objects", "streamlit.testing.v1", "keras"],
    ]
)


@dataclass(frozen=True)
class Outcome:
    """What tests said.

    Attributes:
        failed: Tests that failed, without parameters.
        timed_out: Whether the time of the whole call was up.
        hung: Whether the test that failed was ended after `HANGS` seconds.
    """

    failed: list[str]
    timed_out: bool = False
    hung: bool = False


class Copy:
    """A copy of all files that git does not ignore, with temporary files of its own.

    Processes that tests start run in it, and import from it.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self.folder = folder / "repository"
        self._temporary = folder / "temporary"
        self._temporary.mkdir(parents=True)
        command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
        listed = subprocess.run(command, cwd=root, check=True, capture_output=True)
        for name in filter(None, listed.stdout.decode().split("\0")):
            if (root / name).is_file():
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / name, self.folder / name)
        data = os.environ.get("MEDMODEL_BENCH_DATA", root.parent / "shared" / "data")
        self._environment = {
            "MEDMODEL_BENCH_DATA": str(Path(data).resolve()),
            "MEDMODEL_WORKSPACE": str(folder / "workspace"),
            "PYTHONPATH": str(self.folder),
            "TMPDIR": str(self._temporary),
            _MARK: str(folder),
        }

    def run_mutated(
        self, mutation: Mutation, stages: list[list[str]], seconds: float
    ) -> Outcome:
        """Runs the stages on the changed file until a test fails."""
        path = self.folder / mutation.path
        source = path.read_bytes()
        try:
            _write(path, mutation.apply(source))
            for tests in filter(None, stages):
                outcome = self.run(["-x", *tests], seconds)
                if outcome.failed or outcome.timed_out:
                    return outcome
            return Outcome([])
        finally:
            _write(path, source)

    def run(self, arguments: list[str], seconds: float) -> Outcome:
        """Runs pytest without browser tests; whoever hangs or crashes failed."""
        options = [
            *["-vv", "-rfE", "--tb=no", "-m", "not browser", "-p", "no:cacheprovider"],
            *["-o", f"faulthandler_timeout={HANGS}", "--hypothesis-seed=0"],
            *["-o", "faulthandler_exit_on_timeout=true", "-p", "no:anyio"],
            *["-W", "ignore::pytest.PytestAssertRewriteWarning"],
        ]
        log = self.folder.with_name("output.txt")
        process = _forks.Process(
            target=_run_pytest,
            args=(self.folder, self._environment, log, [*options, *arguments]),
        )
        process.start()
        try:
            process.join(seconds)
            if process.exitcode is None:
                return Outcome([], timed_out=True)
        finally:
            process.kill()
            process.join()
            self.end_processes()
        return _outcome(process.exitcode, log.read_text(errors="replace"))

    def end_processes(self) -> None:
        """Ends what tests left running, and removes their files."""
        for process in psutil.process_iter():
            try:
                if process.environ().get(_MARK) == self._environment[_MARK]:
                    process.kill()
            except psutil.Error:
                continue
        for entry in self._temporary.iterdir():
            shutil.rmtree(entry, ignore_errors=True)


def _run_pytest(
    folder: Path, environment: dict[str, str], log: Path, arguments: list[str]
) -> None:
    """Runs in a process of its own, which imports and starts all from the folder."""
    import pytest

    os.setsid()
    os.environ.update(environment)
    os.chdir(folder)
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    sys.path[0], tempfile.tempdir = "", None
    with log.open("wb") as output, Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    # Counts while files are collected, too; pytest sets it anew for each test.
    faulthandler.dump_traceback_later(HANGS, exit=True)
    code = pytest.main(arguments)
    sys.stdout.flush()
    os._exit(code)


def _outcome(code: int, output: str) -> Outcome:
    # 5: no test fits, as where all of a file are browser tests.
    if code in {0, 5}:
        return Outcome([])
    if "ERROR: file or directory not found" in output:
        raise RuntimeError(output.strip())
    failed = _FAILED.findall(output) or _STARTED.findall(output)[-1:]
    return Outcome(
        failed or ["while tests were collected"], hung=bool(_HUNG.search(output))
    )


def _write(path: Path, source: bytes) -> None:
    """Writes a source file and forgets what was compiled of it.

    Python recompiles by second and size, which a change may leave as they were.
    """
    path.write_bytes(source)
    Path(cache_from_source(str(path))).unlink(missing_ok=True)

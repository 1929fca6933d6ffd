"""Runs tests on a mutated copy of the repository, never on the checkout itself."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path

import psutil

from .finding import Mutation

# A test that takes longer hangs; the slowest takes half a minute on an idle machine.
HANGS = 300
_MARK = "MEDMODEL_MUTANT"
_FAILED = re.compile(r"^(?:FAILED|ERROR) (tests/[\w/.-]+(?:::[\w.-]+)*)", re.MULTILINE)
_STARTED = re.compile(r"^(tests/[\w/.-]+::\w+)", re.MULTILINE)
# The limit counts while files are collected, too; pytest sets it anew for each test.
_PYTEST = (
    "import faulthandler, sys, pytest;"
    f"faulthandler.dump_traceback_later({HANGS}, exit=True); sys.exit(pytest.main())"
)


@dataclass(frozen=True)
class Outcome:
    """What tests said: those that failed, without parameters; whether time was up."""

    failed: list[str]
    timed_out: bool = False


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
        self._environment = os.environ | {
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
            *["-o", "faulthandler_exit_on_timeout=true"],
        ]
        log = self.folder.with_name("output.txt")
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-c", _PYTEST, *options, *arguments],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            return Outcome([], timed_out=True)
        finally:
            self.end_processes()
        return _outcome(code, log.read_text(errors="replace"))

    def end_processes(self) -> None:
        """Ends pytest and what tests left running, and removes their files."""
        for process in psutil.process_iter():
            try:
                if process.environ().get(_MARK) == self._environment[_MARK]:
                    process.kill()
            except psutil.Error:
                continue
        for entry in self._temporary.iterdir():
            shutil.rmtree(entry, ignore_errors=True)


def _outcome(code: int, output: str) -> Outcome:
    # 5: no test fits, as where all of a file are browser tests.
    if code in {0, 5}:
        return Outcome([])
    if "ERROR: file or directory not found" in output:
        raise RuntimeError(output.strip())
    failed = _FAILED.findall(output) or _STARTED.findall(output)[-1:]
    return Outcome(failed or ["while tests were collected"])


def _write(path: Path, source: bytes) -> None:
    """Writes a source file and forgets what was compiled of it.

    Python recompiles by second and size, which a change may leave as they were.
    """
    path.write_bytes(source)
    Path(cache_from_source(str(path))).unlink(missing_ok=True)

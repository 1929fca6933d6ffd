"""Row damage: files x damages x pages and processes, without an unnamed error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

from medmodel.benchmark import Measurement, at_most
from medmodel.core.environment import REPOSITORY

CASES = 2000


def damage() -> list[Measurement]:
    """A file of a workspace is damaged, then a page is opened or a process works.

    MEDMODEL_DAMAGE_CASES says how many cases are drawn, MEDMODEL_DAMAGE_SEED which.
    """
    count = int(os.environ.get("MEDMODEL_DAMAGE_CASES", CASES))
    cases = list(_cases(count, os.environ.get("MEDMODEL_DAMAGE_SEED", "0")))
    bad = [case for case in cases if case["unnamed"]]
    damages = Counter(case["damage"] for case in cases)
    files = {case["file"].rpartition("/")[2] for case in cases}
    note = (
        f"of {len(cases)} cases ({len(files)} files, {len(damages)} damages, "
        f"{len({case['place'] for case in cases})} pages and processes); "
        + "; ".join(_words(case) for case in bad[:5])
    )
    return [at_most("damage", len(bad), 0, "cases", note)]


def _cases(count: int, seed: str) -> Iterator[dict[str, str]]:
    """What became of each case; one over which the process ends or hangs is bad."""
    done = 0
    while done < count:
        for case in _run_cases(count, seed, done):
            yield case
            done += 1
        if done < count:
            unnamed = "the process ended, or hung"
            where = {"file": f"case {done}", "damage": "", "place": ""}
            yield {**where, "unnamed": unnamed}
            done += 1


def _run_cases(count: int, seed: str, first: int) -> Iterator[dict[str, str]]:
    module = [sys.executable, "-W", "ignore", "-m", "tests.damaged_workspace"]
    with subprocess.Popen(
        [*module, str(count), seed, str(first)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield from map(json.loads, process.stdout)


def _words(case: dict[str, str]) -> str:
    where = f"{case['file']} {case['damage']} on {case['place']}"
    return f"{where}: {case['unnamed'][:200]}"

"""Row damage: files x damages x pages and processes, without an unnamed error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter

from medmodel.benchmark import Measurement, at_most
from medmodel.core.environment import REPOSITORY

CASES = 2000


def damage() -> list[Measurement]:
    """A file of a workspace is damaged, then a page is opened or a process works.

    MEDMODEL_DAMAGE_CASES says how many cases are drawn, MEDMODEL_DAMAGE_SEED which.
    """
    count = int(os.environ.get("MEDMODEL_DAMAGE_CASES", CASES))
    seed = os.environ.get("MEDMODEL_DAMAGE_SEED", "0")
    command = [sys.executable, "-W", "ignore", "-m", "tests.damaged_workspace"]
    done = subprocess.run(
        [*command, str(count), seed],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    cases = [json.loads(line) for line in done.stdout.splitlines()]
    bad = [case for case in cases if case["unnamed"]]
    # A case over which the process itself ended is the worst of all.
    lost = count - len(cases)
    damages = Counter(case["damage"] for case in cases)
    files = {case["file"].rpartition("/")[2] for case in cases}
    note = (
        f"of {len(cases)} cases ({len(files)} files, {len(damages)} damages, "
        f"{len({case['place'] for case in cases})} pages and processes); "
        f"{lost} not reached; " + "; ".join(_words(case) for case in bad[:5])
    )
    return [at_most("damage", len(bad) + lost, 0, "cases", note)]


def _words(case: dict[str, str]) -> str:
    where = f"{case['file']} {case['damage']} on {case['place']}"
    return f"{where}: {case['unnamed'][:200]}"

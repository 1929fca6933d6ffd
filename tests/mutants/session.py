"""Results of a sample: which are known, which are to be run, what they say together."""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from scipy.stats import binomtest

from .finding import Mutation
from .running import Copy
from .sampling import sample
from .selection import Selection

# Of one mutation: its key, line and operator, its state, the test that noticed it.
Result = dict[str, Any]


class Session:
    """One sample of a repository's mutations and what is known of each.

    Attributes:
        mutations: The sample, by number.
        results: Those that are judged to be equivalent, or were run.
    """

    def __init__(self, root: Path, options: argparse.Namespace) -> None:
        self.root, self.options = root, options
        drawn = sample(root, options.count, options.seed, options.package)
        self.mutations = dict(enumerate(drawn, start=1))
        self.file: Path = options.json or root / (
            f"test-results/mutants-{options.package or 'all'}-{options.seed}.json"
        )
        rows = (
            json.loads(self.file.read_text())["mutations"] if self.file.exists() else []
        )
        earlier = {tuple(row["key"]): row for row in rows}
        reasons = _equivalents(root / "tests" / "mutants" / "equivalent.json")
        self.results: dict[int, Result] = {}
        for number, mutation in self.mutations.items():
            row = earlier.get(mutation.key, {})
            if mutation.key in reasons:
                reason = reasons[mutation.key]
                self.results[number] = described(mutation, "equivalent", reason=reason)
            elif row.get("digest") == self._digest(mutation, row.get("test", "")):
                self.results[number] = row | {"line": mutation.line}

    def run(self) -> Iterator[tuple[int, Result]]:
        """Runs what has no result; what is written survives an interruption."""
        wanted = self.options.only or sorted(
            self.mutations.keys() - self.results.keys()
        )
        with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
            jobs = min(self.options.jobs, len(wanted)) or 1
            copies = [Copy(self.root, Path(folder) / str(job)) for job in range(jobs)]
            try:
                for number, result in self._results(wanted, copies):
                    self.results[number] = result
                    self._save()
                    yield number, result
                yield from self._confirmed(copies[0])
            finally:
                for copy in copies:
                    copy.end_processes()
        self._save()

    def _results(
        self, wanted: list[int], copies: list[Copy]
    ) -> Iterator[tuple[int, Result]]:
        end = time.monotonic() + 60 * self.options.minutes
        selection = Selection(self.root)
        free: SimpleQueue[Copy] = SimpleQueue()
        for copy in copies:
            free.put(copy)

        def result_of(number: int) -> Result | None:
            copy = free.get()
            try:
                if time.monotonic() < end:
                    return self._result(self.mutations[number], selection, copy)
            finally:
                free.put(copy)
            return None

        with ThreadPoolExecutor(len(copies)) as pool:
            numbers = {pool.submit(result_of, number): number for number in wanted}
            try:
                for future in as_completed(numbers):
                    if result := future.result():
                        yield numbers[future], result
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
                for copy in copies:
                    copy.end_processes()

    def _result(self, mutation: Mutation, selection: Selection, copy: Copy) -> Result:
        stages = selection.stages(mutation)
        started = time.monotonic()
        outcome = copy.run_mutated(
            mutation, stages if self.options.all else stages[:2], self.options.limit
        )
        test = outcome.failed[0] if outcome.failed else ""
        state = "undecided" if outcome.timed_out else "noticed" if test else "survived"
        return described(
            mutation,
            state,
            test=test,
            hung=outcome.hung,
            seconds=round(time.monotonic() - started),
            digest="" if outcome.timed_out else self._digest(mutation, test),
        )

    def _confirmed(self, copy: Copy) -> Iterator[tuple[int, Result]]:
        """Runs tests without a change: those that fail now have noticed nothing."""
        unconfirmed = {
            number: result
            for number, result in self.results.items()
            if result["state"] == "noticed" and not result.get("confirmed")
        }
        tests = {r["test"] for r in unconfirmed.values() if r["test"].endswith(".py")}
        tests |= {r["test"] for r in unconfirmed.values() if "::" in r["test"]}
        failed = copy.run(sorted(tests), self.options.limit).failed if tests else []
        for number, result in unconfirmed.items():
            self.results[number] = result | {"confirmed": True}
            if result["test"] in failed:
                self.results[number] = result | {"state": "unsound", "digest": ""}
                yield number, self.results[number]

    def _digest(self, mutation: Mutation, test: str) -> str:
        """Changes when the result may: with the source or the test that noticed it.

        For a mutation that survived: with any source or test, and with `--all`.
        """
        paths = [self.root / mutation.path, self.root / test.partition("::")[0]]
        if not test:
            folders = [self.root / name for name in ("medmodel", "pages", "tests")]
            paths = sorted(path for folder in folders for path in folder.rglob("*.py"))
        digest = hashlib.sha256(b"all" if self.options.all and not test else b"")
        for path in filter(Path.is_file, paths):
            digest.update(path.name.encode() + path.read_bytes())
        return digest.hexdigest()

    def _save(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        rows = [{"number": n} | row for n, row in sorted(self.results.items())]
        draft = self.file.with_suffix(".draft")
        draft.write_text(
            json.dumps({"summary": self.summary(), "mutations": rows}, indent=1)
        )
        draft.replace(self.file)

    def summary(self) -> str:
        """The share that was noticed, with its 95 % interval, and what is left out."""
        states = Counter(result["state"] for result in self.results.values())
        states["not run"] = len(self.mutations) - len(self.results)
        noticed = states.pop("noticed", 0)
        judged = noticed + states.pop("survived", 0)
        rest = ", ".join(f"{count} {state}" for state, count in states.items() if count)
        left_out = f" Left out: {rest}." if rest else ""
        if not judged:
            return f"None was judged.{left_out}"
        hung = sum(bool(result.get("hung")) for result in self.results.values())
        if hung:
            left_out = (
                f" {hung} of them by a test that did not come to its end.{left_out}"
            )
        low, high = binomtest(noticed, judged).proportion_ci(method="wilson")
        share = f"{noticed / judged:.1%} (95 % interval {low:.1%} to {high:.1%})"
        return f"{noticed} of {judged} noticed: {share}.{left_out}"


def described(mutation: Mutation, state: str, **facts: str | int) -> Result:
    """A result as it stands in the file."""
    place = {"key": list(mutation.key), "line": mutation.line}
    return place | {"operator": mutation.operator, "state": state, "test": ""} | facts


def _equivalents(file: Path) -> dict[tuple[str, str, str, int], str]:
    """Why mutations change nothing that a test could see, by their keys."""
    rows = json.loads(file.read_text()) if file.exists() else []
    return {
        (row["path"], row["scope"], row["change"], row.get("occurrence", 0)): row[
            "reason"
        ]
        for row in rows
    }

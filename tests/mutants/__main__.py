"""Says what share of a sample of mutations the non-browser tests notice.

python -m tests.mutants --count 40 --seed 1
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from .session import Result, Session, described

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str] | None = None) -> None:
    """Lists or runs a sample.

    Args:
        arguments: Those of the command line if None.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = parsed(arguments)
    session = Session(ROOT, options)
    for number, mutation in session.mutations.items():
        if number in session.results or options.list:
            _say(number, session.results.get(number) or described(mutation, "not run"))
    try:
        if not options.list:
            for number, result in session.run():
                _say(number, result)
    except KeyboardInterrupt:
        print("Interrupted; the same command goes on from here.", file=sys.stderr)
    print(session.summary())


def _say(number: int, result: Result) -> None:
    path, scope, change, _ = result["key"]
    short = change if len(change) < 160 else f"{change[:157]}..."
    place = (
        f"{path}:{result['line']} {scope or 'module'}, {result['operator']}: {short}"
    )
    print(f"{number:4} {result['state']:10} {place}", flush=True)
    if reason := result["test"] or result.get("reason"):
        print(f"{'':15} {reason}", flush=True)


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser("python -m tests.mutants", description=__doc__)
    add = parser.add_argument
    add("--count", type=int, default=150, help="mutations to draw (150)")
    add("--seed", type=int, default=1, help="another seed draws others (1)")
    add("--package", default="", help="only this folder or module, as in core or jobs")
    add("--all", action="store_true", help="run all other tests on those that survive")
    add("--jobs", type=int, choices=[1, 2], default=1, help="how many at a time (1)")
    add("--only", type=int, nargs="+", help="run these again, by number in the sample")
    add("--list", action="store_true", help="show the sample and run nothing")
    add("--json", type=Path, help="file of the results, from which a run goes on")
    add("--limit", type=int, default=1800, help="seconds for one call of pytest (1800)")
    add("--minutes", type=int, default=240, help="start no more after that (240)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()

"""A weighted sample of all mutations of medmodel and pages."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from pathlib import Path

from .finding import Mutation, mutations_of, optional_keywords

# Measures the others; whoever runs it looks at what it prints.
_LEFT_OUT = "medmodel/benchmark/"


def sample(root: Path, count: int, seed: int, package: str = "") -> list[Mutation]:
    """Draws mutations of all modules, one a line at most, in a random order.

    A smaller sample of the same seed is the beginning of a larger one, and editing one
    file hardly changes what is drawn of others: weighted sampling without replacement
    (Efraimidis and Spirakis, Information Processing Letters 97 (2006) 181) with a hash
    in the place of random numbers.

    Args:
        root: Repository.
        count: How many at most.
        seed: Another seed gives another sample.
        package: Only files with a folder or module of this name; empty for all.
    """
    candidates = all_mutations(root)
    places = Counter(mutation.operator for mutation in candidates)

    def order(mutation: Mutation) -> float:
        digest = hashlib.sha256(json.dumps([seed, mutation.key]).encode()).digest()
        uniform = (int.from_bytes(digest[:8], "big") + 1) / 2**64
        return math.log(uniform) * places[mutation.operator] / mutation.weight

    drawn: dict[tuple[str, int], Mutation] = {}
    for mutation in sorted(candidates, key=order, reverse=True):
        if not package or package in Path(mutation.path).with_suffix("").parts:
            drawn.setdefault((mutation.path, mutation.line), mutation)
    return list(drawn.values())[:count]


def all_mutations(root: Path) -> list[Mutation]:
    """All mutations of medmodel and pages, in the order of files and lines."""
    files = {
        path.relative_to(root).as_posix(): path.read_bytes()
        for folder in ("medmodel", "pages")
        for path in sorted((root / folder).rglob("*.py"))
    }
    optional = optional_keywords(files.values())
    return [
        mutation
        for path, source in files.items()
        if not path.startswith(_LEFT_OUT)
        for mutation in mutations_of(path, source, optional)
    ]

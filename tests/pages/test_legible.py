"""Chosen options can be read on a dark page, wherever there are any."""

from __future__ import annotations

import ast
from pathlib import Path

PAGES = Path(__file__).resolve().parents[2] / "pages"
CHOICES = ("segmented_control", "pills")


def test_every_choice_has_legible_labels() -> None:
    calls, plain = 0, []
    for path in PAGES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            if getattr(node.func, "attr", "") not in CHOICES:
                continue
            calls += 1
            labels = {k.arg: ast.unparse(k.value) for k in node.keywords}
            if not labels.get("format_func", "").startswith("legible("):
                plain.append(f"{path.relative_to(PAGES)}:{node.lineno}")
    assert calls > 15 and plain == []

"""The suite itself: what uses public images is marked, skips say what they need."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
TREES = {
    path: ast.parse(path.read_text(encoding="utf-8")) for path in TESTS.rglob("*.py")
}


def reasons_for_skipping(tree: ast.Module) -> list[str]:
    """What `pytest.skip` is called with, a variable as what it was set to."""
    values = {
        ast.unparse(node.targets[0]): ast.unparse(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
    }
    reasons = [
        ast.unparse(node.args[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.skip"
    ]
    return [values.get(reason, reason).lstrip("f\"'") for reason in reasons]


def test_what_uses_public_images_is_marked(request: pytest.FixtureRequest) -> None:
    for item in request.session.items:
        takes = "real_data" in getattr(item, "fixturenames", ())
        assert takes == bool(item.get_closest_marker("real_data")), item.nodeid


def test_only_browser_tests_have_a_browser_and_they_come_last(
    request: pytest.FixtureRequest,
) -> None:
    # A parameter called page is the browser's, and takes all of its tests along.
    with_browser = ["browser_name" in i.fixturenames for i in functions(request)]
    in_folder = ["browser" in i.path.parent.name for i in functions(request)]
    assert with_browser == in_folder == sorted(in_folder)


def functions(request: pytest.FixtureRequest) -> list[pytest.Function]:
    return [i for i in request.session.items if isinstance(i, pytest.Function)]


def test_public_images_are_reached_by_their_fixture_alone() -> None:
    copied = TESTS / "mutants" / "running.py"
    for path in set(TREES) - {TESTS / "conftest.py", copied, Path(__file__).resolve()}:
        source = path.read_text(encoding="utf-8")
        for place in ("REAL_DATA", '"shared" / ', "shared/data"):
            assert place not in source, path


def test_every_skip_says_what_it_needs() -> None:
    reasons = [r for tree in TREES.values() for r in reasons_for_skipping(tree)]
    assert len(reasons) >= 5
    assert all(reason.startswith("needs ") for reason in reasons), reasons


def test_skips_have_one_form() -> None:
    for path in set(TREES) - {Path(__file__).resolve()}:
        source = path.read_text(encoding="utf-8")
        assert "importorskip" not in source and "mark.skip" not in source, path

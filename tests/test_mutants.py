"""Mutation testing: each operator, and a run on a small repository."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.mutants import running
from tests.mutants.__main__ import parsed
from tests.mutants.finding import Mutation, mutations_of, optional_keywords
from tests.mutants.running import Outcome, _outcome
from tests.mutants.sampling import sample
from tests.mutants.selection import Selection
from tests.mutants.session import Session


def changes(source: str, path: str = "medmodel/core/sizes.py") -> list[str]:
    found = mutations_of(path, source.encode(), optional_keywords([source.encode()]))
    for mutation in found:
        compile(mutation.apply(source.encode()), path, "exec")
    return [mutation.change for mutation in found]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("if a: raise ValueError", ["a -> False"]),
        ("if a: b = c\nelse: d = c", ["a -> False", "a -> True"]),
        ("x = a and b", ["a and b -> a", "a and b -> b"]),
        ("x = not a", ["not a -> a"]),
        ("x = [a for a in b if a]", ["a -> True"]),
        ("x = a < b", ["a < b -> a <= b", "a < b -> a >= b"]),
        ("x = a is None", ["a is None -> a is not None"]),
        ("x = a - b", ["a - b -> a + b", "a - b -> b - a"]),
        ("x = a & b", ["a & b -> a | b"]),
        ("x = min(a, b)", ["min -> max"]),
        ("x = rows.any()", ["rows.any -> rows.all"]),
        ("x = f(a, b)", ["f(a, b) -> f(b, a)"]),
        ("x = f(a, key=b)", ["f(a, key=b) -> f(a)"]),
        ("x = 3", ["3 -> 4"]),
        ("x = 0.975", ["0.975 -> 0.95"]),
        ("x = True", ["True -> False"]),
        ("def f() -> float:\n    return a", ["a -> -a"]),
        ("x = a[b:]", ["b -> b + 1"]),
        ("x = a[-1]", ["-1 -> 0", "1 -> 2"]),
        ("with lock:\n    a = b", ["with lock: -> if True:"]),
        ("with a, b as c:\n    d = c", ["with a, b as c: -> with b as c:"]),
        ("try: a = b\nexcept (A, B): c = b", ["(A, B) -> (A,)", "(A, B) -> (B,)"]),
        ("try: a = b\nexcept A: raise", ["raise -> pass"]),
        ("def f() -> bool:\n    return a", ["a -> not a"]),
        ("def f(a):\n    g(a)", ["g(a) -> pass"]),
        ("def f(a):\n    a = b", ["a = b -> pass"]),
        ("def f(a):\n    a.b = c", ["a.b = c -> pass"]),
    ],
)  # fmt: skip
def test_every_operator(source: str, expected: list[str]) -> None:
    assert sorted(changes(source)) == sorted(expected)


@pytest.mark.parametrize(
    "source",
    [
        "def f(a: int = None) -> list[int]: ...",
        "def f():\n    logger.info('%d', 3)",
        "class A:\n    def __repr__(self): return a + b",
        "x = f'{a + 1}'",
        "x = 'a' + b",
        "x = folder / name",
        "x = 'one image' if a else 'many images'",
        "x: A | None = a",
        "TIMEOUT_SECONDS = 3",
        "x = f(timeout=3)",
        "def f(*, a): ...\nx = f(a=b)",
        "if __name__ == '__main__': main()",
        "with warnings.catch_warnings():\n    a = b",
    ],
)
def test_what_no_test_should_pin_is_left_alone(source: str) -> None:
    assert changes(source) == []


def test_sizes_of_what_is_drawn_are_left_alone() -> None:
    assert changes("st.image(a, width=3 * b)", "pages/home/home.py") == []
    assert changes("x = 3 * b", "medmodel/reports/plots.py") == []
    assert changes("with st.container():\n    a = b", "pages/home/home.py") == []


def test_equal_changes_have_keys_of_their_own_that_no_line_above_moves() -> None:
    def keys(source: bytes) -> list[tuple[str, str, str, int]]:
        return [mutation.key for mutation in mutations_of("a.py", source)]

    source = b"def f():\n    x = 3\n    y = 3\n"
    assert keys(source) == [("a.py", "f", "3 -> 4", 0), ("a.py", "f", "3 -> 4", 1)]
    assert keys(b"import ast\n\n" + source) == keys(source)


SIZES = """\
def is_large(size: int) -> bool:
    return size > 10


def is_small(size: int) -> bool:
    return size < 3


def twice(size: int) -> int:
    return size * 2
"""
TEST_SIZES = """\
import subprocess, sys

def test_other_processes_import_what_is_changed() -> None:
    code = (
        "from medmodel.core.sizes import is_large\\n"
        "assert [is_large(n) for n in (9, 10, 11, 12)] == [False, False, True, True]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    files = {
        "app.py": "",
        "medmodel/__init__.py": "",
        "medmodel/core/__init__.py": "",
        "medmodel/core/sizes.py": SIZES,
        "medmodel/core/names.py": "def first(names):\n    return min(names)\n",
        "pages/menu.py": "",
        "tests/core/test_sizes.py": TEST_SIZES,
        "tests/core/test_names.py": (
            "from medmodel.core import names\n\ndef test_never_true():\n    assert 0\n"
        ),
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    return root


def mutation_in(root: Path, path: str, scope: str) -> Mutation:
    found = mutations_of(path, (root / path).read_bytes())
    return next(mutation for mutation in found if mutation.scope == scope)


def test_tests_are_chosen_by_file_name_then_by_what_they_mention(
    repository: Path,
) -> None:
    (repository / "tests/core/test_users.py").write_text(
        "from medmodel.core.sizes import is_large\n"
    )
    (repository / "tests/core/test_page.py").write_text('PAGE = "learn/page.py"\n')
    (repository / "pages/learn").mkdir()
    (repository / "pages/learn/page.py").write_text("from medmodel.core import sizes\n")
    selection = Selection(repository)
    sizes, names = "tests/core/test_sizes.py", "tests/core/test_names.py"
    users, page = "tests/core/test_users.py", "tests/core/test_page.py"

    large = mutation_in(repository, "medmodel/core/sizes.py", "is_large")
    assert selection.stages(large) == [[sizes], [users], [page, names]]
    small = mutation_in(repository, "medmodel/core/sizes.py", "is_small")
    assert selection.stages(small) == [[sizes], [], [users, page, names]]
    sizes_file = repository / sizes
    sizes_file.write_text(f'"""Bounds; units: test_users."""\n{sizes_file.read_text()}')
    selection = Selection(repository)
    assert selection.stages(small) == [[sizes], [users], [page, names]]
    assert selection.stages(large) == [[sizes], [users], [page, names]]


def test_a_smaller_sample_is_the_beginning_of_a_larger_one(repository: Path) -> None:
    larger = sample(repository, 4, seed=1)
    assert len({(mutation.path, mutation.line) for mutation in larger}) == 4
    assert sample(repository, 2, seed=1) == larger[:2]
    assert [m.path for m in sample(repository, 9, seed=1, package="names")] == [
        "medmodel/core/names.py"
    ]


def test_a_test_that_hangs_has_noticed_but_is_counted_apart(repository: Path) -> None:
    started = "tests/core/test_a.py::test_one PASSED\ntests/core/test_a.py::test_two "
    assert _outcome(1, f"{started}Timeout (0:10:00)!\nThread 0x1") == Outcome(
        ["tests/core/test_a.py::test_two"], hung=True
    )
    assert not _outcome(1, f"{started}FAILED").hung

    session = Session(repository, parsed(["--count", "2"]))
    row = {"state": "noticed", "test": "a", "hung": True}
    session.results = {1: row, 2: row | {"hung": False}}
    assert session.summary() == (
        "2 of 2 noticed: 100.0% (95 % interval 34.2% to 100.0%). "
        "1 of them by a test that did not come to its end."
    )


def test_only_the_copy_is_changed_and_equivalents_are_left_out(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A page that was tested before leaves itself as the main module, and forks run it.
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
    running._forks.set_forkserver_preload(["pytest"])  # these tests need nothing else
    found = mutations_of("medmodel/core/sizes.py", SIZES.encode())
    equivalents = [
        {"path": m.path, "scope": m.scope, "change": m.change, "reason": "a test"}
        for m in found
        if m.scope == "twice"
    ]
    (repository / "tests/mutants").mkdir()
    (repository / "tests/mutants/equivalent.json").write_text(json.dumps(equivalents))

    session = Session(repository, parsed(["--count", "4", "--jobs", "2"]))
    for _ in session.run():
        assert (repository / "medmodel/core/sizes.py").read_text() == SIZES
    states = {row["key"][1]: row["state"] for row in session.results.values()}
    assert states == {
        "is_large": "noticed",
        "is_small": "survived",
        "twice": "equivalent",
        "first": "unsound",
    }
    assert session.summary() == (
        "1 of 2 noticed: 50.0% (95 % interval 9.5% to 90.5%). "
        "Left out: 1 equivalent, 1 unsound."
    )

    # The unsound one is run again; what a test does not see needs another test.
    again = Session(repository, parsed(["--count", "4"]))
    assert sorted(again.mutations.keys() - again.results.keys()) == [
        number for number, row in session.results.items() if row["state"] == "unsound"
    ]
    (repository / "tests/core/test_small.py").write_text("")
    renewed = Session(repository, parsed(["--count", "4"]))
    states = {row["key"][1]: row["state"] for row in renewed.results.values()}
    assert states == {"is_large": "noticed", "twice": "equivalent"}

"""The documents say what is true."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from medmodel.benchmark import ROWS

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
MODULES = sorted(
    p
    for p in (ROOT / "medmodel").rglob("*.py")
    if p.name[0] != "_" and p.parent.name != "benchmark"
)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_every_module_stands_in_the_readme(path: Path) -> None:
    assert f"`{path.stem}`" in README


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_every_public_name_is_documented(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), f"{path.name} has no docstring"
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for node in tree.body:
        if isinstance(node, kinds) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{path.name}: {node.name}"


@pytest.mark.parametrize("name", ROWS)
def test_every_benchmark_row_has_its_function(name: str) -> None:
    module, function = ROWS[name][0].split(".")
    source = (ROOT / "medmodel" / "benchmark" / f"{module}.py").read_text()
    assert re.search(rf"^def {function}\(", source, re.MULTILINE)


def test_readme_speaks_of_two_commands_and_its_limits() -> None:
    assert "streamlit run app.py" in README
    assert ".venv/bin/pytest" in README
    assert "not for clinical use" in README.lower()


def test_pictures_of_the_readme_exist() -> None:
    for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (ROOT / target).is_file(), target


@pytest.mark.parametrize("variable", ["MEDMODEL_WORKSPACE", "MEDMODEL_DATA"])
def test_settings_are_documented(variable: str) -> None:
    assert variable in README

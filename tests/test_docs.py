"""The documents name what there is: packages, settings, benchmark rows, files."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from medmodel.benchmark import ROWS

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "medmodel"
README = (ROOT / "README.md").read_text()
BENCHMARKS = (ROOT / "docs" / "benchmarks.md").read_text()
WORKSPACE = (ROOT / "docs" / "workspace.md").read_text()
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MODULES = sorted(PACKAGE.rglob("*.py"))
SOURCE = "\n".join(
    path.read_text()
    for path in [ROOT / "app.py", *MODULES, *(ROOT / "pages").rglob("*.py")]
)
documents = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)


def table_blocks(text: str) -> list[list[str]]:
    """The tables of a Markdown text as lists of lines; code blocks are no tables."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return [block.splitlines() for block in re.findall(r"(?:^\|.*\n?)+", prose, re.M)]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def first_cells(text: str) -> list[str]:
    """What stands in backticks in the first column of a text's tables."""
    rows = [line for block in table_blocks(text) for line in block[2:]]
    return [cells(row)[0].strip("`") for row in rows]


def section(text: str, title: str) -> str:
    """What stands under a heading of the second level."""
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_first_page_says_what_shows_it_starts_it_and_tours_it() -> None:
    parts = (
        *("# MedModel", "Not for clinical use", "assets/screenshot.png"),
        *("## Two commands", ".venv/bin/streamlit run app.py"),
        *("<!-- test command -->", ".venv/bin/pytest", "## Five-minute tour"),
        *("## Settings", "## GPU", "## Cluster", "## The code", "## Limits"),
    )
    places = [README.index(part) for part in parts]
    assert places == sorted(places)


def test_every_package_and_process_has_its_heading_and_the_other_way_round() -> None:
    headings = re.findall(r"^### (.*)$", section(README, "The code"), re.M)
    named = [name for line in headings for name in re.findall(r"`(\w+)`", line)]
    entries = {path.stem for path in PACKAGE.glob("[a-z]*.py")}
    entries |= {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert sorted(named) == sorted(entries)


def test_every_setting_that_is_read_is_in_the_table_and_the_other_way_round() -> None:
    read = set(re.findall(r'"(MEDMODEL_\w+)"', SOURCE))
    documented = first_cells(section(README, "Settings"))
    documented += first_cells(section(BENCHMARKS, "Settings"))
    assert sorted(documented) == sorted(read)


def test_every_benchmark_row_is_documented_once_and_the_other_way_round() -> None:
    measured = BENCHMARKS.split("\n## Settings\n")[0]
    assert sorted(first_cells(measured)) == sorted(ROWS)


def test_benchmarks_in_the_readme_say_the_same_as_in_full() -> None:
    (shown,) = table_blocks(section(README, "Benchmarks"))
    assert set(shown) <= set(BENCHMARKS.splitlines())


def test_every_row_that_misses_its_goal_is_named_in_the_readme() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*)", BENCHMARKS, re.M)
    missed = {
        name for name, said in rows if re.search(r"missed|short of the goal", said)
    }
    (named,) = re.findall(r"which miss their goals: (.*)", README)
    assert missed and missed <= set(re.findall(r"`(\w+)`", named))


@pytest.mark.parametrize("name", ROWS)
def test_every_benchmark_row_has_its_function(name: str) -> None:
    *module, function = ROWS[name][0].split(".")
    place = PACKAGE.joinpath("benchmark", *module)
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    source = file.read_text()
    assert re.search(rf"^def {function}\(", source, re.MULTILINE)


def test_files_of_the_workspace_are_those_that_the_code_names() -> None:
    suffixes = "(?:csv|json|jsonl|key|keras|lock|log|npy|npz|txt)"
    shipped = {path.name for path in (*PACKAGE.rglob("*"), *ROOT.iterdir())}
    # What the benchmark draws are other people's data sets.
    source = "\n".join(p.read_text() for p in MODULES if "benchmark" not in p.parts)
    written = set(re.findall(rf'"(\w+\.{suffixes})"', source)) - shipped
    documented = set(re.findall(rf"(?<![\w*])\w+\.{suffixes}\b", WORKSPACE))
    assert documented == written


@documents
def test_tables_are_whole(document: Path) -> None:
    for block in table_blocks(document.read_text()):
        assert re.fullmatch(r"\|( -+ \|)+", block[1]), block[0]
        assert {len(cells(line)) for line in block} == {len(cells(block[0]))}, block


@documents
def test_links_and_images_lead_somewhere(document: Path) -> None:
    text = document.read_text()
    for target in re.findall(r'\]\(([^)]+)\)|src="([^"]+)"', text):
        path = "".join(target).partition("#")[0]
        if not path.startswith("http"):
            assert (document.parent / path).exists(), path


@documents
def test_modules_and_files_named_in_backticks_exist(document: Path) -> None:
    packages = "|".join(path.name for path in PACKAGE.iterdir() if path.is_dir())
    for name in re.findall(r"`([^`\n]+)`", document.read_text()):
        # Modules are written small; `server.allowedHosts` is a setting of Streamlit.
        if re.fullmatch(rf"(?:{packages})\.[a-z_]+", name):
            assert (PACKAGE / f"{name.replace('.', '/')}.py").is_file(), name
        elif re.match(r"(?:pages|assets|docs|tests|medmodel)/|\w+\.py$", name):
            assert (ROOT / name).exists(), name


@documents
def test_commands_name_modules_that_exist(document: Path) -> None:
    for name in re.findall(r"python -m ([\w.]+)", document.read_text()):
        assert importlib.util.find_spec(name), name


@pytest.mark.parametrize(
    "arguments", [["medmodel.worker", "--help"], ["medmodel.benchmark"]], ids=str
)
def test_commands_answer(arguments: list[str]) -> None:
    assert f"python -m {arguments[0]}" in README
    subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, check=True)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_every_public_name_is_documented(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), f"{path.name} has no docstring"
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for node in tree.body:
        if isinstance(node, kinds) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{path.name}: {node.name}"

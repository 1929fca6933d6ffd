"""The architecture holds: packages import downwards, TensorFlow below a line."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = (
    *(
        "language",
        "core",
        "imaging",
        "runs",
        "cluster",
        "data",
        "evaluation",
        "quality",
        "reports",
        "batch",
        "export",
        "model_import",
        "ensembles",
        "sweeps",
    ),
    # TensorFlow only below this line.
    *("networks", "inference", "training"),
)
FIRST_WITH_TENSORFLOW = PACKAGES.index("networks")
# Their modules have an order; their subpackages, by format and layout, have none.
CYCLIC = {"imaging", "data"}
MODULES = sorted((ROOT / "medmodel").rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def level(package: str) -> int:
    """Processes, which stand beside the packages, come last."""
    return PACKAGES.index(package) if package in PACKAGES else len(PACKAGES)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_packages_import_downwards(path: Path) -> None:
    own = level(path.relative_to(ROOT / "medmodel").parts[0])
    for name in imported(path):
        top, *rest = name.split(".")
        assert top not in ("streamlit", "pages", "app"), f"imports {name}"
        if top in ("tensorflow", "keras"):
            assert own >= FIRST_WITH_TENSORFLOW, f"imports {name}"
        if top == "medmodel" and own < len(PACKAGES):
            assert level(rest[0]) <= own or rest == ["__version__"], f"imports {name}"


def _among_cycles(graph: dict[str, set[str]]) -> set[str]:
    """What cannot be put in an order in which each imports only those before it."""
    done: set[str] = set()
    while ready := [m for m in graph if m not in done and graph[m] <= done]:
        done.update(ready)
    return set(graph) - done


def test_no_import_cycle() -> None:
    names = {".".join(p.relative_to(ROOT).with_suffix("").parts): p for p in MODULES}
    graph = {
        name: {
            other
            for n in imported(path)
            if (other := n if n in names else n.rpartition(".")[0]) in names
        }
        - {name}
        for name, path in names.items()
    }
    cyclic = _among_cycles(graph)
    assert not cyclic, f"cycle among {cyclic}"


@pytest.mark.parametrize("package", PACKAGES)
def test_no_cycle_among_the_parts_of_a_package(package: str) -> None:
    """A subpackage counts whole: what lies below it imports nothing of it."""
    folder = ROOT / "medmodel" / package
    parts = {p.stem for p in folder.iterdir() if p.is_dir() or p.suffix == ".py"}
    graph: dict[str, set[str]] = {part: set() for part in parts}
    for path in folder.rglob("*.py"):
        own = Path(path.relative_to(folder).parts[0]).stem
        names = (name.split(".") for name in imported(path))
        graph[own] |= {n[2] for n in names if n[:2] == ["medmodel", package]}
    graph = {part: (others & parts) - {part} for part, others in graph.items()}
    cyclic = _among_cycles(graph)
    assert not cyclic or package in CYCLIC, f"cycle among {cyclic}"


def test_shell_opens_without_tensorflow() -> None:
    code = (
        "import app, pkgutil, importlib, sys\n"
        f"for package in {PACKAGES[:FIRST_WITH_TENSORFLOW]}:\n"
        "    parent = importlib.import_module(f'medmodel.{package}')\n"
        "    for module in pkgutil.iter_modules(parent.__path__):\n"
        "        importlib.import_module(f'{parent.__name__}.{module.name}')\n"
        "sys.exit('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert done.returncode == 0


def test_packages_are_small() -> None:
    for package in PACKAGES:
        modules = list((ROOT / "medmodel" / package).glob("*.py"))
        assert len(modules) <= 21, f"{package} has {len(modules) - 1} modules"


def test_pages_open_images_in_the_sandbox() -> None:
    # Whole images belong into the processes of the pool: one may be of 300 MB.
    for path in (ROOT / "pages").rglob("*.py"):
        names = [n for n in imported(path) if n.startswith("medmodel.imaging.images")]
        assert not [n for n in names if ".decode" in n or n.endswith(".images")], path

"""The architecture holds: layers, size budget, a light shell."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "medmodel"

# A module may import only from rows above its own.
LAYERS: list[set[str]] = [
    {"errors", "levels", "channels", "scaling", "samples", "paper"},
    {"steps"},
    {"config", "storage", "curation"},
    {"enhance", "sandbox", "windows", "pseudonyms", "confidentiality", "pool"},
    {
        *("frames", "codecs", "elements", "dicom", "nifti"),
        *("headers", "blackout", "deidentify", "scans"),
    },
    {"images", "runs", "audit", "messages", "subgroups"},
    {"folders", "labelled", "importing", "facts", "patterns"},
    {"uploads", "medmnist"},
    {"fetching"},
    {"layout"},
    {
        "datasets",
        "synthetic",
        "devices",
        "reporter",
        "failures",
        "intervals",
    },
    {"splits", "shortcut", "similar", "lettering", "marks", "differences"},
    {
        "checks",
        "prepared",
        "jobs",
        "evaluation",
        "predictor",
        "live",
        "catalogue",
        *("metrics", "calibration", "thresholds", "curves", "gallery", "sketches"),
        "benefit",
        *("repeats", "external", "notes"),
        *("resampling", "comparison", "overview", "familiarity", "conformal"),
        "filtering",
    },
    {"findings", "patients", "quality"},
    {"indexing", "plots", "figures", "overlays", "card"},
    {"report", "sheet"},
    {"dossier"},
    {"server"},
    # TensorFlow only below this line.
    {
        *("pretrained", "roots", "efficientnet", "augmentation", "pipeline", "models"),
        *(
            "cells",
            "hardware",
            "precision",
            "regression",
            "material",
            "saving",
            "callbacks",
        ),
    },
    {"explanation", "attribution", "anatomy", "features", "reference", "prediction"},
    {"instant"},
    {"fitting", "sizing"},
    {"training", "elsewhere"},
    {"worker"},
    {"benchmark"},
]
FIRST_WITH_TENSORFLOW = ["pretrained" in names for names in LAYERS].index(True)
SHELL = sorted(set().union(*LAYERS[:FIRST_WITH_TENSORFLOW]))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def layer_of(module: str) -> int:
    found = [i for i, names in enumerate(LAYERS) if module in names]
    assert found, f"medmodel.{module} stands in no layer: add it to LAYERS"
    return found[0]


MODULES = [p for p in sorted(PACKAGE.rglob("*.py")) if p.name != "__init__.py"]
SOURCES = [*MODULES, ROOT / "app.py", *sorted((ROOT / "pages").rglob("*.py"))]


@pytest.mark.parametrize("path", MODULES, ids=module_of)
def test_imports_go_downwards(path: Path) -> None:
    own = module_of(path)
    for name in imported(path):
        top, _, rest = name.partition(".")
        assert top != "streamlit", f"{path.name} imports streamlit"
        other = rest.split(".")[0]
        if top == "medmodel" and other and other != own and other != "__version__":
            same = {own, other} <= LAYERS[layer_of(own)]
            assert layer_of(other) < layer_of(own) or same, (
                f"{own} may not import {other}"
            )


def test_no_import_cycle() -> None:
    graph = {
        module_of(path): {
            name.split(".")[1]
            for name in imported(path)
            if name.startswith("medmodel.") and name.split(".")[1] != module_of(path)
        }
        for path in MODULES
    }
    done: set[str] = set()
    while ready := [
        m for m in graph if m not in done and graph[m] & set(graph) <= done
    ]:
        done.update(ready)
    assert set(graph) == done, f"cycle among {set(graph) - done}"


@pytest.mark.parametrize("path", MODULES, ids=module_of)
def test_tensorflow_only_below_the_line(path: Path) -> None:
    names = {name.split(".")[0] for name in imported(path)}
    if layer_of(module_of(path)) < FIRST_WITH_TENSORFLOW:
        assert not names & {"tensorflow", "keras"}


def test_shell_opens_without_tensorflow() -> None:
    modules = ", ".join(f"medmodel.{name}" for name in SHELL)
    code = f"import app, {modules}, sys; sys.exit('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_size_budget(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 400, f"{path.name} is longer than 400 lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = len((ast.get_docstring(node) or "").splitlines())
            lines = (node.end_lineno or node.lineno) - node.lineno + 1 - docstring
            assert lines <= 60, f"{path.name}: {node.name} has {lines} lines"
            count = len(node.args.args) + len(node.args.kwonlyargs)
            assert count <= 7, f"{path.name}: {node.name} has {count} parameters"

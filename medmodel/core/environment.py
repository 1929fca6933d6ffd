"""Paths and environment variables: repository, workspace, folders of data sets."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
"""The folder of app.py, from which every process of ours is started."""


@lru_cache
def asset_text(*names: str) -> str:
    """Text files of the folder `assets`, one after the other."""
    folder = REPOSITORY / "assets"
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)


def workspace_root() -> Path:
    """Folder of everything that MedModel writes: MEDMODEL_WORKSPACE or ./workspace."""
    return Path(os.environ.get("MEDMODEL_WORKSPACE", "workspace")).resolve()


def ray_address() -> str:
    """Address of the head of a Ray cluster that trains all runs: MEDMODEL_RAY.

    Empty where runs are trained on this machine.
    """
    return os.environ.get("MEDMODEL_RAY", "").strip().rstrip("/")


def python_environment() -> dict[str, str]:
    """Environment of a child Python process: it finds this package and workspace."""
    path = [str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path),
        "MEDMODEL_WORKSPACE": str(workspace_root()),
    }


def weights_folder() -> Path:
    """Folder of encoders that somebody copied in: MEDMODEL_WEIGHTS.

    Default: `weights` in the workspace.
    """
    named = os.environ.get("MEDMODEL_WEIGHTS", "")
    return Path(named).resolve() if named else workspace_root() / "weights"


def data_roots() -> list[Path]:
    """Folders under which data sets may lie: MEDMODEL_DATA, separated by colons.

    Default: `datasets` in the workspace. The sample data set always lies there, so
    that folder is among the roots whatever MEDMODEL_DATA says.
    """
    paths = [p for p in os.environ.get("MEDMODEL_DATA", "").split(os.pathsep) if p]
    roots = [Path(p).resolve() for p in paths]
    default = workspace_root() / "datasets"
    return roots if default in roots else [*roots, default]

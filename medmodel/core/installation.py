"""What is installed: missing packages of requirements.txt, and the program itself.

Imports the standard library alone, so that it can tell of whatever is missing.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
from importlib import metadata
from pathlib import Path

from medmodel.core.environment import REPOSITORY

REQUIREMENTS = REPOSITORY / "requirements.txt"
PROGRAM = REPOSITORY / "medmodel"


def missing_packages(requirements: Path = REQUIREMENTS) -> list[str]:
    """Names that a requirements file asks for and this Python does not have.

    Args:
        requirements: The file; one that is not there asks for nothing. Versions are
            not looked at.
    """
    lines = requirements.read_text().splitlines() if requirements.exists() else []
    names = [match[0] for line in lines if (match := re.match(r"\w[\w.-]*", line))]
    return [name for name in names if not _installed(name)]


def how_to_install(packages: list[str], requirements: Path = REQUIREMENTS) -> str:
    """One line for a terminal: what is missing, and the command that installs it."""
    command = shlex.join([sys.executable, "-m", "pip", "install", "-r"])
    noun = "A package is" if len(packages) == 1 else f"{len(packages)} packages are"
    return (
        f"{noun} missing: {', '.join(packages)}. Install what MedModel needs with: "
        f"{command} {shlex.quote(str(requirements))}"
    )


def program_stamps() -> dict[str, int]:
    """When each file of this program was changed last, in nanoseconds since 1970."""
    try:
        files = PROGRAM.rglob("*.py")
        return {str(path): path.stat().st_mtime_ns for path in files}
    except FileNotFoundError:  # in the middle of an update
        return {}


def _installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        # Another build may bring the same module, as tensorflow-cpu does.
        return importlib.util.find_spec(re.sub(r"[-.]", "_", name)) is not None
    return True

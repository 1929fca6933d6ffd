"""Python, its packages and TensorFlow on this machine."""

from __future__ import annotations

import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from medmodel.cli.doctor.finding import Finding
from medmodel.core import installation
from medmodel.core.devices import tensorflow_environment
from medmodel.language import _

FIRST_PYTHON, LAST_PYTHON = (3, 10), (3, 13)
"""The versions in which the tests pass and for which TensorFlow is to be had."""
TENSORFLOW_SECONDS = 180.0
CPUINFO = Path("/proc/cpuinfo")
_IMPORT = (
    "import tensorflow as tf; "
    "print('GPUs', len(tf.config.list_physical_devices('GPU')))"
)


def python_findings() -> Iterator[Finding]:
    """The version of Python, the packages of requirements.txt, the processor."""
    yield python_version(sys.version_info[:2])
    yield from packages()
    if CPUINFO.exists():
        yield from processor(platform.machine(), CPUINFO.read_text())


def python_version(version: tuple[int, ...]) -> Finding:
    """Whether MedModel runs in this version of Python."""
    text = ".".join(map(str, version))
    if FIRST_PYTHON <= version <= LAST_PYTHON:
        return Finding("python", "ok", _("Python {version}.", version=text))
    first, last = (".".join(map(str, v)) for v in (FIRST_PYTHON, LAST_PYTHON))
    return Finding(
        "python",
        "problem",
        _(
            "This is Python {version}; MedModel needs {first} to {last}.",
            version=text,
            first=first,
            last=last,
        ),
        "python3.11 -m venv .venv && .venv/bin/pip install -r requirements.txt",
    )


def packages(requirements: Path = installation.REQUIREMENTS) -> Iterator[Finding]:
    """What of requirements.txt is missing, or has a version outside its range."""
    missing = installation.missing_packages(requirements)
    pip = shlex.join([sys.executable, "-m", "pip", "install", "-r", str(requirements)])
    if missing:
        names = ", ".join(missing)
        yield Finding(
            "packages", "problem", _("Missing packages: {names}.", names=names), pip
        )
    other = list(_outside_range(requirements))
    if other:
        yield Finding(
            "packages",
            "warning",
            _(
                "Versions that MedModel was not tested with: {names}.",
                names=", ".join(other),
            ),
            pip,
        )
    if not missing and not other:
        yield Finding(
            "packages", "ok", _("All packages are there, in versions that are tested.")
        )


def _outside_range(requirements: Path) -> Iterator[str]:
    """Packages that do not fit their line, such as "numpy 1.26 (wanted >=2.0,<3)"."""
    try:
        from packaging.requirements import InvalidRequirement, Requirement
    except ModuleNotFoundError:  # then Streamlit, which brings it, is missing, too
        return
    lines = requirements.read_text().splitlines() if requirements.exists() else []
    for line in lines:
        try:
            wanted = Requirement(line.partition("#")[0])
            version = metadata.version(wanted.name)
        except (InvalidRequirement, metadata.PackageNotFoundError):
            continue  # a comment; or told as missing, or there by another name
        if not wanted.specifier.contains(version, prereleases=True):
            yield f"{wanted.name} {version} ({wanted.specifier})"


def processor(machine: str, cpuinfo: str) -> Iterator[Finding]:
    """What TensorFlow's packages ask of a processor: AVX where it is an x86."""
    flags = next((x for x in cpuinfo.splitlines() if x.startswith("flags")), "")
    if machine == "x86_64" and flags and "avx" not in flags.split():
        yield Finding(
            "tensorflow",
            "problem",
            _(
                "This processor, or the virtual machine, lacks AVX, without which "
                "TensorFlow's packages crash at import."
            ),
            "qemu: -cpu host",
        )


def tensorflow_finding(gpus: int) -> Finding:
    """Whether TensorFlow can be imported, in a process of its own, and sees the GPUs.

    Args:
        gpus: How many GPUs the driver lists for us.
    """
    try:
        asked = subprocess.run(
            [sys.executable, "-c", _IMPORT],
            env=tensorflow_environment(),
            capture_output=True,
            text=True,
            timeout=TENSORFLOW_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return Finding(
            "tensorflow",
            "problem",
            _(
                "TensorFlow could not be imported within {seconds:.0f} s.",
                seconds=TENSORFLOW_SECONDS,
            ),
            f"{shlex.quote(sys.executable)} -X importtime -c 'import tensorflow'",
        )
    return _judge_tensorflow(asked.returncode, asked.stdout, asked.stderr, gpus)


def _judge_tensorflow(status: int, printed: str, errors: str, gpus: int) -> Finding:
    python = shlex.quote(sys.executable)
    counted = re.search(r"GPUs (\d+)", printed)
    if status or counted is None:
        lines = errors.strip().splitlines()
        return Finding(
            "tensorflow",
            "problem",
            _(
                "TensorFlow cannot be imported: {reason}",
                reason=lines[-1][:200] if lines else _("exit status {n}", n=status),
            ),
            f"{python} -m pip install --force-reinstall tensorflow",
        )
    visible = int(counted[1])
    version = metadata.version("tensorflow") if _has_tensorflow() else ""
    if visible >= gpus:
        return Finding(
            "tensorflow",
            "ok",
            _("TensorFlow {version} starts, GPUs: {gpus}.", version=version, gpus=gpus),
        )
    return Finding(
        "tensorflow",
        "problem",
        _(
            "TensorFlow {version} sees {visible} of {gpus} GPUs: its CUDA libraries "
            "are missing, or older than it needs.",
            version=version,
            visible=visible,
            gpus=gpus,
        ),
        f"{python} -m pip install 'tensorflow[and-cuda]{_pin(version)}'",
    )


def _has_tensorflow() -> bool:
    try:
        metadata.version("tensorflow")
    except metadata.PackageNotFoundError:  # tensorflow-cpu and the like
        return False
    return True


def _pin(version: str) -> str:
    return f"=={version}" if version else ""

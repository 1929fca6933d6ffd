"""GPU, memory and fonts of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil

from medmodel.cli.doctor.finding import Finding
from medmodel.core import devices
from medmodel.core.environment import REPOSITORY
from medmodel.language import _, translate
from medmodel.language.quantities import bytes_text

LITTLE_MEMORY = 4e9
"""Bytes below which a training beside the server may run out of memory."""
PCI = Path("/sys/bus/pci/devices")
CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
FONT = REPOSITORY / "assets" / "fonts" / "DejaVuSans.ttf"
_NVIDIA, _DISPLAY = "0x10de", "0x03"
"""PCI numbers: the vendor, and the class of display controllers, 3D ones among them."""


def machine_findings() -> Iterator[Finding]:
    """GPU, memory and fonts."""
    yield gpu()
    yield memory(psutil.virtual_memory().total, memory_limit())
    yield font(FONT)


def gpu() -> Finding:
    """What computes, and whether a GPU is there that cannot be used."""
    usable = devices.gpus()
    if usable:
        names = ", ".join(f"{d.name} {translate(d.title)}" for d in usable)
        return Finding("gpu", "ok", _("GPUs: {names}.", names=names))
    for variable in ("MEDMODEL_DEVICES", "CUDA_VISIBLE_DEVICES"):
        value = os.environ.get(variable)
        if value is not None and nvidia_cards(PCI):
            return Finding(
                "gpu",
                "warning",
                _(
                    "There is a GPU, but {variable}={value} leaves none.",
                    variable=variable,
                    value=value,
                ),
                f"unset {variable}",
            )
    if nvidia_cards(PCI):
        return Finding(
            "gpu",
            "warning",
            _(
                "There is an NVIDIA GPU, but its driver does not answer: nvidia-smi "
                "lists none. Runs are trained on the processor."
            ),
            "sudo apt install nvidia-driver && sudo reboot",
        )
    processor = translate(devices.available()[0].title)
    return Finding(
        "gpu",
        "ok",
        _("No NVIDIA GPU; runs are trained on: {device}.", device=processor),
    )


def nvidia_cards(pci: Path) -> int:
    """How many display controllers of NVIDIA the machine has, with driver or without.

    Args:
        pci: Folder in which Linux lists the devices of the PCI bus.
    """
    count = 0
    for device in pci.glob("*"):
        try:
            vendor = (device / "vendor").read_text().strip()
            kind = (device / "class").read_text().strip()
        except OSError:  # of a kind that has none, or taken out meanwhile
            continue
        count += vendor == _NVIDIA and kind.startswith(_DISPLAY)
    return count


def memory_limit() -> float | None:
    """Bytes that the container may use; None where there is no limit."""
    for path in CGROUP_LIMITS:
        try:
            return float(path.read_text())
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return None


def memory(total: float, limit: float | None) -> Finding:
    """Whether memory suffices for the server, a predictor and a training.

    Args:
        total: Bytes of the machine.
        limit: Bytes that the container may use, if it is limited.
    """
    if limit is not None and limit < total:
        text = _(
            "{limit} of memory for this container, of {total}.",
            limit=bytes_text(limit),
            total=bytes_text(total),
        )
        mend = "docker run --memory 8g"
    else:
        text = _("{total} of memory.", total=bytes_text(total))
        mend = "MEDMODEL_PREDICTOR_MB=512"
    if min(total, total if limit is None else limit) >= LITTLE_MEMORY:
        return Finding("memory", "ok", text)
    few = _("A training beside the pages may run out of it.")
    return Finding("memory", "warning", f"{text} {few}", mend)


def font(path: Path) -> Finding:
    """Whether the font of PDF pages is there."""
    try:
        with path.open("rb") as file:
            whole = file.read(4) in (b"\0\1\0\0", b"true", b"OTTO")
    except OSError:
        whole = False
    if whole:
        return Finding("fonts", "ok", _("The font of PDF pages is there."))
    return Finding(
        "fonts",
        "problem",
        _("The font of PDF pages is missing or damaged: {path}.", path=path),
        "git checkout -- assets/fonts",
    )

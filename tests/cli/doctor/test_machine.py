"""GPU, memory and fonts, each well and ill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from medmodel.cli.doctor import machine
from medmodel.core import devices


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A PCI bus without any card."""
    monkeypatch.setattr(machine, "PCI", tmp_path)
    monkeypatch.setattr(devices, "_nvidia_gpus", list)
    for variable in ("CUDA_VISIBLE_DEVICES", "MEDMODEL_DEVICES"):
        monkeypatch.delenv(variable, raising=False)
    devices.available.cache_clear()
    yield tmp_path
    devices.available.cache_clear()


def insert(bus: Path, vendor: str, kind: str) -> None:
    card = bus / f"0000:{len(list(bus.iterdir())):02}:00.0"
    card.mkdir()
    (card / "vendor").write_text(vendor + "\n")
    (card / "class").write_text(kind + "\n")


def test_no_gpu(bus: Path) -> None:
    insert(bus, "0x8086", "0x030000")  # another vendor's
    insert(bus, "0x10de", "0x040300")  # NVIDIA's sound
    (bus / "empty").mkdir()
    assert machine.nvidia_cards(bus) == 0
    finding = machine.gpu()
    assert finding.level == "ok" and "Processor" in finding.sentence


@pytest.mark.parametrize("kind", ["0x030000", "0x030200"])
def test_a_gpu_without_a_driver(bus: Path, kind: str) -> None:
    insert(bus, "0x10de", kind)
    finding = machine.gpu()
    assert finding.level == "warning" and "nvidia-driver" in finding.mend


@pytest.mark.parametrize("variable", ["CUDA_VISIBLE_DEVICES", "MEDMODEL_DEVICES"])
def test_a_gpu_that_a_variable_hides(
    bus: Path, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert(bus, "0x10de", "0x030200")
    monkeypatch.setenv(variable, "cpu")
    assert machine.gpu().mend == f"unset {variable}"


def test_usable_gpus(bus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        devices, "_nvidia_gpus", lambda: [devices.Device("gpu:0", "H200", "GPU-1")]
    )
    finding = machine.gpu()
    assert finding.level == "ok" and "gpu:0 H200" in finding.sentence


@pytest.mark.parametrize(
    ("total", "limit", "level", "mend"),
    [
        (4e9, None, "ok", ""),
        (3.9e9, None, "warning", "MEDMODEL_PREDICTOR_MB=512"),
        (16e9, 4e9, "ok", ""),
        (16e9, 2e9, "warning", "docker run --memory 8g"),
        (2e9, 9e18, "warning", "MEDMODEL_PREDICTOR_MB=512"),
    ],
)
def test_memory(total: float, limit: float | None, level: str, mend: str) -> None:
    finding = machine.memory(total, limit)
    assert (finding.level, finding.mend) == (level, mend)
    assert ("container" in finding.sentence) == (limit is not None and limit < total)


@pytest.mark.parametrize(
    ("text", "limit"), [("max\n", None), ("2147483648\n", 2147483648.0)]
)
def test_the_limit_of_a_container(
    text: str, limit: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "memory.max").write_text(text)
    paths = (tmp_path / "absent", tmp_path / "memory.max")
    monkeypatch.setattr(machine, "CGROUP_LIMITS", paths)
    assert machine.memory_limit() == limit


def test_fonts(tmp_path: Path) -> None:
    assert machine.font(machine.FONT).level == "ok"
    assert machine.font(tmp_path / "absent.ttf").level == "problem"
    (tmp_path / "pointer.ttf").write_text("version https://git-lfs")
    assert "git checkout" in machine.font(tmp_path / "pointer.ttf").mend

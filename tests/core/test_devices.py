"""Devices as nvidia-smi tells them; no GPU is needed to test that."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from medmodel.core import devices

TWO = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa1111-0000)
GPU 1: NVIDIA L4 (UUID: GPU-bbbb2222-0000)
"""
DIVIDED = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa1111-0000)
  MIG 3g.20gb     Device  0: (UUID: MIG-cccc-1)
  MIG 3g.20gb     Device  1: (UUID: MIG-cccc-2)
GPU 1: NVIDIA L4 (UUID: GPU-bbbb2222-0000)
"""
USAGE = """\
GPU-aaaa1111-0000, 93, 20480, 40960
GPU-bbbb2222-0000, [N/A], 1, 2
GPU-other, 1, 1, 1
"""

Says = Callable[[str], None]


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("MEDMODEL_DEVICES", raising=False)
    devices.available.cache_clear()
    yield
    devices.available.cache_clear()


@pytest.fixture
def nvidia_smi(monkeypatch: pytest.MonkeyPatch) -> Says:
    """Makes nvidia-smi list these GPUs."""

    def says(listing: str) -> None:
        def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
            text = listing if "-L" in command else USAGE
            return subprocess.CompletedProcess(command, 0, stdout=text)

        monkeypatch.setattr(subprocess, "run", run)

    return says


def test_processor_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    (only,) = devices.available()
    assert only.name == "cpu"
    assert only.title == f"Processor, {os.cpu_count()} cores"
    assert not only.is_gpu
    assert set(devices.usage()) == {"Processor", "Memory"}


def test_driver_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **options: Any) -> None:
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(subprocess, "run", run)
    assert [device.name for device in devices.available()] == ["cpu"]


def test_two_gpus(nvidia_smi: Says) -> None:
    nvidia_smi(TWO)
    found = devices.available()
    assert [device.name for device in found] == ["cpu", "gpu:0", "gpu:1"]
    assert found[1] == devices.Device(
        "gpu:0", "NVIDIA A100-SXM4-40GB", "GPU-aaaa1111-0000"
    )
    assert devices.gpus() == found[1:]
    usage = devices.usage()
    assert usage["GPU 0"] == "93 %, 20.0 / 40 GB"
    assert "GPU 1" not in usage


def test_divided_gpu_is_its_parts(nvidia_smi: Says) -> None:
    nvidia_smi(DIVIDED)
    assert [(d.title, d.uuid) for d in devices.gpus()] == [
        ("MIG 3g.20gb", "MIG-cccc-1"),
        ("MIG 3g.20gb", "MIG-cccc-2"),
        ("NVIDIA L4", "GPU-bbbb2222-0000"),
    ]


@pytest.mark.parametrize(
    ("visible", "titles"),
    [
        ("1,0", ["NVIDIA L4", "NVIDIA A100-SXM4-40GB"]),
        ("GPU-bbbb", ["NVIDIA L4"]),
        ("", []),
        ("-1", []),
        ("1,7,0", ["NVIDIA L4"]),
    ],
)
def test_cuda_visible_devices(
    nvidia_smi: Says, monkeypatch: pytest.MonkeyPatch, visible: str, titles: list[str]
) -> None:
    nvidia_smi(TWO)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [device.title for device in devices.gpus()] == titles
    assert [d.name for d in devices.gpus()] == [f"gpu:{i}" for i in range(len(titles))]


def test_override(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDMODEL_DEVICES", "cpu, gpu:0")
    assert [device.name for device in devices.available()] == ["cpu", "gpu:0"]
    assert [device.name for device in devices.gpus()] == ["gpu:0"]


def test_environment_keeps_what_the_user_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    monkeypatch.setenv("PYTHONPATH", "/mine")
    environment = devices.tensorflow_environment()
    assert environment["TF_CPP_MIN_LOG_LEVEL"] == "0"
    assert environment["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    assert environment["PYTHONPATH"].endswith(":/mine")

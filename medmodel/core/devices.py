"""What can compute on this machine, found without TensorFlow.

nvidia-smi is asked, not NVIDIA's library in this process: a driver that does not answer
is given up after some seconds, and who has no GPU imports nothing for it.
"""

from __future__ import annotations

import csv
import functools
import os
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medmodel.core.environment import python_environment
from medmodel.language import N_, SOURCE, _, speaking

if TYPE_CHECKING:
    import psutil

NVIDIA_SMI_SECONDS = 10.0


@dataclass(frozen=True)
class Device:
    """One place where a run can compute.

    Args:
        name: `"cpu"` or `"gpu:0"`, `"gpu:1"`, ...: what `TrainConfig.device` says.
        title: What people read.
        uuid: NVIDIA's lasting name of a GPU; empty for a processor.
    """

    name: str
    title: str
    uuid: str = ""

    @property
    def is_gpu(self) -> bool:
        """Whether it is a GPU."""
        return self.name.startswith("gpu")


@functools.lru_cache(maxsize=1)
def available() -> list[Device]:
    """The processor and every GPU that this process may use; looked up once.

    MEDMODEL_DEVICES replaces what was found: names separated by commas, so that a
    queue for several devices can be tried on a machine that has none.
    """
    named = [n.strip() for n in os.environ.get("MEDMODEL_DEVICES", "").split(",")]
    if any(named):
        return [Device(name, _title(name)) for name in named if name]
    with speaking(SOURCE):  # kept for all sessions
        processor = _("Processor, {cores} cores", cores=os.cpu_count() or 1)
    return [
        Device("cpu", processor),
        *_visible(_nvidia_gpus()),
    ]


def gpus() -> list[Device]:
    """The GPUs among the available devices."""
    return [device for device in available() if device.is_gpu]


def usage(process: psutil.Process | None = None) -> dict[str, str]:
    """Processor, memory and GPU use as name -> text; may take a second on GPUs.

    Args:
        process: Whose processor time and memory; default the current process. The
            processor time is that since the last call with the same object.
    """
    import psutil

    process = process or psutil.Process()
    cores = os.cpu_count() or 1
    busy = process.cpu_percent() / cores
    resident = process.memory_info().rss / 1e9
    whole = psutil.virtual_memory().total / 1e9
    texts = {
        N_("Processor"): _("{busy:.0f} % of {cores} cores", busy=busy, cores=cores),
        N_("Memory"): f"{resident:.1f} / {whole:.0f} GB",
    }
    return texts | (_gpu_usage() if gpus() else {})


@functools.lru_cache(maxsize=64)
def total_memory(device: Device) -> int:
    """Bytes of memory that a device has; 0 where nobody tells.

    Args:
        device: A processor, whose memory is the machine's, or a GPU.
    """
    if not device.is_gpu:
        import psutil

        return int(psutil.virtual_memory().total)
    answer = _nvidia_smi(
        "--query-gpu=uuid,memory.total", "--format=csv,noheader,nounits"
    )
    for row in csv.reader(answer.splitlines(), skipinitialspace=True):
        if len(row) == 2 and row[0] == device.uuid and row[1].isdigit():
            return int(row[1]) << 20
    return 0


def tensorflow_environment() -> dict[str, str]:
    """Environment for a Python process that computes with TensorFlow.

    The package is found wherever the process starts. What the user has set stays.
    """
    return {
        # Training and prediction may share a GPU: take memory as it is needed.
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        # TensorFlow numbers GPUs as nvidia-smi does.
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        # Without GPUs its complaints about missing drivers only frighten people.
        "TF_CPP_MIN_LOG_LEVEL": "1" if gpus() else "3",
        **python_environment(),
    }


def _title(name: str) -> str:
    return name.upper().replace(":", " ")


def _nvidia_smi(*arguments: str) -> str:
    try:
        answer = subprocess.run(
            ["nvidia-smi", *arguments],
            capture_output=True,
            text=True,
            timeout=NVIDIA_SMI_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        # No driver, no GPU, or a driver that hangs: there is nothing to train on.
        return ""
    return answer.stdout


def _nvidia_gpus() -> list[Device]:
    """Every GPU, or the instances of one that is divided (MIG), in NVIDIA's order."""
    names_and_uuids: list[tuple[str, str]] = []
    whole = ""
    for line in _nvidia_smi("-L").splitlines():
        match = re.match(r"(\s*)(?:GPU \d+: )?(.+?) *\(UUID: ([\w-]+)\)", line)
        if not match:
            continue
        indent, title, uuid = match.groups()
        if not indent:
            whole = uuid
            names_and_uuids.append((title, uuid))
        else:
            # A divided GPU cannot be used as a whole.
            names_and_uuids = [
                (name, other) for name, other in names_and_uuids if other != whole
            ]
            names_and_uuids.append((re.sub(r"\s+Device\s+\d+:$", "", title), uuid))
    return [
        Device(f"gpu:{i}", name, uuid) for i, (name, uuid) in enumerate(names_and_uuids)
    ]


def _visible(gpus_of_driver: list[Device]) -> list[Device]:
    """Those that CUDA_VISIBLE_DEVICES leaves, in its order, numbered anew."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is None:
        return gpus_of_driver
    visible: list[Device] = []
    for entry in (part.strip() for part in allowed.split(",")):
        if entry.isdigit():
            match = [d for d in gpus_of_driver if d.name == f"gpu:{entry}"]
        else:
            match = [d for d in gpus_of_driver if entry and d.uuid.startswith(entry)]
        if not match:
            break  # CUDA itself ignores what follows an unknown entry.
        visible += match[:1]
    return [Device(f"gpu:{i}", d.title, d.uuid) for i, d in enumerate(visible)]


def _gpu_usage() -> dict[str, str]:
    fields = "uuid,utilization.gpu,memory.used,memory.total"
    answer = _nvidia_smi(f"--query-gpu={fields}", "--format=csv,noheader,nounits")
    names = {device.uuid: device.name for device in gpus()}
    texts = {}
    for row in csv.reader(answer.splitlines(), skipinitialspace=True):
        if len(row) == 4 and row[0] in names and all(c.isdigit() for c in row[1:]):
            used, total = int(row[2]) / 1024, int(row[3]) / 1024
            title = _title(names[row[0]])
            texts[title] = f"{row[1]} %, {used:.1f} / {total:.0f} GB"
    return texts

"""Fuzzing of image decoders: no file may crash, hang or fill the memory."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from medmodel.benchmark import Measurement, at_most, bench_data
from medmodel.core.errors import ImageError
from medmodel.core.processes import sandbox
from medmodel.imaging import images

FILES = 10_000
SECONDS_PER_FILE = 60
"""The watchdog's limit, above the reader's own, which must come first."""
MEMORY = 8 * 2**30
"""Address space of the reading process; the sandbox below it has its own limit."""
LARGEST_SEED = 400_000
"""Larger files are left out: most of their bytes are pixels like any others."""


def fuzz_images() -> list[Measurement]:
    """10,000 mutated images, read in a child under a watchdog."""
    count = int(os.environ.get("MEDMODEL_FUZZ_FILES", FILES))
    folders = [bench_data(n) for n in ("dicom", "nifti", "image_edge_cases")]
    began = time.monotonic()
    outcomes, first = Counter[str](), 0
    crashes: list[int] = []
    hangs: list[int] = []
    slowest = peak = 0.0
    while first < count:
        command = [sys.executable, "-W", "ignore", "-m", __name__, str(first)]
        child = subprocess.Popen(
            [*command, str(count), *map(str, folders)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout
        for line in child.stdout:
            result = json.loads(line)
            first = result["number"] + 1
            outcomes[result["kind"]] += 1
            slowest = max(slowest, result["seconds"])
            peak = max(peak, result["memory"])
        child.wait()
        child.stdout.close()
        if first < count:
            (hangs if child.returncode == -signal.SIGALRM else crashes).append(first)
            first += 1
    seconds = time.monotonic() - began
    bad = len(crashes) + len(hangs)
    sentence = ", ".join(
        f"{number} {kind}" for kind, number in sorted(outcomes.items())
    )
    note = (
        f"of {count} files {sentence}; {len(crashes)} crashes {crashes[:5]}, "
        f"{len(hangs)} hangs {hangs[:5]}; slowest {slowest:.1f} s, largest process "
        f"{peak / 2**20:.0f} MiB, all {seconds:.0f} s"
    )
    return [at_most("fuzz_images", bad, 0, "files", note)]


def mutated(seeds: list[Path], number: int) -> tuple[Path, bytes]:
    """The `number`-th mutated file: always the same for the same seeds.

    Bits flipped anywhere or in the first kilobyte, cut off, a stretch overwritten,
    doubled or taken out, or a number in the header made large.
    """
    chance = random.Random(number)
    path = chance.choice(seeds)
    data = bytearray(path.read_bytes())
    if not data:
        data = bytearray(b"\0")
    for _ in range(chance.choice((1, 1, 2, 5))):
        kind = chance.randrange(6)
        header = min(len(data), 2048)
        at = chance.randrange(header if chance.random() < 0.6 else len(data))
        size = chance.choice((1, 2, 4, 16, 256))
        if kind == 0:
            for _ in range(chance.choice((1, 3, 20, 200))):
                place = chance.randrange(header if kind % 2 else len(data))
                data[place] ^= 1 << chance.randrange(8)
        elif kind == 1:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 2:
            del data[max(at, 1) :]
        elif kind == 3:
            data[at : at + size] = chance.randbytes(size)
        elif kind == 4:
            extreme = chance.choice((b"\xff", b"\0", b"\x7f", b"9"))
            data[at : at + size] = extreme * size
        elif chance.random() < 0.5:
            data[at:at] = data[at : at + size]
        else:
            del data[at : at + size]
        data = data or bytearray(b"\0")
    return path, bytes(data)


def seeds_of(folders: list[Path]) -> list[Path]:
    """All files of the folders that are not too large, in a fixed order."""
    files = sorted(p for folder in folders for p in folder.rglob("*") if p.is_file())
    return [p for p in files if p.stat().st_size <= LARGEST_SEED]


def _read(data: bytes, name: str) -> str:
    try:
        decoded = images.decode(data, name)
    except ImageError as error:
        text = str(error)
        return "refused" if 0 < len(text) < 400 and "\n" not in text else "bad message"
    shape = decoded.pixels.shape
    good = decoded.pixels.dtype == "uint8" and len(shape) == 3 and shape[2] in (1, 3)
    return "read" if good else "bad image"


def _child(first: int, last: int, folders: list[Path]) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    seeds = seeds_of(folders)
    for number in range(first, last):
        path, data = mutated(seeds, number)
        began = time.monotonic()
        signal.alarm(SECONDS_PER_FILE)
        kind = _read(data, path.name)
        signal.alarm(0)
        if number % 200 == 199 or number == last - 1:
            sandbox.close()  # only the memory of ended children is counted
        result: dict[str, Any] = {
            "number": number,
            "kind": kind,
            "seconds": time.monotonic() - began,
            "memory": 1024
            * max(
                resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
                resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,
            ),
        }
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    _child(int(sys.argv[1]), int(sys.argv[2]), [Path(p) for p in sys.argv[3:]])

"""Row on small files that ask for much: memory and time of a process like the web's."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from medmodel.benchmark import Measurement, at_most
from medmodel.benchmark.bomb_files import BOMBS
from medmodel.benchmark.servers import temporary_workspace
from medmodel.core.errors import MedModelError
from medmodel.core.preprocessing import Preprocessing
from medmodel.evaluation.ood.traits import image_traits
from medmodel.imaging import images, scans
from medmodel.imaging.decoded_image import HEAD, DecodeOptions
from medmodel.imaging.untrusted import open_image

MEGABYTES = 300
SECONDS = 10
ENHANCE_SIDE = 512


def bombs() -> list[Measurement]:
    """Growth of the process that takes the uploads, and its latest answer."""
    with temporary_workspace() as workspace:
        answers = [json.loads(line) for line in _answers(workspace, list(BOMBS))]
    sizes = [answer["megabytes"] for answer in answers]
    worst = max(answers, key=lambda answer: float(answer["growth"]))
    latest = max(answers, key=lambda answer: float(answer["seconds"]))
    unnamed = [answer["name"] for answer in answers if not answer["named"]]
    growth = (
        f"{len(answers)} files of up to {max(sizes):.0f} MB, most by {worst['name']}; "
        f"{sum(not answer['refused'] for answer in answers)} are shown, the others "
        f"refused by name{f', but not {unnamed}' if unnamed else ''}"
    )
    return [
        at_most("bombs", worst["growth"], MEGABYTES, "MB", growth),
        at_most("bombs", latest["seconds"], SECONDS, "s", f"at {latest['name']}"),
        at_most("bombs", len(unnamed), 0, "files", "refused without their name"),
    ]


def _answers(workspace: Path, names: list[str]) -> Iterator[str]:
    """One line of JSON per file, from a process of its own."""
    child = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin and child.stdout
    with child, child.stdin, child.stdout:
        for name in names:
            path = workspace / name
            path.write_bytes(BOMBS[name]())
            child.stdin.write(f"{path}\n")
            child.stdin.flush()
            yield child.stdout.readline()
            path.unlink()


def uploads_of(data: bytes, name: str) -> dict[str, Callable[[], Any]]:
    """What the pages do with an upload: each step is waited for by itself."""
    options = DecodeOptions()
    steps: dict[str, Callable[[], Any]] = {
        "diagnose": lambda: open_image(
            data, name, options, preprocessing=Preprocessing(), measure=image_traits
        ),
        "image": lambda: images.png_bytes(open_image(data, name).decoded.pixels),
        "scan": lambda: open_image(data, name, options._replace(values=True)),
        "enhance": lambda: open_image(data, name, longest_side=ENHANCE_SIDE),
    }
    if scans.is_dicom(data[:HEAD]):
        steps["header"] = lambda: scans.header_rows(data, name)
        steps["copy"] = lambda: scans.deidentify(data, name)
    return steps


def take(path: Path) -> dict[str, Any]:
    """Takes one file as the pages would; what it cost this process, in all so far."""
    data = path.read_bytes()
    slowest, sentence = 0.0, ""
    for step in uploads_of(data, path.name).values():
        began = time.monotonic()
        try:
            step()
        except MedModelError as error:
            sentence = str(error)
        slowest = max(slowest, time.monotonic() - began)
    return {
        "name": path.name,
        "megabytes": len(data) / 1e6,
        "seconds": slowest,
        "refused": bool(sentence),
        "named": not sentence or path.name in sentence,
        "sentence": sentence,
    }


def _peak() -> float:
    """Most memory that this process ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def _main() -> None:
    # What every server has done before the first upload.
    open_image(images.png_bytes(np.zeros((64, 64, 3), np.uint8)))
    before = _peak()
    for line in sys.stdin:
        answer = take(Path(line.rstrip("\n"))) | {"growth": _peak() - before}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _main()

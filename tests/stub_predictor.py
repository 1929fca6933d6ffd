"""A predictor process without TensorFlow: answers, dies, hangs, as the run is named."""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from medmodel.core.processes.messages import Message, receive, send
from medmodel.runs.run import Run


def main() -> None:
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        send(connection, Message({"ready": True}))
        while True:
            try:
                question = receive(connection)
            except EOFError:
                return
            run = Run(Path(question.facts["folder"]))
            conduct = run.config.name
            if conduct == "die":
                os._exit(3)
            if conduct == "hang":
                time.sleep(600)
            if conduct == "nonsense":
                connection.sendall(b"\xff" * 100)
                continue
            images = question.arrays[0]
            with (run.folder / "asked").open("a") as file:
                file.write(f"{len(images)}\n")
            if conduct == "slow":
                time.sleep(0.1)
            scores = np.zeros((len(images), 2), np.float32)
            scores[:, 0] = images.mean(axis=(1, 2, 3)) / 255
            scores[:, 1] = os.getpid()
            maps = images.mean(axis=3, dtype=np.float32) / 255
            wanted = "heatmap_for" in question.facts
            send(connection, Message({}, [scores, maps] if wanted else [scores]))


if __name__ == "__main__":
    main()

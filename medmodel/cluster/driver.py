"""A job's driver, on the cluster: a command as a task that Ray tries again.

    python -m medmodel.cluster.driver --cpus 4 --gpus 0 -- COMMAND …

The only module that imports Ray. The job itself is thin and reserves nothing, so Ray
starts it at once: a job that waits for resources is given up by Ray after 15 minutes,
and cannot be stopped meanwhile. The task waits as long as it takes, and is started on
another node when its own is lost.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Sequence

RETRIES = 3
"""How often a task is started again that lost its node."""


def main(arguments: Sequence[str]) -> int:
    """Runs the command on the cluster; returns its exit status."""
    import ray

    parser = argparse.ArgumentParser(prog="python -m medmodel.cluster.driver")
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--gpus", type=int, default=0)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    ray.init(address="auto", log_to_driver=False)
    # By its name: a function of `__main__` would be sent as code.
    from medmodel.cluster.driver import run_command

    task = ray.remote(run_command).options(
        num_cpus=options.cpus, num_gpus=options.gpus, max_retries=RETRIES
    )
    return int(ray.get(task.remote(options.command, options.gpus)))


def run_command(command: Sequence[str], gpus: int) -> int:
    """The task: runs the command on this node to its end.

    Args:
        command: What to run, such as a worker, which ends with this process; it gets
            `--node` and the name of this node.
        gpus: How many Ray reserved for it.
    """
    import ray

    environment = dict(os.environ)
    # One thread for each reserved processor; a run on a GPU reserves just one.
    environment.pop("OMP_NUM_THREADS", None)
    if not gpus:
        environment["CUDA_VISIBLE_DEVICES"] = "-1"
    node = f"{platform.node()} ({ray.get_runtime_context().get_node_id()[:8]})"
    command = [*command, "--node", node]
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

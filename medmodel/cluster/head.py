"""The head of a Ray cluster, asked by its REST API.

Source: Ray 2.60, "Ray Jobs REST API" and "State API"; the addresses are those of
`ray.dashboard.modules.job.job_head` and `ray.dashboard.modules.state.state_head`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from medmodel.core.environment import ray_address
from medmodel.core.errors import MALFORMED, ClusterError, os_reason
from medmodel.language import _

if TYPE_CHECKING:
    import requests

VARIABLE = "MEDMODEL_RAY"
TOKEN, TOKEN_PATH = "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
"""Ray's own variables: the token, or a file that holds it."""
SECONDS = (3.0, 15.0)
"""To connect, and for each piece of an answer."""
MOST_SECONDS = 30.0
"""For a whole answer, however it drips."""
MOST_BYTES = 8 << 20
"""Of an answer; one that is longer is not Ray's."""
_MOST_NODES = 10_000
_LONGEST_TOKEN = 4096


class RefusedError(ClusterError):
    """The head answers, but not to this request; it may answer another one."""


class JobState(str, Enum):
    """What Ray says of a job."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    STOPPED = "STOPPED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"

    @property
    def active(self) -> bool:
        """Whether it has not ended."""
        return self in (JobState.PENDING, JobState.RUNNING)


@dataclass(frozen=True)
class Job:
    """A job on the cluster.

    Args:
        state: Where it is in its life.
        message: What Ray says about that, in Ray's own words.
    """

    state: JobState
    message: str = ""


@dataclass(frozen=True)
class Node:
    """A machine of the cluster that answers.

    Args:
        id: Ray's own, hexadecimal.
        name: Host name or address.
        cpus: Processors that Ray may give away.
        gpus: GPUs that Ray may give away.
    """

    id: str
    name: str
    cpus: int
    gpus: int


class Head:
    """The head of one cluster.

    Args:
        address: Such as `http://head:8265`.
        token: What it asks for, if anything.

    Raises:
        ClusterError: That is no address of a head.
    """

    def __init__(self, address: str, token: str = "") -> None:
        self.address = _checked(address)
        self._token = token

    @classmethod
    def from_environment(cls) -> Head:
        """The head that MEDMODEL_RAY names, with the token of Ray's own variables.

        Raises:
            ClusterError: It names none, or the file of the token cannot be read.
        """
        return cls(ray_address(), _token())

    def version(self) -> str:
        """Version of Ray.

        Raises:
            ClusterError: The head does not answer, or refuses.
        """
        return str(self._answer("GET", "/api/version").get("ray_version", ""))

    def nodes(self) -> list[Node]:
        """Its nodes that are alive.

        Raises:
            ClusterError: The head does not answer, or refuses.
        """
        answer = self._answer("GET", f"/api/v0/nodes?limit={_MOST_NODES}")
        try:
            rows = answer["data"]["result"]["result"]
            return [_node(row) for row in rows if row["state"] == "ALIVE"]
        except (*MALFORMED, OverflowError) as error:
            raise self._not_ray() from error

    def submit(self, job: str, entrypoint: str, environment: Mapping[str, str]) -> None:
        """Hands in a job; harmless where it was handed in before.

        Args:
            job: Its id, chosen by whoever asks.
            entrypoint: Command line, run by a shell on the head.
            environment: Variables of the job and of all its tasks. Whoever may open
                Ray's dashboard can read them.

        Raises:
            ClusterError: The head does not answer, or refuses.
        """
        body = {
            "submission_id": job,
            "entrypoint": entrypoint,
            "runtime_env": {"env_vars": dict(environment)},
        }
        try:
            self._answer("POST", "/api/jobs/", body)
        except ClusterError:
            # Ray refuses an id that it has: then it came through the last time.
            if self.job(job) is None:
                raise

    def job(self, job: str) -> Job | None:
        """A job; None where the head has none of this id (any more).

        Raises:
            ClusterError: The head does not answer, or refuses.
        """
        answer = self._answer("GET", f"/api/jobs/{job}", missing=True)
        if answer is None:
            return None
        try:
            return Job(JobState(answer["status"]), str(answer.get("message") or ""))
        except (KeyError, ValueError) as error:
            raise self._not_ray() from error

    def stop(self, job: str) -> None:
        """Ends a job, whose processes are killed; harmless where it has ended.

        Raises:
            ClusterError: The head does not answer, or refuses.
        """
        self._answer("POST", f"/api/jobs/{job}/stop", {}, missing=True)

    def _answer(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        missing: bool = False,
    ) -> Any:
        """The JSON object that is answered; None for "not found" where that may be."""
        import requests  # here: whoever only looks at the records needs none

        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        try:
            with requests.Session() as session:
                # Neither a proxy nor a .netrc file shall get or change the token.
                session.trust_env = False
                session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
                with session.request(
                    method,
                    self.address + path,
                    json=body,
                    headers=headers,
                    timeout=SECONDS,
                    allow_redirects=False,
                    stream=True,
                ) as response:
                    if missing and response.status_code == 404:
                        return None
                    self._check(response)
                    return self._object(response)
        except requests.Timeout as error:
            raise self._too_late() from error
        except (requests.RequestException, OSError) as error:
            raise ClusterError(
                _(
                    "The head of the cluster at {address} cannot be reached: see "
                    "whether it runs, and whether {variable} names it.",
                    address=self.address,
                    variable=VARIABLE,
                )
            ) from error

    def _check(self, response: requests.Response) -> None:
        """Raises what is behind an answer that is none."""
        code = response.status_code
        if code in (401, 403):
            raise ClusterError(
                _(
                    "The head of the cluster at {address} asks for another token: set "
                    "{variable} to the one that the cluster was started with.",
                    address=self.address,
                    variable=TOKEN,
                )
            )
        if code != 200:
            raise RefusedError(
                _(
                    "The head of the cluster at {address} refuses (HTTP status "
                    "{code}).",
                    address=self.address,
                    code=code,
                )
            )

    def _object(self, response: requests.Response) -> dict[str, Any]:
        content, began = bytearray(), time.monotonic()
        for block in response.iter_content(1 << 16):
            content += block
            if len(content) > MOST_BYTES:
                raise self._not_ray()
            if time.monotonic() - began > MOST_SECONDS:
                raise self._too_late()
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise self._not_ray() from error
        if not isinstance(answer, dict):
            raise self._not_ray()
        return answer

    def _too_late(self) -> ClusterError:
        return ClusterError(
            _(
                "The head of the cluster at {address} does not answer in time.",
                address=self.address,
            )
        )

    def _not_ray(self) -> RefusedError:
        return RefusedError(
            _(
                "What answers at {address} is not the head of a Ray cluster: "
                "{variable} is the address of Ray's dashboard, usually port 8265.",
                address=self.address,
                variable=VARIABLE,
            )
        )


def _node(row: Mapping[str, Any]) -> Node:
    total = row["resources_total"]
    name = str(row.get("node_name") or row.get("node_ip") or row["node_id"])
    cpus, gpus = (int(float(total.get(kind, 0))) for kind in ("CPU", "GPU"))
    return Node(str(row["node_id"]), name, cpus, gpus)


def _checked(address: str) -> str:
    """The address, if it is one of a head: it is shown, so it may hold no secret."""
    try:
        parts = urlsplit(address)
        whole = f"{parts.scheme}://{parts.netloc}{parts.path}"
        usable = (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and "@" not in parts.netloc
            and whole == address
            and parts.port != 0
        )
    except ValueError:
        usable = False
    if not usable:
        raise ClusterError(
            _(
                "{variable} is no address of a cluster: it looks like "
                "http://head:8265, without a name, a password or a question mark.",
                variable=VARIABLE,
            )
        )
    return address.rstrip("/")


def _token() -> str:
    """Ray's token; empty where none is set.

    Raises:
        ClusterError: The file that holds it cannot be read.
    """
    token = os.environ.get(TOKEN, "").strip()
    path = os.environ.get(TOKEN_PATH, "").strip()
    if not token and path:
        try:
            with Path(path).open("rb") as file:
                token = file.read(_LONGEST_TOKEN).decode("ascii").strip()
        except (OSError, ValueError) as error:
            kind = type(error).__name__
            reason = os_reason(error) if isinstance(error, OSError) else kind
            raise ClusterError(
                _(
                    "The token of the cluster cannot be read from the file that "
                    "{variable} names: {reason}.",
                    variable=TOKEN_PATH,
                    reason=reason,
                )
            ) from error
    if not token.isprintable() or not token.isascii() or " " in token:
        raise ClusterError(
            _(
                "The token in {variable} is not one word of ASCII letters.",
                variable=TOKEN,
            )
        )
    return token

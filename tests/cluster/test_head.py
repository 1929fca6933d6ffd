"""The head is asked by its REST API, and whatever answers gets one clear sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from medmodel.cluster import head as asked
from medmodel.cluster.head import Head, Job, JobState
from medmodel.core.errors import ClusterError
from tests.stub_head import StubHead, stub_head

NODES = (
    '{"data": {"result": {"result": [{"node_id": "a", "state": "ALIVE", '
    '"resources_total": {}}]}}}'
)


@pytest.fixture
def stub() -> Iterator[StubHead]:
    with stub_head() as head:
        yield head


def test_nodes_that_are_alive(stub: StubHead) -> None:
    stub.nodes = [(4, 0), (16, 2)]
    head = Head(stub.address)
    assert head.version() == "2.60.0"
    assert [(n.name, n.cpus, n.gpus) for n in head.nodes()] == [
        ("node0", 4, 0),
        ("node1", 16, 2),
    ]


def test_a_job_from_submission_to_stop(stub: StubHead) -> None:
    head = Head(stub.address)
    assert head.job("a") is None
    head.submit("a", "true", {"X": "1"})
    head.submit("a", "true", {"X": "1"})  # as after an answer that got lost
    assert len(stub.submitted) == 1
    assert stub.submitted[0]["runtime_env"] == {"env_vars": {"X": "1"}}
    assert head.job("a") == Job(JobState.PENDING, "it is PENDING")
    head.stop("a")
    assert head.job("a") == Job(JobState.STOPPED, "it is STOPPED")
    head.stop("of another time")


@pytest.mark.parametrize(
    ("path", "code", "body", "sentence"),
    [
        ("/api/v0", 500, "Traceback: secret", r"refuses \(HTTP status 500\)"),
        ("/api/v0", 302, "http://127.0.0.1:1/elsewhere", r"refuses \(HTTP status 302"),
        ("/api/v0", 401, "", "asks for another token"),
        ("/api/v0", 403, "", "asks for another token"),
        ("/api/v0", 200, "<html>", "is not the head of a Ray cluster"),
        ("/api/v0", 200, "[]", "is not the head of a Ray cluster"),
        ("/api/v0", 200, "{}", "is not the head of a Ray cluster"),
        ("/api/v0", 200, '{"data": {"result": {"result": [{}]}}}', "not the head of"),
        ("/api/v0", 200, NODES.replace("{}", "null"), "not the head of"),
        ("/api/v0", 200, NODES.replace("{}", '{"CPU": Infinity}'), "not the head of"),
        ("/api/v0", 200, "[" * 100_000, "is not the head of a Ray cluster"),
    ],
)
def test_answers_that_are_none(
    stub: StubHead, path: str, code: int, body: str, sentence: str
) -> None:
    stub.failing[path] = (code, body)
    with pytest.raises(ClusterError, match=sentence) as raised:
        Head(stub.address, "hush").nodes()
    assert stub.address in str(raised.value)
    assert "hush" not in str(raised.value) and "secret" not in str(raised.value)


def test_an_endless_answer_is_not_read(
    stub: StubHead, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "MOST_BYTES", 1000)
    stub.failing["/api"] = (200, '{"ray_version": "' + "2" * 10_000 + '"}')
    with pytest.raises(ClusterError, match="not the head of a Ray cluster"):
        Head(stub.address).version()


@pytest.mark.parametrize("limit", [("SECONDS", (0.1, 0.1)), ("MOST_SECONDS", -1.0)])
def test_an_answer_that_comes_too_late(
    stub: StubHead, limit: tuple[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, *limit)
    monkeypatch.setattr(stub, "delay", 0.3 if limit[0] == "SECONDS" else 0.0)
    with pytest.raises(ClusterError, match="does not answer in time"):
        Head(stub.address).version()


def test_a_state_that_ray_does_not_have(stub: StubHead) -> None:
    stub.jobs["a"] = "HAPPY"
    with pytest.raises(ClusterError, match="not the head of a Ray cluster"):
        Head(stub.address).job("a")


def test_a_refused_submission_that_did_not_come_through(stub: StubHead) -> None:
    stub.failing["/api/jobs/"] = (500, "No available agent to submit job")
    with pytest.raises(ClusterError, match="refuses"):
        Head(stub.address).submit("a", "true", {})


def test_nobody_answers(stub: StubHead, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClusterError, match="cannot be reached"):
        Head("http://127.0.0.1:1").nodes()


@pytest.mark.parametrize("source", ["RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"])
def test_the_token_is_rays_own(
    stub: StubHead, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub.token = "hush"
    monkeypatch.setenv("MEDMODEL_RAY", f"{stub.address}/")
    with pytest.raises(ClusterError, match="RAY_AUTH_TOKEN"):
        Head.from_environment().version()
    (tmp_path / "token").write_text("hush\n")
    by_path = source.endswith("PATH")
    monkeypatch.setenv(source, str(tmp_path / "token") if by_path else "hush")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")  # gets no token
    assert Head.from_environment().version() == "2.60.0"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RAY_AUTH_TOKEN_PATH", "/nowhere/token"),
        ("RAY_AUTH_TOKEN", "two words"),
        ("RAY_AUTH_TOKEN", "line\nbreak"),
        ("RAY_AUTH_TOKEN", "ключ"),
    ],
)
def test_tokens_that_are_none(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDMODEL_RAY", "http://head:8265")
    monkeypatch.setenv(name, value)
    with pytest.raises(ClusterError, match="token") as raised:
        Head.from_environment()
    assert value not in str(raised.value)


@pytest.mark.parametrize(
    "address",
    [
        *("", "head:8265", "ray://head:10001", "ftp://head", "http://", "http://:8265"),
        *("http://user:secret@head:8265", "http://head:8265?secret=1", "http://h:x"),
        *("http://head:8265#secret", "http://head:0", "http://[::1"),
    ],
)
def test_addresses_that_are_none_are_not_repeated(address: str) -> None:
    with pytest.raises(ClusterError, match="is no address of a cluster") as raised:
        Head(address)
    assert "secret" not in str(raised.value)

"""`medmodel doctor` as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from medmodel.cli import doctor
from medmodel.cli.doctor.finding import Finding
from tests.cli.conftest import Invoke


@pytest.fixture
def illness(monkeypatch: pytest.MonkeyPatch) -> Callable[[Finding], None]:
    """Replaces what is found by one finding."""

    def only(finding: Finding) -> None:
        def findings(url: str | None, quick: bool) -> Iterator[Finding]:
            yield finding

        monkeypatch.setattr(doctor, "_findings", findings)

    return only


@pytest.mark.parametrize(
    ("level", "status"), [("ok", 0), ("warning", 0), ("problem", 1)]
)
def test_a_problem_is_a_failure(
    level: Any,
    status: int,
    illness: Callable[[Finding], None],
    invoke: Invoke,
    json_of: Callable[..., Any],
) -> None:
    illness(Finding("disk", level, "It is full.", "" if level == "ok" else "rm -r x"))
    text = invoke("doctor", status=status).stdout
    assert "It is full." in text and ("Mend it: rm -r x" in text) == (level != "ok")
    values = json_of("doctor", status=status)
    assert values["ok"] is (status == 0)
    (finding,) = values["findings"]
    assert sorted(finding) == ["level", "mend", "sentence", "subject"]


def test_every_subject_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, json_of: Callable[..., Any]
) -> None:
    monkeypatch.setattr(
        doctor.python,
        "tensorflow_finding",
        lambda gpus: Finding("tensorflow", "ok", f"{gpus} GPUs"),
    )
    urls = []

    def proxy(url: str, upload_mb: int) -> Iterator[Finding]:
        urls.append((url, upload_mb))
        yield Finding("proxy", "ok", "Well.")

    monkeypatch.setattr(doctor.proxy, "proxy_findings", proxy)
    monkeypatch.delenv("STREAMLIT_SERVER_MAX_UPLOAD_SIZE", raising=False)
    values = json_of("doctor", "--url", "https://med.org")
    subjects = {finding["subject"] for finding in values["findings"]}
    assert subjects >= {
        *("python", "packages", "tensorflow", "gpu", "memory", "disk"),
        *("workspace", "fonts", "port", "hosts", "proxy"),
    }
    assert urls == [("https://med.org", 50)]
    quick = json_of("doctor", "--quick")
    subjects = {finding["subject"] for finding in quick["findings"]}
    assert not subjects & {"proxy", "tensorflow"}


def test_settings_of_the_server_that_are_damaged(
    monkeypatch: pytest.MonkeyPatch, json_of: Callable[..., Any]
) -> None:
    monkeypatch.setenv("STREAMLIT_SERVER_PORT", "many")
    values = json_of("doctor", "--quick", status=1)
    (finding,) = [f for f in values["findings"] if f["level"] == "problem"]
    assert finding["subject"] == "hosts"
    assert doctor._largest_upload() == doctor.serving.ServerSettings.max_upload_mb

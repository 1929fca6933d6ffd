"""Stand-ins: stable, keyed, and made by processes that start at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID

from medmodel.core import pseudonyms
from medmodel.core.errors import DataError, FileError
from medmodel.core.pseudonyms import (
    LONGEST_SHIFT,
    days_back,
    patient_pseudonym,
    uid_pseudonym,
    workspace_key,
)

KEY, OTHER = b"k" * 32, b"o" * 32
ROOT = Path(__file__).resolve().parents[2]


def test_the_key_is_private_and_stays(workspace: Path) -> None:
    key = workspace_key()
    path = workspace / "pseudonym.key"
    assert len(key) == 32 and path.read_bytes() == key == workspace_key()
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in workspace.iterdir()] == ["pseudonym.key"]


def test_a_damaged_key_is_not_used(workspace: Path) -> None:
    workspace.mkdir(exist_ok=True)
    for content in (b"", b"short"):
        (workspace / "pseudonym.key").write_bytes(content)
        with pytest.raises(DataError, match="damaged"):
            patient_pseudonym("|4711")


def test_a_key_that_is_kept_elsewhere_is_used(workspace: Path, tmp_path: Path) -> None:
    workspace.mkdir(exist_ok=True)
    (tmp_path / "secret").write_bytes(bytes(range(32)))
    (workspace / "pseudonym.key").symlink_to(tmp_path / "secret")
    assert workspace_key() == bytes(range(32))


def test_nobody_waits_for_a_key_that_never_comes(workspace: Path) -> None:
    workspace.mkdir(exist_ok=True)
    os.mkfifo(workspace / "pseudonym.key")
    with pytest.raises(FileError, match=r"pseudonym\.key cannot be read"):
        patient_pseudonym("|4712")


def test_processes_that_start_at_once_agree(workspace: Path) -> None:
    code = "from medmodel.core.pseudonyms import workspace_key as k; print(k().hex())"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    assert len({child.communicate()[0] for child in started}) == 1


def test_stand_ins_depend_on_key_and_text_alone() -> None:
    assert patient_pseudonym("|4711", KEY) == patient_pseudonym("|4711", KEY)
    assert patient_pseudonym("|4711", KEY) != patient_pseudonym("|4711", OTHER)
    assert patient_pseudonym("|4711", KEY) != patient_pseudonym("|4712", KEY)
    assert "4711" not in patient_pseudonym("|4711", KEY)
    assert patient_pseudonym("", KEY) == ""


@given(st.text())
def test_uids_are_valid_and_dates_go_back(text: str) -> None:
    uid = UID(uid_pseudonym(text, KEY))
    assert uid.is_valid and uid.startswith("2.25.")
    assert 1 <= days_back(text, KEY) <= LONGEST_SHIFT


def test_stand_ins_of_a_key_never_change() -> None:
    """Other ones would make two patients of one in workspaces that exist."""
    assert patient_pseudonym("|4711", KEY) == "pd8a0c15e097e"
    assert uid_pseudonym("1.2.3", KEY) == "2.25.330128418958305300294558619778028172469"
    assert days_back("|4711", KEY) == 2115


def test_purposes_do_not_share_a_digest() -> None:
    uid = int(uid_pseudonym("|4711", KEY).removeprefix("2.25."))
    assert f"{uid:032x}"[:12] != patient_pseudonym("|4711", KEY).removeprefix("p")


@pytest.mark.parametrize(
    ("number", "days"), [(0, 1), (LONGEST_SHIFT - 1, LONGEST_SHIFT), (LONGEST_SHIFT, 1)]
)
def test_dates_never_stay_as_they_are(
    monkeypatch: pytest.MonkeyPatch, number: int, days: int
) -> None:
    digest = number.to_bytes(8, "big") + bytes(24)
    monkeypatch.setattr(pseudonyms, "_digest", lambda *_: digest)
    assert days_back("x", KEY) == days

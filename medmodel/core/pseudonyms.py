"""Keyed pseudonyms of patients, dates and UIDs: the same person, the same stand-in.

All come from a key that only this workspace knows. Without it a hash of a patient's
number tells the number: there are so few that one can try them all.
"""

from __future__ import annotations

import contextlib
import functools
import hmac
import os
import re
import secrets
from pathlib import Path

from medmodel.core.environment import workspace_root
from medmodel.core.errors import DataError
from medmodel.core.regular_files import open_regular
from medmodel.core.storage import renaming, unique_name, unreadable
from medmodel.language import _

KEY_BYTES = 32
LONGEST_SHIFT = 3650
"""Days; about ten years."""
_WHOLE = re.compile(r"\A(\d+)\.0+\Z", re.ASCII)


def workspace_key() -> bytes:
    """The key of this workspace, made at the first call, readable by its owner only.

    Whoever copies a workspace without `pseudonym.key` gets other stand-ins.

    Raises:
        DataError: The file is damaged.
    """
    return _key_here(os.environ.get("MEDMODEL_WORKSPACE", ""), Path.cwd())


def patient_pseudonym(patient: str, key: bytes | None = None) -> str:
    """Keyed pseudonym of a patient's number; empty for an empty number.

    12 hexadecimal digits: among a million patients the chance that any two share one
    is below 0.2 %. A whole number is the same however it is written: where one patient
    is missing, programs write 7.0 for all that are 7.
    """
    if not patient:
        return ""
    patient = _WHOLE.sub(r"\1", patient)
    return "p" + _digest("patient", patient, key).hex()[:12]


def uid_pseudonym(uid: str, key: bytes | None = None) -> str:
    """A valid UID in place of another: PS3.5 B.2, made from a UUID."""
    number = bytearray(_digest("uid", uid, key)[:16])
    number[6] = number[6] & 0x0F | 0x80  # RFC 9562 version 8: made by a custom rule
    number[8] = number[8] & 0x3F | 0x80
    return f"2.25.{int.from_bytes(number, 'big')}"


def days_back(patient: str, key: bytes | None = None) -> int:
    """Date shift of a patient in days, back in time: 1 to `LONGEST_SHIFT`.

    The same for all files of the patient, so that intervals stay as they are.
    """
    number = int.from_bytes(_digest("days", patient, key)[:8], "big")
    return 1 + number % LONGEST_SHIFT


def _digest(purpose: str, text: str, key: bytes | None) -> bytes:
    return _keyed(f"{purpose}\0{text}", key or workspace_key())


@functools.lru_cache(maxsize=64)
def _keyed(message: str, key: bytes) -> bytes:
    # The files of one patient follow each other.
    return hmac.digest(key, message.encode("utf-8", "surrogateescape"), "sha256")


@functools.lru_cache(maxsize=8)
def _key_here(setting: str, folder: Path) -> bytes:
    # What the workspace's path depends on: to follow its links takes long.
    return _key(workspace_root() / "pseudonym.key")


def _key(path: Path) -> bytes:
    if not path.exists():
        # Linked, not renamed: two processes that start at once must agree on one key.
        with (
            contextlib.suppress(FileExistsError),
            renaming(path, unique_name(path), os.link) as new,
        ):
            new.touch(0o600)
            new.write_bytes(secrets.token_bytes(KEY_BYTES))
    try:
        with open_regular(path.resolve()) as file:  # it may be kept elsewhere
            key = file.read(KEY_BYTES + 1)
    except OSError as error:
        raise unreadable(path, error) from error
    if len(key) != KEY_BYTES:
        raise DataError(
            _(
                "{path} is damaged: stand-ins made with it could be guessed. "
                "Restore it from a backup, or remove it: stand-ins will then be "
                "other ones.",
                path=path,
            )
        )
    return key

"""Webhook: tells an address that a run has ended, where one was asked for.

Off unless the environment variable MEDMODEL_WEBHOOK holds an http or https address.
What is sent names the run and how it ended, nothing of the data set or its images.
"""

from __future__ import annotations

import json
import logging
import os
import urllib.request
from http.client import HTTPException
from urllib.parse import urlsplit

from medmodel.language import _
from medmodel.runs.run import RATE_TESTS, Run
from medmodel.runs.status import Failure, RunStatus

VARIABLE = "MEDMODEL_WEBHOOK"
TIMEOUT = 5.0
"""Seconds for which the end of a run waits for the address at most."""
log = logging.getLogger("medmodel.runs.webhook")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Another address than the one that was set is told nothing."""

    def redirect_request(self, *_args: object, **_named: object) -> None:
        return None


def webhook_address() -> str:
    """The address to tell; empty where there is none, or none that can be used."""
    address = os.environ.get(VARIABLE, "").strip()
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        usable = False
    if address and not usable:
        log.warning("%s is no http or https address: nobody is told.", VARIABLE)
    return address if usable else ""


def webhook_said() -> str:
    """Which host is told, or that none is; empty where nobody asked for it.

    The rest of the address may hold a secret.
    """
    if not os.environ.get(VARIABLE, "").strip():
        return ""
    host = urlsplit(webhook_address()).hostname
    return host or _("no http or https address: nobody is told")


def message(run_id: str, state: RunStatus, kind: str = "") -> dict[str, str]:
    """What is sent.

    Args:
        run_id: Of the run.
        state: How it ended.
        kind: Of its failure, see `Failure`; empty if it did not fail.
    """
    return {"event": "run_ended", "run": run_id, "state": state.value, "failure": kind}


def tell_ended(run: Run, state: RunStatus, failure: Failure | None = None) -> None:
    """Tells the address that a run is done or has failed, at most for `TIMEOUT`.

    Not of a rate test, which nobody would find by its id, nor of what a person stopped.
    """
    if state is not RunStatus.STOPPED and run.folder.parent.name != RATE_TESTS:
        notify(run.id, state, failure.kind if failure else "")


def notify(run_id: str, state: RunStatus, kind: str = "") -> bool:
    """Tells the address, if there is one; returns whether it took the message.

    Whatever goes wrong is logged without the address, which may hold a secret, and
    never harms the run.
    """
    address = webhook_address()
    if not address:
        return False
    body = json.dumps(message(run_id, state, kind)).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "MedModel"}
    try:
        request = urllib.request.Request(address, body, headers)
        opener = urllib.request.build_opener(_NoRedirect)
        with opener.open(request, timeout=TIMEOUT) as answer:
            return bool(200 <= answer.status < 300)
    except (OSError, ValueError, HTTPException) as error:
        log.warning("The webhook could not be told: %s.", type(error).__name__)
        return False

"""A proxy in front of the server, tried as a browser would use it.

Three requests go through it: the health address, a WebSocket, and the beginning of a
large upload, of which no byte is sent. None of them changes anything.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from medmodel.cli.doctor.finding import Finding
from medmodel.language import _
from medmodel.language.quantities import bytes_text

SECONDS = 10.0
WAIT_SECONDS = 3.0
"""How long a proxy may take until it refuses an upload by its announced size."""
NGINX_SOCKET = (
    "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; "
    'proxy_set_header Connection "upgrade";'
)
NGINX_HOST = (
    "proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto $scheme;"
)
NGINX_BODY = "client_max_body_size 0;"


@dataclass(frozen=True)
class Answer:
    """What came back.

    Args:
        status: The HTTP status; 0 where nothing came within the time.
        body: The first bytes of the body.
    """

    status: int
    body: bytes = b""


def proxy_findings(url: str, upload_mb: int) -> Iterator[Finding]:
    """Whether MedModel can be reached, watched and given files at an address.

    Args:
        url: The address that browsers open, such as `https://med.hospital.org/`.
        upload_mb: Largest file of Streamlit's own uploads in MB.
    """
    place = urlsplit(url if "://" in url else f"https://{url}")
    trusted, reached = _health(place)
    if trusted:
        yield trusted
    yield reached
    if reached.level == "ok":
        yield _socket(place)
        yield _upload(place, upload_mb)


def _health(place: SplitResult) -> tuple[Finding | None, Finding]:
    """What is wrong with the certificate, if anything; and whether MedModel answers."""
    trust = None
    try:
        answer = _ask(place, "GET", "/healthz")
    except ssl.SSLCertVerificationError as error:
        trust = Finding(
            "proxy",
            "warning",
            _(
                "This machine does not trust the certificate of {host}: {reason}.",
                host=place.hostname,
                reason=error.verify_message,
            ),
            "sudo cp ca.crt /usr/local/share/ca-certificates/ "
            "&& sudo update-ca-certificates",
        )
        answer = _unverified(place)
    except (OSError, http.client.HTTPException) as error:
        return None, _unreachable(place, error)
    return trust, _judge_health(place, answer)


def _unverified(place: SplitResult) -> Answer:
    try:
        return _ask(place, "GET", "/healthz", verify=False)
    except (OSError, http.client.HTTPException):
        return Answer(0)


def _unreachable(place: SplitResult, error: Exception) -> Finding:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return Finding(
        "proxy",
        "problem",
        _(
            "{url} cannot be reached: {reason}.",
            url=place.geturl(),
            reason=str(reason).rstrip("."),
        ),
        f"curl -v {place.geturl()}   # shows how far it comes",
    )


def _judge_health(place: SplitResult, answer: Answer) -> Finding:
    try:
        ours = answer.status == 200 and json.loads(answer.body) == {"status": "ok"}
    except ValueError:
        ours = False
    if ours:
        sentence = _("MedModel answers at {url}.", url=place.geturl())
        return Finding("proxy", "ok", sentence)
    if answer.status == 400 and b"allowedHosts" in answer.body:
        return Finding(
            "proxy",
            "problem",
            _(
                "MedModel refuses the name {host}, or the proxy hides it from "
                "MedModel: it must be allowed, and the proxy must pass on Host.",
                host=place.hostname,
            ),
            f'server.allowedHosts = ["127.0.0.1", "localhost", "{place.hostname}"]'
            f"   # .streamlit/config.toml; nginx: {NGINX_HOST}",
        )
    gateway = answer.status in (502, 503, 504)
    sentence = (
        _(
            "The proxy at {url} does not reach MedModel (status {status}).",
            url=place.geturl(),
            status=answer.status,
        )
        if gateway
        else _(
            "What answers at {url} is not MedModel (status {status}).",
            url=place.geturl(),
            status=answer.status,
        )
    )
    return Finding(
        "proxy", "problem", sentence, "nginx: proxy_pass http://127.0.0.1:8501;"
    )


def _socket(place: SplitResult) -> Finding:
    """Whether a WebSocket comes through, as from a page of this address."""
    key = base64.b64encode(os.urandom(16)).decode()
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key,
        "Origin": f"{place.scheme}://{place.netloc}",
    }
    # A run that cannot be: MedModel accepts the socket and closes it.
    try:
        answer = _ask(place, "GET", "/live/.", headers, verify=False)
    except (OSError, http.client.HTTPException) as error:
        return _unreachable(place, error)
    if answer.status == 101:
        return Finding("proxy", "ok", _("WebSockets come through."))
    if answer.status == 403:
        return Finding(
            "proxy",
            "problem",
            _(
                "MedModel takes pages of this address for another server's: the proxy "
                "must pass on Host and X-Forwarded-Proto."
            ),
            f"nginx: {NGINX_HOST}",
        )
    return Finding(
        "proxy",
        "problem",
        _(
            "WebSockets do not come through (status {status}): pages stay empty.",
            status=answer.status,
        ),
        f"nginx: {NGINX_SOCKET}",
    )


def _upload(place: SplitResult, upload_mb: int) -> Finding:
    """Whether the proxy lets large bodies through, by the size that is announced."""
    from medmodel.data.importing import MOST_BYTES

    for size, level in ((upload_mb * 10**6, "problem"), (MOST_BYTES, "warning")):
        headers = {"Content-Length": str(size), "Expect": "100-continue"}
        try:
            answer = _ask(place, "PUT", "/upload/doctor", headers, verify=False)
        except (OSError, http.client.HTTPException):
            answer = Answer(413)  # it hung up
        if answer.status == 413:
            return Finding(
                "proxy",
                "problem" if level == "problem" else "warning",
                _(
                    "The proxy refuses uploads of {size}.",
                    size=bytes_text(size),
                ),
                f"nginx: {NGINX_BODY}",
            )
    return Finding("proxy", "ok", _("Large uploads come through."))


def _ask(
    place: SplitResult,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    verify: bool = True,
) -> Answer:
    """One request without a body; what has not answered in time has status 0.

    Raises:
        OSError: There is no connection.
        http.client.HTTPException: What came back is no HTTP.
    """
    connection = _connection(place, verify)
    try:
        connection.connect()
        connection.putrequest(method, f"{place.path.rstrip('/')}{path}")
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        connection.endheaders()
        if headers and "Expect" in headers:
            connection.sock.settimeout(WAIT_SECONDS)
        try:
            response = connection.getresponse()
        except TimeoutError:
            return Answer(0)
        body = b"" if response.status == 101 else response.read(2000)
        return Answer(response.status, body)
    finally:
        connection.close()


def _connection(place: SplitResult, verify: bool) -> http.client.HTTPConnection:
    """A connection past the proxies that this machine's own requests may take."""
    host = place.hostname or ""
    if place.scheme == "http":
        return http.client.HTTPConnection(host, place.port, timeout=SECONDS)
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(
        host, place.port, timeout=SECONDS, context=context
    )

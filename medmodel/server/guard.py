"""Guard of the web server: who may ask, for what, and what browsers may do with it.

* The Host name must be among `server.allowedHosts` (DNS rebinding).
* Sockets, and requests that change something, must come from a page of this very
  server: scheme, host and port (cross-site WebSocket hijacking, CWE-1385).
* Of Streamlit's internal addresses those that its pages need, and no others.
* Headers that keep the browser from asking other hosts.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from medmodel.audience.accept_language import preferred_language
from medmodel.language import _, speaking

INTERNAL = "_stcore"
NEEDED = ("health", "stream", "host-config", "upload_file", "bidi-components")
"""What Streamlit's pages ask for below `INTERNAL`. Its metrics name how many sessions,
caches and bytes there are."""
FROM_OWN_PAGE = "medmodel.from_own_page"
"""Key of a request's scope: whether it names a page of this server as its origin."""
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
"""RFC 9110 9.2.1: they change nothing."""


@lru_cache
def package_folder(name: str) -> Path:
    """Where an installed package lies, without importing it."""
    # Found, not imported: Plotly takes a second to import and is not needed here.
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(name)
    return Path(spec.origin).parent


def content_security_policy(page: str) -> str:
    """The policy for Streamlit's page: nothing from, and nothing to, other hosts.

    Args:
        page: Its HTML, whose inline scripts are allowed by their hashes.
    """
    inline = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    digests = (hashlib.sha256(script.encode()).digest() for script in inline)
    hashes = " ".join(f"'sha256-{base64.b64encode(d).decode()}'" for d in digests)
    return "; ".join(
        [
            "default-src 'self'",
            # blob: is how Streamlit loads the script of our live chart.
            f"script-src 'self' blob: {hashes}".rstrip(),
            "connect-src 'self'",
            "img-src 'self' data: blob:",
            "style-src 'self' 'unsafe-inline'",
            "font-src 'self' data:",
            "worker-src 'self' blob:",
            "frame-ancestors 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "object-src 'none'",
        ]
    )


@lru_cache
def _headers() -> list[tuple[bytes, bytes]]:
    page = package_folder("streamlit") / "static" / "index.html"
    policy = content_security_policy(page.read_text(encoding="utf-8"))
    return [
        (b"content-security-policy", policy.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
    ]


class Guard:
    """Refuses foreign names, origins and inner addresses; adds the security headers.

    Args:
        app: What is guarded.
        allowed_hosts: As `server.allowedHosts`, which Streamlit reads for its own
            WebSocket: names without port, `::1`, `*.lab.org`, `*`; empty allows all.
        allowed_origins: As `server.corsAllowedOrigins`: whole origins, such as
            `https://ct.lab.org`, beside this server's own.
    """

    def __init__(
        self,
        app: ASGIApp,
        allowed_hosts: Sequence[str] = (),
        allowed_origins: Sequence[str] = (),
    ) -> None:
        self.app = app
        self.allowed_hosts = frozenset(name.lower() for name in allowed_hosts)
        self.allowed_origins = frozenset(map(_origin, allowed_origins)) - {None}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request or connection, as ASGI asks."""
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        asked = _header(scope, b"accept-language") or ""
        with speaking(preferred_language(asked)):
            refusal = self._refusal(scope)
        if refusal:
            return await _refuse(refusal, scope, receive, send)
        named = _header(scope, b"origin") is not None
        scope = {**scope, FROM_OWN_PAGE: named and self._origin_allowed(scope)}
        if scope["type"] == "websocket":
            return await self.app(scope, receive, send)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_headers()]
            await send(message)

        await self.app(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """HTTP status and reason; None where nothing stands against it."""
        if not self._host_allowed(scope):
            return 400, _(
                "This name is not among server.allowedHosts in .streamlit/config.toml."
            )
        if not _address_needed(scope["path"]):
            return 404, _("There is nothing here.")
        changes = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
        if changes and not self._origin_allowed(scope):
            return 403, _(
                "This request comes from a page of another server. Behind a proxy with "
                "TLS, let it send the headers Host and X-Forwarded-Proto, or name its "
                "address in server.corsAllowedOrigins in .streamlit/config.toml."
            )
        return None

    def _host_allowed(self, scope: Scope) -> bool:
        host = _split(f"//{_header(scope, b'host') or ''}")
        if host is None:
            return False
        name = host.hostname or ""
        return not self.allowed_hosts or any(
            name == allowed or (allowed.startswith("*") and name.endswith(allowed[1:]))
            for allowed in self.allowed_hosts
        )

    def _origin_allowed(self, scope: Scope) -> bool:
        """Programs send no Origin; every browser does, where it could do harm."""
        header = _header(scope, b"origin")
        if header is None:
            return True
        scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
        own = _origin(f"{scheme}://{_header(scope, b'host')}")
        origin = _origin(header)
        return origin is not None and (origin == own or origin in self.allowed_origins)


def _header(scope: Scope, name: bytes) -> str | None:
    values = [value for key, value in scope["headers"] if key == name]
    # Of two that differ, nobody knows which one the next reader would take.
    return b", ".join(values).decode("latin-1") if values else None


def _split(address: str) -> SplitResult | None:
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018  (raises what is no port)
    except ValueError:
        return None
    return parts


def _origin(address: str) -> tuple[str, str, int | None] | None:
    """Scheme, host and port, RFC 6454 4; None for what is no origin, such as null."""
    parts = _split(address)
    if parts is None or not parts.hostname or "@" in parts.netloc:
        return None
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, parts.port or usual


def _address_needed(path: str) -> bool:
    steps = path.split("/")
    if INTERNAL not in steps:
        return True
    return steps[steps.index(INTERNAL) + 1 :][:1] in [[name] for name in NEEDED]


async def _refuse(
    refusal: tuple[int, str], scope: Scope, receive: Receive, send: Send
) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
    else:
        await PlainTextResponse(refusal[1], refusal[0])(scope, receive, send)

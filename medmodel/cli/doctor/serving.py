"""How the server is set up: port, allowed hosts, largest upload."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medmodel.cli.doctor.finding import Finding
from medmodel.core.environment import REPOSITORY
from medmodel.core.errors import FileError
from medmodel.language import _

CONFIG_FILES = (
    Path("~/.streamlit/config.toml"),
    Path.cwd() / ".streamlit" / "config.toml",
    REPOSITORY / ".streamlit" / "config.toml",
)
"""Where Streamlit looks for its settings; what comes later counts more."""
OTHER_PORT = 8601
_SECONDS = 3.0
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_EVERYWHERE = {"", "0.0.0.0", "::"}


@dataclass(frozen=True)
class ServerSettings:
    """Settings of Streamlit that say who reaches the server.

    Args:
        address: The network address it is bound to; "" for all.
        port: The port it is bound to.
        allowed_hosts: Names that it answers to; empty for all.
        server_address: Under which browsers reach it.
        max_upload_mb: Largest file of Streamlit's own uploads in MB.
    """

    address: str = ""
    port: int = 8501
    allowed_hosts: tuple[str, ...] = ()
    server_address: str = "localhost"
    max_upload_mb: int = 200


def serving_findings() -> Iterator[Finding]:
    """Port and allowed hosts."""
    try:
        settings = server_settings(CONFIG_FILES, os.environ)
    except FileError as error:
        yield Finding("hosts", "problem", str(error), "git checkout -- .streamlit")
        return
    yield port(settings)
    yield from hosts(settings)


def server_settings(
    files: tuple[Path, ...], environment: Mapping[str, str]
) -> ServerSettings:
    """The settings as `streamlit run` reads them.

    Args:
        files: Later ones count more.
        environment: Variables such as STREAMLIT_SERVER_PORT count most.

    Raises:
        FileError: A file or variable holds something else.
    """
    merged: dict[str, Any] = {}
    for path in dict.fromkeys(file.expanduser() for file in files):
        for section, values in _sections(path).items():
            if isinstance(values, dict):
                merged |= {f"{section}.{name}": v for name, v in values.items()}
    names = {
        "server.address": "address",
        "server.port": "port",
        "server.allowedHosts": "allowed_hosts",
        "browser.serverAddress": "server_address",
        "server.maxUploadSize": "max_upload_mb",
    }
    for option in names:
        snake = "".join(f"_{c}" if c.isupper() else c for c in option)
        variable = f"STREAMLIT_{snake.replace('.', '_').upper()}"
        if variable in environment:
            merged[option] = environment[variable]
    chosen = {field: merged[name] for name, field in names.items() if name in merged}
    return _converted(chosen)


def _converted(values: dict[str, Any]) -> ServerSettings:
    """The settings in their types; those of the environment are text."""
    hosts_given = values.pop("allowed_hosts", ())
    if isinstance(hosts_given, str):
        hosts_given = hosts_given.strip("[]").replace('"', "").replace(",", " ").split()
    try:
        for name in ("port", "max_upload_mb"):
            if name in values:
                values[name] = int(values[name])
        return ServerSettings(**values, allowed_hosts=tuple(map(str, hosts_given)))
    except (TypeError, ValueError) as error:
        raise FileError(
            _("A setting of the server cannot be understood: {reason}.", reason=error)
        ) from error


def _sections(path: Path) -> dict[str, Any]:
    """What a TOML file holds; nothing where it is not there."""
    if sys.version_info >= (3, 11):
        from tomllib import loads
    else:  # Streamlit brings it along there
        from toml import loads
    try:
        return dict(loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise FileError(
            _("{path} cannot be read: {reason}.", path=path, reason=error)
        ) from error


def port(settings: ServerSettings) -> Finding:
    """Whether the port is free, or MedModel's already."""
    number = settings.port
    address = "127.0.0.1" if settings.address in _EVERYWHERE else settings.address
    allowed = [name.replace("*", "x") for name in settings.allowed_hosts]
    answer = _asked(address, number, next(iter(allowed), address))
    if answer is None:
        return Finding("port", "ok", _("Port {port} is free.", port=number))
    if answer:
        return Finding("port", "ok", _("MedModel answers on port {port}.", port=number))
    return Finding(
        "port",
        "warning",
        _("Port {port} is taken by another program.", port=number),
        f"streamlit run app.py --server.port {OTHER_PORT}",
    )


def _asked(address: str, number: int, name: str) -> bool | None:
    """Whether MedModel answers there; None where nobody listens.

    Args:
        address: Of the network.
        number: The port.
        name: A host name to which MedModel answers.
    """
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    for connection in (
        http.client.HTTPConnection(address, number, timeout=_SECONDS),
        http.client.HTTPSConnection(
            address, number, timeout=_SECONDS, context=trusting
        ),
    ):
        try:
            connection.request("GET", "/healthz", headers={"Host": name})
            body = connection.getresponse().read(1000)
            if json.loads(body) == {"status": "ok"}:
                return True
        except ConnectionRefusedError:
            return None
        except (OSError, http.client.HTTPException, ValueError):
            continue
        finally:
            connection.close()
    return False


def hosts(settings: ServerSettings) -> Iterator[Finding]:
    """Whether those who should reach the server do, and no others."""
    allowed = settings.allowed_hosts
    if not allowed:
        yield Finding(
            "hosts",
            "warning",
            _(
                "The server answers to any name, so a page of another site may reach "
                "it through a browser in here (DNS rebinding)."
            ),
            _hosts_line(("127.0.0.1",), "localhost"),
        )
        return
    listed = ", ".join(allowed)
    if not _allowed(settings.server_address, allowed):
        yield Finding(
            "hosts",
            "problem",
            _(
                "browser.serverAddress is {name}, which server.allowedHosts ({hosts}) "
                "refuses.",
                name=settings.server_address,
                hosts=listed,
            ),
            _hosts_line(allowed, settings.server_address),
        )
    elif settings.address not in _LOOPBACK and _LOOPBACK.issuperset(
        name.lower() for name in allowed
    ):
        yield Finding(
            "hosts",
            "warning",
            _(
                "The server listens beyond this machine, but answers to {hosts} only: "
                "other machines are refused.",
                hosts=listed,
            ),
            _hosts_line(allowed, socket.getfqdn()),
        )
    else:
        yield Finding("hosts", "ok", _("The server answers to: {hosts}.", hosts=listed))


def _allowed(name: str, allowed: tuple[str, ...]) -> bool:
    """As `guard.Guard` decides."""
    return any(
        name.lower() == host.lower()
        or (host.startswith("*") and name.lower().endswith(host[1:].lower()))
        for host in allowed
    )


def _hosts_line(allowed: tuple[str, ...], name: str) -> str:
    hosts_with_name = json.dumps([*allowed, name])
    return f"server.allowedHosts = {hosts_with_name}   # .streamlit/config.toml"

"""Network addresses of this machine, for the presenter to choose from."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass

from medmodel.language import N_

EVERYWHERE = "0.0.0.0"
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Interface:
    """One address that a server may listen at.

    Args:
        address: IPv4 address.
        name: The network interface, as the system calls it.
    """

    address: str
    name: str

    @property
    def loopback(self) -> bool:
        """Whether this machine alone can reach it."""
        return ipaddress.ip_address(self.address).is_loopback

    @property
    def everywhere(self) -> bool:
        """Whether it stands for every address of this machine."""
        return ipaddress.ip_address(self.address).is_unspecified


def interfaces() -> list[Interface]:
    """Addresses of this machine, those of local networks first.

    Private networks (RFC 1918) come before others, the loopback address after them,
    and every address at once last.
    """
    import psutil

    up = {name for name, facts in psutil.net_if_stats().items() if facts.isup}
    listed = [
        Interface(each.address, name)
        for name, addresses in psutil.net_if_addrs().items()
        for each in addresses
        if name in up and each.family is socket.AF_INET and _usable(each.address)
    ]
    networks = sorted(listed, key=lambda i: (not _private(i.address), i.name))
    return [
        *networks,
        Interface(LOOPBACK, N_("this machine only")),
        Interface(EVERYWHERE, N_("every address of this machine")),
    ]


def _private(address: str) -> bool:
    return ipaddress.ip_address(address).is_private


def _usable(address: str) -> bool:
    ip = ipaddress.ip_address(address)
    return not (ip.is_loopback or ip.is_link_local or ip.is_unspecified)

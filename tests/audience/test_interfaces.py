"""Addresses to choose from: local networks first, every address last."""

from __future__ import annotations

import socket
from types import SimpleNamespace

import psutil
import pytest

from medmodel.audience import interfaces as module
from medmodel.audience.interfaces import Interface, interfaces


def test_networks_come_first_and_everywhere_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def at(address: str, family: int = socket.AF_INET) -> SimpleNamespace:
        return SimpleNamespace(address=address, family=family)

    addresses = {
        "lo": [at("127.0.0.1")],
        "ppp0": [at("8.8.4.4")],
        "wlan0": [at("fe80::1", socket.AF_INET6), at("192.168.1.7")],
        "eth0": [at("10.1.2.3"), at("169.254.3.3")],
        "down0": [at("10.9.9.9")],
    }
    up = {name: SimpleNamespace(isup=name != "down0") for name in addresses}
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: addresses)
    monkeypatch.setattr(psutil, "net_if_stats", lambda: up)
    assert [i.address for i in interfaces()] == [
        *("10.1.2.3", "192.168.1.7", "8.8.4.4", module.LOOPBACK, module.EVERYWHERE)
    ]
    assert interfaces()[1].name == "wlan0"


def test_kinds_of_addresses() -> None:
    assert Interface("127.0.0.1", "lo").loopback
    assert Interface("0.0.0.0", "all").everywhere
    network = Interface("10.0.0.1", "eth0")
    assert not network.loopback and not network.everywhere

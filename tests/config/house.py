"""A house to configure: its plugins, and a config of it that is valid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Literal

from pimgr import api, plugins
from pimgr.api import Capability, DeviceType, hookimpl


class Gateway(api.Config):
    address: str
    password: api.Secret
    retries: int = 1


class Plug(api.Config):
    address: str = ""
    outlets: int = 0
    model: Literal["one", "six"] = "one"
    keys: tuple[api.Secret, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.outlets <= 12:
            raise ValueError("outlets: a strip has up to 12")


class Host(api.Config):
    user: str = "pimgr"


def _kind(name: str, config: type[api.Config], can: set[Capability], **more: Any) -> DeviceType[Any]:
    def opens(_config: api.Config, _context: api.Context) -> Any:
        raise AssertionError("a config is read without opening anything")

    provides = more.pop("provides", lambda _config: {"": frozenset(can)})
    return DeviceType(name=name, summary=name, config=config, provides=provides, open=opens, **more)


def _outlets(config: Plug) -> Mapping[str, frozenset[Capability]]:
    load = frozenset({Capability.LOAD})
    return {str(n + 1): load for n in range(config.outlets)} if config.outlets else {"": load}


def _quarrel(_config: api.Config) -> Mapping[str, frozenset[Capability]]:
    raise RuntimeError("no idea")


GRID = {Capability.GRID_SOURCE, Capability.SITE_METER}
TYPES = (
    _kind("acme.gateway", Gateway, GRID),
    _kind("acme.cloud", Gateway, GRID, cloud=True),
    _kind("acme.slow", Gateway, {Capability.GRID_SOURCE}, poll_s={Capability.GRID_SOURCE: 20.0}),
    _kind("acme.plug", Plug, set(), provides=_outlets),
    _kind("acme.charger", Host, {Capability.GRADED_LOAD}),
    _kind("acme.control", Host, {Capability.SITE_CONTROL}, cloud=True),
    _kind("acme.local-control", Host, {Capability.SITE_CONTROL}),
    _kind("acme.host", Host, {Capability.HOST}),
    _kind("acme.counts-down", Host, {Capability.HOST}, calls_off=True),
    _kind("acme.cloud-plug", Plug, {Capability.LOAD}, cloud=True),
    _kind("acme.mail", Host, {Capability.NOTIFIER}),
    _kind("acme.quarrel", Host, set(), provides=_quarrel),
    _kind("acme.odd", Host, set(), provides=lambda _config: {"a/b": frozenset({Capability.LOAD})}),
)


@hookimpl
def pimgr_device_types() -> Sequence[DeviceType[Any]]:
    return TYPES


def _broken() -> Any:
    def pimgr_device_types() -> Sequence[DeviceType[Any]]:
        raise RuntimeError("boom")

    return SimpleNamespace(pimgr_device_types=hookimpl(pimgr_device_types))


ACME = SimpleNamespace(pimgr_device_types=pimgr_device_types)
BROKEN = _broken()
PLUGINS = plugins.load(only=(), extra={"acme": ACME, "broken": BROKEN})

VALID = """\
version = 1

[grid]
sources = ["gateway", "cloud"]  # local first
poll = "2s"
confirm = "4s"
settle = "5min"

[battery]
capacity = "13.5 kWh"
assumed_load = 800
meters = ["gateway"]

[connections.gateway]
type = "acme.gateway"
address = "192.0.2.10"
password = { secret = "gateway-password" }

[connections.cloud]
type = "acme.cloud"
address = "site"
password = { secret = "cloud-token" }

[connections.pool-pump]
type = "acme.plug"

[connections.strip]
type = "acme.plug"
outlets = 6

[connections.heat-tape]
type = "acme.plug"

[connections.nas]
type = "acme.host"

[connections.mail]
type = "acme.mail"

[[tiers]]
name = "at once"
at_once = true
loads = ["pool-pump", "strip/3"]

[[tiers]]
name = "low"
below = 50
loads = ["nas"]

[protect]
never_shed = ["strip/1"]

[loads.pool-pump]
title = "Pool pump"
enforce = true

[loads.nas]
witness = "strip/1"

[[keep]]
part = "heat-tape"
on = true

[restore]
stagger = "5s"

[mail]
to = ["mail"]
"""


def changed(*changes: tuple[str, str]) -> str:
    """VALID with some of its text replaced."""
    text = VALID
    for old, new in changes:
        assert text.count(old) >= 1, old
        text = text.replace(old, new, 1)
    return text

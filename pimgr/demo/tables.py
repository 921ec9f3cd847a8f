"""The config that a running house wants: one table for each device, by its kind, and the secrets that go with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pimgr.house import House

Lines = list[str]
TYPES = {"linux": "ssh-host.linux", "solaris": "ssh-host.solaris", "windows": "windows-host.ssh"}


@dataclass(frozen=True)
class Writer:
    """What a table may need: the running house, and the file that vouches for its mail server."""

    house: House
    ca_file: Path

    def tables(self) -> str:
        """The tables of all devices that have one."""
        each = ((device, TABLES[device.kind](self, device)) for device in self.house.spec.device)
        return "\n".join(f"[connections.{device.id}]\n" + "\n".join(lines) + "\n" for device, lines in each if lines)

    def secrets(self, ssh_key: str) -> dict[str, str]:
        """By name, what the tables refer to. `ssh_key`: the private key that the house's machines let in."""
        found = {"ssh-key": ssh_key}
        for device in self.house.spec.device:
            own = SECRETS[device.kind](self, device) if device.kind in SECRETS else {}
            found |= {f"{device.id}-{name}": text for name, text in own.items()}
        return found

    def url(self, device: str) -> str:
        """Where a device speaks HTTP."""
        return f"http://127.0.0.1:{self.house.port(device)}"

    def device(self, kind: str) -> Any:
        """The first device of a kind, or None."""
        return next((each for each in self.house.spec.device if each.kind == kind), None)


def _gateway(writer: Writer, device: Any) -> Lines:
    return [
        'type = "powerwall.gateway"',
        f'address = "127.0.0.1:{writer.house.port(device.id)}"',
        f'password = {{ secret = "{device.id}-password" }}',
        f'fingerprint = "sha256:{writer.house.fingerprint(device.id)}"',
    ]


def _tesla(writer: Writer, device: Any) -> Lines:
    return [
        'type = "powerwall.cloud"',
        f'base_url = "{writer.url(device.id)}"',
        f'auth_url = "{writer.url(device.id)}"',
        f'client_id = "{device.client_id}"',
        f'client_secret = {{ secret = "{device.id}-client" }}',
        f'refresh_token = {{ secret = "{device.id}-token" }}',
    ]


def _kasa(writer: Writer, device: Any) -> Lines:
    port = writer.house.port(device.id)
    lines = ['type = "kasa.plug"', 'address = "127.0.0.1"', f"outlets = {device.outlets}", "follow = false"]
    if device.protocol == "legacy":
        return [*lines, 'protocol = "legacy"', f"port = {port}"]
    login = [f'{name} = {{ secret = "{device.id}-{name}" }}' for name in ("username", "password")]
    return [*lines, 'protocol = "klap"', f"klap_port = {port}", *login]


def _tuya(writer: Writer, device: Any) -> Lines:
    lines = [
        'type = "tuya.plug"',
        'address = "127.0.0.1"',
        f"port = {writer.house.port(device.id)}",
        f'device_id = "{writer.house.controls(device.id).device_id}"',
        f'key = {{ secret = "{device.id}-key" }}',
        f'version = "{device.version}"',
        f"switches = {max(1, device.switches)}",
    ]
    cloud = writer.device("tuya-cloud")
    if cloud is None:
        return lines
    keys = [f'cloud_key = {{ secret = "{cloud.id}-key" }}', f'cloud_secret = {{ secret = "{cloud.id}-secret" }}']
    return [*lines, f'cloud_endpoint = "{writer.url(cloud.id)}"', *keys]


def _ssh(writer: Writer, device: Any) -> Lines:
    return [
        f'type = "{TYPES[device.personality]}"',
        'address = "127.0.0.1"',
        f"port = {writer.house.port(device.id)}",
        f'user = "{device.user}"',
        'key = { secret = "ssh-key" }',
        f'host_key = "{writer.house.ssh_host_key(device.id)}"',
        f'mac = "{device.mac}"',
        'wake_address = "127.0.0.1"',
        f"wake_port = {writer.house.port(device.id, 'wake')}",
        *(["warning = 0"] if device.personality == "windows" else []),
    ]


def _honeywell(writer: Writer, device: Any) -> Lines:
    named = ", ".join(f"{each.name.lower()} = {each.id}" for each in device.thermostats)
    return [
        'type = "honeywell.account"',
        f'base_url = "{writer.url(device.id)}"',
        f'username = "{device.username}"',
        f'password = {{ secret = "{device.id}-password" }}',
        f"thermostats = {{ {named} }}",
    ]


def _weather(writer: Writer, device: Any) -> Lines:
    return [
        'type = "weather.open-meteo"',
        f'base_url = "{writer.url(device.id)}"',
        "latitude = 37.4",
        "longitude = -122.1",
    ]


def _mail(writer: Writer, device: Any) -> Lines:
    return [
        'type = "gmail.mail"',
        f'user = "{device.user}"',
        f'password = {{ secret = "{device.id}-password" }}',
        'to = ["owner@example.net"]',
        'host = "127.0.0.1"',
        f"port = {writer.house.port(device.id)}",
        f'ca_file = "{writer.ca_file}"',
    ]


def _ntfy(_writer: Writer, device: Any) -> Lines:
    return ['type = "apprise.url"', f'url = {{ secret = "{device.id}-url" }}', 'least = "warning"']


TABLES: dict[str, Callable[[Writer, Any], Lines]] = {
    "gateway": _gateway,
    "tesla": _tesla,
    "kasa": _kasa,
    "tuya": _tuya,
    "tuya-cloud": lambda _writer, _device: [],
    "ssh": _ssh,
    "honeywell": _honeywell,
    "weather": _weather,
    "mail": _mail,
    "ntfy": _ntfy,
}
SECRETS: dict[str, Callable[[Writer, Any], dict[str, str]]] = {
    "gateway": lambda _, device: {"password": device.password},
    "tesla": lambda _, device: {"client": device.client_secret, "token": device.refresh_token},
    "kasa": lambda _, device: {"username": device.username, "password": device.password},
    "tuya": lambda writer, device: {"key": writer.house.controls(device.id).key},
    "tuya-cloud": lambda _, device: {"key": device.client_id, "secret": device.secret},
    "honeywell": lambda _, device: {"password": device.password},
    "mail": lambda _, device: {"password": device.password},
    "ntfy": lambda writer, device: {"url": f"ntfy://{device.token}@127.0.0.1:{writer.house.port(device.id)}/our-house"},
}

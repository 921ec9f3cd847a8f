"""Tuya plugs and strips (Smart Life, Tuya Smart and a thousand brands), on the home network, with the cloud behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date
from typing import Any, Literal
from urllib.parse import urlsplit

from pimgr.api import Capability, Config, Connection, Context, DeviceType, Secret, hookimpl
from pimgr_tuya.find import discover

MOST_SWITCHES = 8
REGIONS: Mapping[str, str] = {
    "us": "https://openapi.tuyaus.com",
    "us-e": "https://openapi-ueaz.tuyaus.com",
    "eu": "https://openapi.tuyaeu.com",
    "eu-w": "https://openapi-weaz.tuyaeu.com",
    "in": "https://openapi.tuyain.com",
    "cn": "https://openapi.tuyacn.com",
    "sg": "https://openapi-sg.iotbing.com",
}
"""Tuya's data centres (tinytuya 1.20.0, `Cloud.setregion`)."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class PlugConfig(Config):
    """`tuya.plug` in the config file.

    `key`: the local key, 16 characters. `switches`: how many, or the data points that are switches. `power_dp`: the
    data point with the power, in `power_unit_w`. `quiet`: it is never asked for its state at home, only told.
    The `cloud_` keys belong together: the cloud is asked when the plug doesn't answer. `cloud_codes`: names of switches
    that aren't called "switch_1"..., by data point. `trial_ends`: when the project's trial runs out, "2026-12-31".
    """

    address: str
    device_id: str
    key: Secret
    version: Literal["3.1", "3.3", "3.4", "3.5", "auto"] = "auto"
    port: int = 6668
    switches: int | tuple[str, ...] = 1
    power_dp: str = "19"
    power_unit_w: float = 0.1
    quiet: bool = False
    cloud_region: Literal["us", "us-e", "eu", "eu-w", "in", "cn", "sg"] | None = None
    cloud_key: Secret | None = None
    cloud_secret: Secret | None = None
    cloud_endpoint: str | None = None
    cloud_codes: dict[str, str] | None = None
    trial_ends: str | None = None

    def __post_init__(self) -> None:
        if not self.address or self.address in ("0.0.0.0", "Auto") or any(c in self.address for c in "/@ "):  # noqa: S104
            raise ValueError(f'address {self.address!r}: write "192.0.2.14"; a port has its own key')
        if not self.device_id or not self.device_id.isalnum():
            raise ValueError(
                f"device_id {self.device_id!r}: some 20 letters and digits, as the cloud's list of devices says"
            )
        if not 1 <= self.port <= 65535:
            raise ValueError(f"port {self.port}: 1 to 65535")
        if isinstance(self.switches, int):
            if not 1 <= self.switches <= MOST_SWITCHES:
                raise ValueError(f"switches {self.switches}: 1 to {MOST_SWITCHES}, or a list of data points")
        elif (
            not self.switches
            or len(set(self.switches)) < len(self.switches)
            or not all(map(str.isdigit, self.switches))
        ):
            raise ValueError('switches: a list of data points is written ["1", "2"]')
        if not 0.0 < self.power_unit_w <= 1000.0:
            raise ValueError(f"power_unit_w {self.power_unit_w}: W, mostly 0.1")
        self._check_cloud()

    def _check_cloud(self) -> None:
        where = self.cloud_region is not None or self.cloud_endpoint is not None
        given = (where, self.cloud_key is not None, self.cloud_secret is not None)
        if any(given) and not all(given):
            raise ValueError("cloud_region, cloud_key and cloud_secret: give all three or none")
        if self.quiet and not all(given):
            raise ValueError("quiet: a plug that may not be asked at home is read by the cloud; give the cloud_ keys")
        if self.cloud_endpoint is not None:
            url = urlsplit(self.cloud_endpoint)
            safe = url.scheme == "https" or (url.scheme == "http" and url.hostname in LOOPBACK)
            if not safe or not url.hostname or url.path not in ("", "/") or url.query:
                raise ValueError(f'cloud_endpoint {self.cloud_endpoint!r}: write "https://openapi.tuyaeu.com"')
        if self.trial_ends is not None:
            try:
                date.fromisoformat(self.trial_ends)
            except ValueError:
                raise ValueError(f'trial_ends {self.trial_ends!r}: write "2026-12-31"') from None

    @property
    def endpoint(self) -> str | None:
        """Where its cloud is; None without one."""
        return self.cloud_endpoint or (REGIONS[self.cloud_region] if self.cloud_region else None)

    @property
    def dps(self) -> Mapping[str, str]:
        """The switches' data points by part: "" for a single one, else "1", "2"..."""
        points = self.switches if isinstance(self.switches, tuple) else [str(n) for n in range(1, self.switches + 1)]
        return {"": points[0]} if len(points) == 1 else {str(n): point for n, point in enumerate(points, 1)}


def _provides(config: PlugConfig) -> Mapping[str, frozenset[Capability]]:
    return dict.fromkeys(config.dps, frozenset({Capability.LOAD}))


def _open(config: PlugConfig, context: Context) -> AbstractAsyncContextManager[Connection]:
    from pimgr_tuya.plug import open_plug  # brings tinytuya in, so only once it is opened

    return open_plug(config, context)


PLUG = DeviceType(
    name="tuya.plug",
    summary="Tuya plug or strip (Smart Life app) on the home network, with Tuya's cloud behind",
    config=PlugConfig,
    provides=_provides,
    open=_open,
    vendor_modules=("tinytuya",),
    poll_s={Capability.LOAD: 60.0},
    floor_s=20.0,
    discover=discover,
)
"""Polled rarely: one client at a time can talk to it, and some restart when asked too often. A plug that is wanted in
an outage and doesn't answer is tried again after 20 s."""


@hookimpl
def pimgr_device_types() -> Sequence[DeviceType[Any]]:
    """The device types of this plugin."""
    return (PLUG,)

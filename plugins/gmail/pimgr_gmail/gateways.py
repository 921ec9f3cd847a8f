"""Carriers' mail-to-SMS gateways that have closed, or will: mail to them reaches no phone, and nobody says so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

KNOWN = date(2026, 11, 21)
"""How far this table goes. What had closed by then is refused whatever the box's own clock says."""
INSTEAD = "use an address with a mailbox, or a push service such as ntfy by the plugin apprise"


@dataclass(frozen=True)
class Gateway:
    """`domain`: what follows the @; `closes`: its last day, or the day by which it was found gone."""

    domain: str
    carrier: str
    closes: date
    source: str

    @property
    def closed(self) -> bool:
        """Whether it had closed when this table was made."""
        return self.closes <= KNOWN

    @property
    def fact(self) -> str:
        """For a home owner."""
        day = f"{self.closes.day} {self.closes:%B %Y}"
        if self.closed:
            return f"{self.carrier} closed its mail-to-text service {self.domain} (by {day})"
        return f"{self.carrier} closes its mail-to-text service {self.domain} on {day}"


_ATT = "att.com/support/article/wireless/KM1061254"
_GONE = "no MX or A record on 2025-04-08: github vufind-org/vufind#4327"
_ROGERS = "communityforums.rogers.com td-p/510696; github mfitzp/List_of_SMS_gateways#19, #21"
_TMOBILE = "carriers' notices as listed at sigspan.com/carrier-gateway-shutdown, 2026-05-13"

GATEWAYS = {
    gateway.domain: gateway
    for gateway in (
        Gateway("tmomail.net", "T-Mobile", date(2024, 12, 31), _TMOBILE),
        Gateway("txt.att.net", "AT&T", date(2025, 6, 17), _ATT),
        Gateway("mms.att.net", "AT&T", date(2025, 6, 17), _ATT),
        Gateway("messaging.sprintpcs.com", "Sprint", date(2025, 4, 8), _GONE),
        Gateway("messaging.nextel.com", "Nextel", date(2025, 4, 8), _GONE),
        Gateway("message.alltel.com", "Alltel", date(2025, 4, 8), _GONE),
        Gateway("pcs.rogers.com", "Rogers", date(2023, 7, 31), _ROGERS),
        Gateway("fido.ca", "Fido", date(2023, 7, 31), _ROGERS),
        Gateway("vtext.com", "Verizon", date(2027, 3, 31), _TMOBILE),
        Gateway("vzwpix.com", "Verizon", date(2027, 3, 31), _TMOBILE),
    )
}


def gateway_of(address: str) -> Gateway | None:
    """The gateway that an address belongs to, if it is one of the table."""
    return GATEWAYS.get(address.rpartition("@")[2].lower().rstrip("."))


def closed(address: str) -> bool:
    """Whether mail to it reaches nobody any more."""
    gateway = gateway_of(address)
    return gateway is not None and gateway.closed

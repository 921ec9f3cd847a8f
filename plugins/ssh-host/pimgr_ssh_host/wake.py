"""Wake-on-LAN: the packet that starts a machine whose card listens while the rest is off."""

from __future__ import annotations

import re
import socket

from pimgr.api import Unreachable, Unsupported
from pimgr_ssh_host.talk import Wanted

_MAC = re.compile(r"[0-9a-f]{2}([:-]?)([0-9a-f]{2}\1){4}[0-9a-f]{2}", re.IGNORECASE)


def is_mac(text: str) -> bool:
    """Whether this is a card's address: "02:00:00:00:00:01", with colons, dashes, or neither."""
    return _MAC.fullmatch(text) is not None


def magic_packet(mac: str) -> bytes:
    """What wakes the network card with this address: six bytes of ones, then the address 16 times."""
    return b"\xff" * 6 + bytes.fromhex(mac.replace(":", "").replace("-", "")) * 16


def broadcast(packet: bytes, address: str, port: int) -> None:
    """Send one datagram, to a broadcast address too. Raises OSError where the network is down."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sender.sendto(packet, (address, port))


def send_wake_up(mac: str | None, address: str, port: int, wanted: Wanted) -> None:
    """Ask a machine to start, by one packet that may be lost: pimgr repeats it until the machine answers.

    Raises Unsupported without a `mac`, Unreachable where this box can't send.
    """
    if mac is None:
        raise wanted.error(Unsupported, "its mac is not in the config", 'add mac = "..." to wake it')
    try:
        broadcast(magic_packet(mac), address, port)
    except OSError as error:
        fact = f"no packet could be sent to {address} ({error.strerror})"
        raise wanted.error(Unreachable, fact, "check the network of this box") from None

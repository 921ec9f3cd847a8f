"""What went wrong with a plug or with the cloud, before it is known which part and which wish it met."""

from __future__ import annotations

from dataclasses import dataclass

from pimgr.api import DeviceError


@dataclass(frozen=True)
class Wanted:
    """What was asked of whom, for the message."""

    part: str
    wish: str


class Failed(Exception):
    """One of the four errors without its part and wish.

    `doubt`: key or version may be wrong. `told`: a person should know of it even when nothing else goes wrong.
    """

    def __init__(
        self, kind: type[DeviceError], fact: str, cure: str, *, doubt: bool = False, told: bool = False
    ) -> None:
        super().__init__(kind, fact, cure)
        self.kind, self.fact, self.cure, self.doubt, self.told = kind, fact, cure, doubt, told

    def of(self, wanted: Wanted) -> DeviceError:
        """The error of ours."""
        return self.kind(wanted.part, wanted.wish, self.fact, self.cure)

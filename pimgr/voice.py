"""What connections say besides readings and errors: to a person, or for the history only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pimgr.api import Finding
from pimgr.policy.model import Event
from pimgr.text import safe
from pimgr.worries import DEVICE, Worries

LENGTH = 500


@dataclass(frozen=True)
class HouseVoice:
    """Implements `context.Voice`. `noted` takes what is for the history."""

    worries: Worries
    noted: Callable[[Event], None]

    def tell(self, connection: str, key: str, finding: Finding | None) -> None:
        name = f"{DEVICE}{connection} {safe(key, 60)}"
        if finding is None:
            self.worries.over(name)
            return
        text, cure = safe(finding.text, LENGTH), safe(finding.cure, LENGTH)
        self.worries.tell(
            name,
            f"{connection}: {text}",
            f"{cure[:1].upper()}{cure[1:]}." if cure else "Nothing is to be done.",
            mark=f"{finding.severity} {finding.cure}",
            severity=finding.severity,
        )

    def record(self, connection: str, text: str) -> None:
        self.noted(Event(text=safe(f"{connection}: {text}", LENGTH), part=connection, what="device"))

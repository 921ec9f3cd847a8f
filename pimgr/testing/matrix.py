"""The fault matrix: one test class shows a device type in each of ten troubles.

class TestPlugInTrouble(FaultMatrixSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return Subject(plugin="pimgr_plug", device_type=PLUG, vendor=plug_on_loopback, spared={...})
"""

from __future__ import annotations

import pytest

from pimgr.testing.bench import Bench, run_in_loop
from pimgr.testing.cell import run_cell
from pimgr.testing.subject import Broken, NotApplicable, Subject, Trouble

TROUBLES = tuple(trouble for trouble in Trouble if trouble is not Trouble.NONE)


def run_trouble(trouble: Trouble, subject: Subject) -> None:
    """Run one cell of the matrix. Raises Broken, or NotApplicable where the subject is spared this trouble."""
    reason = subject.spared.get(trouble)
    if reason is not None and not reason.strip():
        raise Broken(f"spared: it doesn't say why it can't be {trouble.value}")

    async def main() -> None:
        async with subject.vendor() as vendor:
            known = trouble in vendor.troubles
            if known and reason is not None:
                raise Broken(f"spared: it can't be {trouble.value} ({reason}), but its vendor can")
            if reason is not None:
                return
            if not known or Trouble.NONE not in vendor.troubles:
                missing = Trouble.NONE if known else trouble
                raise Broken(f"not in the matrix: the vendor has no {missing.value!r}, and no reason is given")
            await run_cell(Bench(subject, vendor), trouble)

    run_in_loop(main())
    if reason is not None:
        raise NotApplicable(reason)


class FaultMatrixSuite:
    """Subclass it and define the fixture `subject`: its vendor knows each trouble, or it is spared it for a reason.

    In each trouble: the right error, said in full, by the plugin's own deadline; no secret in any word; nothing left
    behind; other devices undelayed; and well again afterwards, on a new connection and on the one that met the trouble.
    """

    @pytest.mark.parametrize("trouble", TROUBLES, ids=[trouble.value for trouble in TROUBLES])
    def test_trouble(self, trouble: Trouble, subject: Subject) -> None:
        """The connection meets this trouble as it should."""
        try:
            run_trouble(trouble, subject)
        except NotApplicable as reason:
            pytest.skip(str(reason))

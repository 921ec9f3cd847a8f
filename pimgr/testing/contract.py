"""The contract suite: one test class gives a plugin author every rule of `pimgr.api` as a test.

class TestPlug(ContractSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        return Subject(plugin="pimgr_plug", device_type=PLUG, vendor=plug_on_loopback)
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import pytest

from pimgr.testing import rules, rules_in_trouble
from pimgr.testing.bench import Bench, run_in_loop
from pimgr.testing.subject import NotApplicable, Subject

Rule = Callable[[Bench], Coroutine[Any, Any, None]]

RULES: Mapping[str, Rule] = {
    rule.__name__: rule
    for rule in (
        rules.hook_needs_no_vendor,
        rules.parts_are_as_provided,
        rules.open_touches_no_network,
        rules.readings_are_right,
        rules.data_round_trips,
        rules.commands_are_idempotent,
        rules.unsupported_is_said,
        rules.check_only_looks,
        rules_in_trouble.errors_are_of_the_four,
        rules_in_trouble.trouble_is_not_hidden,
        rules_in_trouble.secrets_stay_secret,
        rules_in_trouble.cancelling_takes_no_second,
        rules_in_trouble.hung_device_is_left_and_reopened,
        rules_in_trouble.closes_twice_and_after_failure,
        rules_in_trouble.loop_is_never_blocked,
        rules_in_trouble.nothing_is_left,
    )
}


def run_rule(name: str, subject: Subject) -> None:
    """Run one rule. Raises Broken, or NotApplicable where it says nothing about this subject."""

    async def main() -> None:
        async with subject.vendor() as vendor:
            await RULES[name](Bench(subject, vendor))

    run_in_loop(main())


class ContractSuite:
    """Subclass it and define the fixture `subject`; nothing else is needed, pytest-asyncio neither."""

    @pytest.mark.parametrize("rule", RULES)
    def test_contract(self, rule: str, subject: Subject) -> None:
        """The connection keeps this rule of the contract; the rule's own text says what it is."""
        try:
            run_rule(rule, subject)
        except NotApplicable as reason:
            pytest.skip(str(reason))

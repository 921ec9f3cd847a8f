"""The contract suite catches what it says it catches: each broken plugin fails its rule, and no other."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pimgr.testing import RULES, Broken, NotApplicable, Subject, bench, run_rule
from pimgr.testing.scripted import ScriptedLoad
from tests.testing import broken
from tests.testing.scripted_subject import scripted

pytest_plugins = ["pytester"]

NO_HOOK = "tests.testing.broken:not_a_module"
"""Hooks are judged apart, on modules of their own."""
ONE_BROKEN_RULE: list[tuple[str, Any]] = [
    ("parts_are_as_provided", broken.load(connection=broken.HasOddParts)),
    ("open_touches_no_network", broken.opens(broken.ConnectsAtOnce)),
    ("readings_are_right", broken.load(broken.ReadsTheFuture)),
    ("readings_are_right", broken.load(broken.ReadsNaN)),
    ("readings_are_right", broken.load(broken.SaysNoSource)),
    ("data_round_trips", broken.load(broken.StoresTuples)),
    ("data_round_trips", broken.has_no_plain_config()),
    ("commands_are_idempotent", broken.load(broken.Toggles)),
    ("commands_are_idempotent", broken.load(broken.MindsRepetition)),
    ("check_only_looks", broken.load(connection=broken.ChecksBySwitching)),
    ("errors_are_of_the_four", broken.load(broken.RaisesOSError)),
    ("errors_are_of_the_four", broken.load(broken.RaisesItsOwn)),
    ("errors_are_of_the_four", broken.load(broken.ExplainsNothing)),
    ("errors_are_of_the_four", broken.load(broken.TakesAWrongPasswordForSilence)),
    ("trouble_is_not_hidden", broken.load(broken.Invents)),
    ("secrets_stay_secret", broken.load(broken.TellsThePassword)),
    ("secrets_stay_secret", broken.load(broken.LogsThePassword)),
    ("cancelling_takes_no_second", broken.load(broken.TurnsCancellingIntoAnError)),
    ("hung_device_is_left_and_reopened", broken.opens(broken.SaysGoodbyeToASilentDevice)),
    ("closes_twice_and_after_failure", broken.opens(broken.ClosesOnlyOnce)),
    ("closes_twice_and_after_failure", broken.opens(broken.HidesErrors)),
    ("loop_is_never_blocked", broken.load(broken.BlocksTheLoop)),
    ("nothing_is_left", broken.load(broken.LeavesATask)),
    ("nothing_is_left", broken.load(broken.LeavesAThread)),
]


def failing(subject: Subject) -> list[str]:
    """The rules that this subject breaks."""
    return [rule for rule in RULES if breaks(rule, subject)]


def breaks(rule: str, subject: Subject) -> bool:
    try:
        run_rule(rule, subject)
    except NotApplicable:
        return False
    except Broken:
        return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "device_type"), ONE_BROKEN_RULE)
def test_each_broken_plugin_fails_its_rule_and_no_other(rule: str, device_type: Any) -> None:
    broken.LeavesAThread.ended.clear()
    try:
        assert failing(scripted("load", device_type, plugin=NO_HOOK)) == [rule]
    finally:
        broken.LeavesAThread.ended.set()


def test_every_rule_has_a_plugin_that_breaks_it() -> None:
    elsewhere = {"hook_needs_no_vendor", "unsupported_is_said"}
    assert {rule for rule, _ in ONE_BROKEN_RULE} | elsewhere == set(RULES)


def test_a_promised_method_that_is_missing_is_found() -> None:
    assert breaks("parts_are_as_provided", scripted("load", broken.claims_to_see_the_grid()))


@pytest.mark.parametrize(
    ("kind", "part", "call"),
    [
        ("site", broken.LeavesUndone, ("set_mode", ("backup",))),
        ("site", broken.LeavesUndone, ("set_grid_charging", (True,))),
        ("site", broken.LeavesUndone, ("set_storm_watch", (True,))),
        ("charger", broken.LeavesItsLevel, ("set_level", (0.0,))),
    ],
)
def test_a_command_left_undone_must_say_unsupported(kind: str, part: Any, call: tuple[str, Any]) -> None:
    device_type = broken.with_part(kind, part)
    subject = scripted(kind, device_type, plugin=NO_HOOK, commands=False, unsupported=(("", *call),))
    assert failing(subject) == ["unsupported_is_said"]


@pytest.mark.parametrize(
    ("kind", "part", "rule"),
    [
        ("site", broken.ForgetsGridCharging, "commands_are_idempotent"),
        ("site", broken.TurnsStormWatchRound, "commands_are_idempotent"),
        ("charger", broken.AddsToTheLevel, "commands_are_idempotent"),
        ("thermostat", broken.ResumesNothing, "commands_are_idempotent"),
        ("forecast", broken.ForecastsNaN, "readings_are_right"),
    ],
)
def test_every_kind_of_device_can_break_the_contract(kind: str, part: Any, rule: str) -> None:
    assert not breaks(rule, scripted(kind))
    assert breaks(rule, scripted(kind, broken.with_part(kind, part), plugin=NO_HOOK))


@pytest.mark.parametrize(
    "fault",
    [
        "import imaplib",
        "import socket; socket.socket(type=socket.SOCK_DGRAM).connect(('127.0.0.1', 9))",
        "raise ImportError('no such library')",
        "DEVICE_TYPES = ()",
    ],
    ids=["imports its vendor", "connects", "can't be imported", "offers nothing"],
)
def test_a_hook_that_does_more_or_less_than_telling_is_found(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = "@api.hookimpl\ndef pimgr_device_types():\n    return DEVICE_TYPES\n"
    head = "from pimgr import api\nfrom pimgr.testing.scripted import DEVICE_TYPES\n"
    (tmp_path / "hook_at_fault.py").write_text(f"{head}{fault}\n{hook}", encoding="utf-8")
    (tmp_path / "hook_at_ease.py").write_text(f"{head}{hook}", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    device_type = replace(broken.load(), vendor_modules=("imaplib",))
    assert not breaks("hook_needs_no_vendor", scripted("load", device_type, plugin="hook_at_ease"))
    assert breaks("hook_needs_no_vendor", scripted("load", device_type, plugin="hook_at_fault"))


def test_a_call_that_blocks_the_loop_for_ever_is_torn_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "BLOCKED_S", 0.4)
    with socket.create_server(("127.0.0.1", 0)) as silent:

        class WaitsInASocket(ScriptedLoad):
            async def read_load(self) -> Any:
                with socket.create_connection(silent.getsockname()) as line:
                    line.recv(1)

        with pytest.raises(Broken, match="stood still"):
            run_rule("readings_are_right", scripted("load", broken.load(WaitsInASocket)))


def test_a_plugin_author_gets_one_test_per_rule_from_one_fixture(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from pimgr.testing import ContractSuite
        from tests.testing import broken
        from tests.testing.scripted_subject import scripted

        class TestGood(ContractSuite):
            @pytest.fixture
            def subject(self):
                return scripted("gateway")

        class TestToggling(ContractSuite):
            @pytest.fixture
            def subject(self):
                return scripted("load", broken.load(broken.Toggles))
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:asyncio", "--import-mode=importlib")
    result.assert_outcomes(passed=2 * len(RULES) - 4, skipped=3, failed=1)
    result.stdout.fnmatch_lines(["FAILED *TestToggling::test_contract[[]commands_are_idempotent[]]*"])

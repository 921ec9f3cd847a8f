"""The script that prepares a Windows machine: each step has its way back. Nobody ran it on a real Windows here."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from pimgr_windows_host.prepare import script

UNDONE = SCRIPT = script().replace("\r\n", "\n")
DO, UNDO = SCRIPT.partition("if ($Undo) {")[2].partition("    return\n}")[::2][::-1]
STEPS = {
    "the right": ("Set-Holders ($holders + $holder)", "Set-Holders @($found.Holders)"),
    "the token filter": ("Set-Filter 1", "Set-Filter $found.Filter"),
    "the service": ("Set-Registry 'Auto' $true", "Set-Registry $found.Registry.StartMode $found.Registry.Running"),
    "the firewall": ("Add-Rule", "Remove-Rule"),
}


@pytest.mark.parametrize("step", STEPS)
def test_each_step_is_done_once_and_undone_once(step: str) -> None:
    done, undone = STEPS[step]
    assert (DO.count(done), UNDO.count(undone)) == (1, 1)


def test_what_was_found_is_kept_before_anything_is_changed() -> None:
    kept = DO.index("Set-Content $Before")
    assert all(kept < DO.index(done) for done, _ in STEPS.values())
    assert "if (-not (Test-Path $Before))" in DO[:kept], "a second run must not take our own settings for the owner's"


def test_it_is_undone_also_when_the_account_is_gone_already() -> None:
    assert SCRIPT.count('$holder = "*$(Get-Sid)"') == DO.count('$holder = "*$(Get-Sid)"') == 1
    assert DO.index("Get-Sid") < DO.index("Set-Content $Before"), "a wrong account's name changes nothing"


def test_every_function_that_is_called_is_there_and_every_one_that_is_there_is_called() -> None:
    own = set(re.findall(r"^function ([\w-]+)", SCRIPT, re.MULTILINE))
    body = re.sub(r"^function [\w-]+", "", SCRIPT, flags=re.MULTILINE)
    assert {name for name in own if not re.search(rf"(?<![\w-]){name}(?![\w-])", body)} == set()


def test_brackets_and_quotes_are_closed() -> None:
    code = re.sub(r"<#.*?#>", "", SCRIPT, flags=re.DOTALL)
    code = re.sub(r"(?m)^#.*$", "", code)
    code = re.sub(r"'[^'\n]*'", "", code)
    assert code.count("'") == 0
    assert all(code.count(a) == code.count(b) for a, b in ("()", "{}", "[]"))
    assert code.count('"') % 2 == 0


def test_the_script_is_written_for_windows() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "pimgr_windows_host.prepare"], capture_output=True, check=True, timeout=30.0
    )
    assert ended.stdout.decode("ascii") == script()
    assert b"\r\n" in ended.stdout

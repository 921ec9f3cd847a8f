"""The commands as a person types them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pimgr.cli.app import app
from pimgr.cli.exits import Exit
from pimgr.cli.quick import options
from pimgr.control import NAME, Control, Reply, Request
from pimgr.snapshot import PartLine, SiteFact
from tests.cli.making import earlier, pimgr, publish
from tests.config.house import VALID, changed

HOOKS = """
from tests.config.house import pimgr_device_types
"""


def cli(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The plugin of the config tests, installed; and a config that needs it."""
    site = tmp_path / "site"
    info = site / "pimgr_acme-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pimgr-acme\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[pimgr]\nacme = tests.config.house\nt-broken = no_such_module\n")
    monkeypatch.syspath_prepend(str(site))
    folder = tmp_path / "etc"
    (folder / "secrets").mkdir(parents=True)
    for name in ("gateway-password", "cloud-token"):
        (folder / "secrets" / name).write_text("hunter2\n")
        (folder / "secrets" / name).chmod(0o600)
    (folder / "pimgr.toml").write_text(VALID)
    return folder / "pimgr.toml"


# ------------------------------------------------------------------------------------------------------------- status


def test_status_of_a_running_pimgr(tmp_path: Path) -> None:
    publish(tmp_path)
    told = cli("status", "--run", str(tmp_path))
    assert told.exit_code == Exit.OK
    assert told.stdout.startswith("on battery, 48 %, 2 shed\n")


def test_status_without_pimgr_says_so(tmp_path: Path) -> None:
    told = cli("status", "--run", str(tmp_path))
    assert told.exit_code == Exit.NOT_RUNNING
    assert "pimgr is not running" in told.stderr
    told = cli("status", "--json", "--run", str(tmp_path))
    assert told.exit_code == Exit.NOT_RUNNING
    assert json.loads(told.stdout)["running"] is False


def test_status_of_a_pimgr_that_fell_silent_says_so(tmp_path: Path) -> None:
    publish(tmp_path, at=earlier(300))
    told = cli("status", "--run", str(tmp_path))
    assert told.exit_code == Exit.NOT_RUNNING
    assert "has said nothing for 5 min" in told.stdout
    answer = json.loads(cli("status", "--json", "--run", str(tmp_path)).stdout)
    assert answer["running"] is False
    assert 299 < answer["age_s"] < 360
    assert answer["snapshot"]["headline"] == "on battery, 48 %, 2 shed"


def test_status_of_a_dead_pimgr_says_so(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    publish(tmp_path, pid=gone.pid)
    told = cli("status", "--run", str(tmp_path))
    assert told.exit_code == Exit.NOT_RUNNING
    assert "is not running" in told.stdout


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_the_quick_way_and_typer_say_the_same(tmp_path: Path, more: list[str]) -> None:
    publish(tmp_path)

    def plain(text: str) -> str:
        return "\n".join(line for line in text.split("\n") if "age_s" not in line and "ago" not in line)

    quick = pimgr("status", *more, env={"PIMGR_RUN": str(tmp_path)})
    slow = cli("status", "--run", str(tmp_path), *more)
    assert (quick.returncode, plain(quick.stdout)) == (slow.exit_code, plain(slow.stdout))


def test_a_garbled_snapshot_is_told(tmp_path: Path) -> None:
    (tmp_path / "snapshot.json").write_text('{"at": 5}')
    told = pimgr("status", f"--run={tmp_path}")
    assert told.returncode == Exit.NOT_RUNNING
    assert "is not a snapshot of this version" in told.stderr
    assert "Traceback" not in told.stderr


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    publish(tmp_path, trouble=("x" * 400,) * 2000)
    command = f"{sys.executable} -m pimgr.cli status --run {tmp_path} | head -1"
    told = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout == "on battery, 48 %, 2 shed\n"
    assert told.stderr == ""


def test_a_terminal_without_unicode_shows_what_it_can(tmp_path: Path) -> None:
    publish(tmp_path, headline="水泵 an")
    told = pimgr("status", "--run", str(tmp_path), env={"PYTHONIOENCODING": "ascii"})
    assert told.stdout.startswith("\\u6c34\\u6cf5 an\n")


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ([], {}),
        (["--json"], {"--json": ""}),
        (["--run", "/x", "--json"], {"--run": "/x", "--json": ""}),
        (["--run=/x=y"], {"--run": "/x=y"}),
        (["--run"], None),
        (["--run", "--json"], None),
        (["--run", ""], None),
        (["--run="], None),
        (["--json=1"], None),
        (["--json", "--json"], None),
        (["--help"], None),
        (["x"], None),
        (["--", "--json"], None),
    ],
)
def test_only_plain_arguments_go_the_quick_way(arguments: list[str], found: dict[str, str] | None) -> None:
    assert options(arguments, values={"--run"}, flags={"--json"}) == found


def test_mistakes_are_told_by_typer() -> None:
    told = pimgr("status", "--jsn")
    assert told.returncode == Exit.USAGE
    assert "No such option" in told.stderr


# ---------------------------------------------------------------------------------------------------------------- why


def test_why_tells_of_one_part_and_of_all(tmp_path: Path) -> None:
    publish(tmp_path)
    where = ("--run", str(tmp_path), "--state", str(tmp_path))
    one = cli("why", "pool-pump", *where)
    assert one.exit_code == Exit.OK
    assert "taken: the grid is down" in one.stdout
    every = cli("why", *where)
    assert "pool-pump" in every.stdout
    assert "strip/3" not in every.stdout
    answer = json.loads(cli("why", "pool-pump", "--json", *where).stdout)
    assert answer["parts"][0]["returns"] == "comes back when the grid is back"


def test_why_of_an_unknown_part_suggests_one(tmp_path: Path) -> None:
    publish(tmp_path)
    told = cli("why", "pool-pmup", "--run", str(tmp_path))
    assert told.exit_code == Exit.NO
    assert 'did you mean "pool-pump"?' in told.stderr


def test_why_tells_what_happened_lately(tmp_path: Path) -> None:
    from pimgr.journal import Journal
    from tests.journal.making import PARTS, record

    async def write() -> None:
        journal = await Journal.open(tmp_path, tmp_path)
        try:
            await journal.commit(record(journal.state, 1))
        finally:
            await journal.close()

    asyncio.run(write())
    part = PARTS[1 % len(PARTS)]
    publish(tmp_path, parts=(PartLine(part=part, title=part, state="on"),))
    told = cli("why", part, "--run", str(tmp_path), "--state", str(tmp_path))
    assert told.exit_code == Exit.OK
    assert f"{part}: event 1" in told.stdout


def test_why_of_the_site_tells_what_is_wanted_and_where_each_fact_comes_from(tmp_path: Path) -> None:
    facts = (
        SiteFact(name="charge", value="84 %", source="gateway", at=earlier(3)),
        SiteFact(name="reserve", value="30 %", source="tesla", at=earlier(250)),
    )
    site = PartLine(
        part="site", title="site", state="set", status="kept", why="reserve 30 % (the config wants it): seen"
    )
    for parts, wanted in (((site,), True), ((), False)):
        publish(tmp_path, parts=parts, site=facts)
        told = cli("why", "site", "--run", str(tmp_path), "--state", str(tmp_path))
        assert told.exit_code == Exit.OK
        assert ("reserve 30 % (the config wants it): seen" in told.stdout) is wanted
        assert "charge 84 % (gateway, 3 s ago)" in told.stdout
        assert "reserve 30 % (tesla, 4 min ago)" in told.stdout


def test_why_of_a_connection_tells_how_it_is_and_what_it_recorded(tmp_path: Path) -> None:
    from pimgr.api import replace
    from pimgr.journal import Journal
    from pimgr.policy.model import Event
    from tests.journal.making import record

    async def write() -> None:
        journal = await Journal.open(tmp_path, tmp_path)
        try:
            made = record(journal.state, 1)
            event = Event(text="gateway: its token was renewed", part="gateway", what="device")
            await journal.commit(replace(made, decision=replace(made.decision, events=(event,))))
        finally:
            await journal.close()

    asyncio.run(write())
    publish(tmp_path)
    where = ("--run", str(tmp_path), "--state", str(tmp_path))
    told = cli("why", "gateway", *where)
    assert told.exit_code == Exit.OK
    assert told.stdout.startswith("gateway (powerwall.gateway) ok\n")
    assert "its token was renewed" in told.stdout
    strip = cli("why", "strip", *where)
    assert strip.exit_code == Exit.OK
    assert "strip/3: on" in strip.stdout


# -------------------------------------------------------------------------------------------------------------- check


def test_check_of_a_valid_config(acme: Path) -> None:
    told = cli("check", "--config", str(acme))
    assert (told.exit_code, told.stderr) == (Exit.OK, "")
    assert told.stdout == f"{acme} is valid: 7 connections, 12 parts, 2 tiers.\n"
    answer = json.loads(cli("check", "--json", "--config", str(acme)).stdout)
    assert answer["ok"]
    assert answer["errors"] == []
    assert len(answer["digest"]) == 16


def test_check_tells_every_error(acme: Path) -> None:
    acme.write_text(changed(("below = 50", "below = nan"), ("outlets = 6", 'outlets = "six"')))
    (acme.parent / "secrets" / "cloud-token").chmod(0o644)
    told = cli("check", "--config", str(acme))
    assert told.exit_code == Exit.NO
    assert told.stdout.startswith(f"{acme} has 3 errors:\n")
    assert "chmod 600" in told.stdout
    errors = json.loads(cli("check", "--json", "--config", str(acme)).stdout)["errors"]
    assert [(error["line"], error["key"]) for error in errors] == [
        (22, "connections.cloud.password"),
        (29, "connections.strip.outlets"),
        (47, "tiers #2.below"),
    ]
    assert "hunter2" not in told.output


def test_check_without_a_config_says_how_to_get_one(tmp_path: Path) -> None:
    told = cli("check", "--config", str(tmp_path / "absent.toml"))
    assert told.exit_code == Exit.NO
    assert "begin with the example" in told.stdout


# ------------------------------------------------------------------------------------------------------------ plugins


@pytest.mark.parametrize("command", [["plugin", "list"], ["plugin-list"]])
def test_plugin_list_shows_what_loads_and_what_not(acme: Path, command: list[str]) -> None:
    told = cli(*command)
    assert told.exit_code == Exit.OK
    assert "pimgr-acme 1.2" in told.stdout
    assert "needs the Python module no_such_module" in told.stdout
    records = {record["name"]: record for record in json.loads(cli(*command, "--json").stdout)}
    assert records["acme"]["status"] == "loaded"
    assert "acme.plug" in records["acme"]["types"]
    assert records["t-broken"]["status"] == "failed"


# ------------------------------------------------------------------------------------------------------------ control


def _asked(folder: Path, *arguments: str, ok: bool = True) -> tuple[Any, list[Request]]:
    """The command run as a process against a pimgr that replies so, and what that was asked."""
    asked: list[Request] = []

    async def handle(request: Request) -> Reply:
        asked.append(request)
        return Reply(ok, "line one\nline \x1b[31mtwo")

    async def play() -> Any:
        server = asyncio.create_task(Control(folder, handle).run())
        async with asyncio.timeout(60):
            while not (folder / NAME).exists():  # noqa: ASYNC110 - no event tells of a file
                await asyncio.sleep(0)
            try:
                return await asyncio.to_thread(pimgr, *arguments, "--run", str(folder))
            finally:
                server.cancel()
                await asyncio.wait([server])

    return asyncio.run(play()), asked


@pytest.mark.parametrize(
    ("arguments", "request_"),
    [
        (["reload"], Request(do="reload")),
        (["forget", "strip/3"], Request(do="forget", part="strip/3")),
        (["drill"], Request(do="drill")),
        (["return", "strip/3"], Request(do="give back", part="strip/3")),
    ],
)
def test_a_command_asks_the_running_pimgr(tmp_path: Path, arguments: list[str], request_: Request) -> None:
    told, asked = _asked(tmp_path, *arguments)
    assert asked == [request_]
    assert (told.returncode, told.stdout, told.stderr) == (Exit.OK, "line one\nline \\x1b[31mtwo\n", "")


def test_a_refused_request_is_an_error(tmp_path: Path) -> None:
    told, _ = _asked(tmp_path, "reload", ok=False)
    assert (told.returncode, told.stdout) == (Exit.NO, "")
    assert told.stderr.startswith("line one\n")


@pytest.mark.parametrize(
    "command",
    [["reload"], ["forget", "x"], ["return", "x"], ["keep", "x", "on"], ["disarm", "--for", "1h"], ["arm"], ["ack"]],
)
def test_without_a_running_pimgr_nothing_is_asked(tmp_path: Path, command: list[str]) -> None:
    told = cli(*command, "--run", str(tmp_path))
    assert told.exit_code == Exit.NOT_RUNNING
    assert "systemctl start pimgr" in told.stderr


# ------------------------------------------------------------------------------------------------------------- others


def test_replay_of_nothing_says_so(tmp_path: Path) -> None:
    told = cli("replay", "3", "--state", str(tmp_path))
    assert told.exit_code == Exit.NO
    assert "can't be read" in told.stderr


def test_version_is_told() -> None:
    told = cli("version")
    assert told.exit_code == Exit.OK
    assert told.stdout.startswith("pimgr ")
    assert "contract 1" in told.stdout


@pytest.mark.parametrize("arguments", [["run"], ["run", "--dry-run"]])
def test_run_without_any_config_ends_with_78(tmp_path: Path, arguments: list[str]) -> None:
    folders = ("--config", str(tmp_path / "absent.toml"), "--state", str(tmp_path / "s"), "--run", str(tmp_path / "r"))
    told = pimgr(*arguments, *folders)
    assert told.returncode == Exit.NO_CONFIG
    assert "absent.toml" in told.stderr


# --------------------------------------------------------------------------------------------------------------- cost


@pytest.mark.parametrize("arguments", [["--help"], ["status"]])
def test_help_and_status_import_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    publish(tmp_path)
    code = (
        "import sys, pimgr.cli; sys.argv = ['pimgr', *sys.argv[1:]]\n"
        "try: pimgr.cli.main()\n"
        "except SystemExit: pass\n"
        "heavy = {'asyncio', 'sqlite3', 'rich', 'pydantic', 'tomli', 'importlib.metadata', 'kasa', 'paramiko'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    env = {"PIMGR_RUN": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=env, timeout=60, check=True
    )
    assert done.stderr.strip() == "[]"


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--help"], ["status"]])
def test_help_and_status_take_less_than_ten_bare_starts(tmp_path: Path, arguments: list[str]) -> None:
    publish(tmp_path)

    def best(run: Callable[[], object]) -> float:
        times = []
        for _ in range(7):
            began = time.perf_counter()
            run()
            times.append(time.perf_counter() - began)
        return min(times)

    bare = best(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True))
    ours = best(lambda: pimgr(*arguments, env={"PIMGR_RUN": str(tmp_path)}))
    assert ours < 10 * bare, f"{ours * 1000:.0f} ms against {bare * 1000:.0f} ms"

"""A host lets known keys in, shuts down when it may, looks dead then, and wakes into another boot."""

from __future__ import annotations

import asyncio
import gc
import socket
import warnings

import asyncssh
import pytest

from pimgr.house import Fault, House
from pimgr.house.gate import LOOPBACK
from pimgr.house.shell import BOOT_ID_FILE, NOT_FOUND, Personality, Shell, Sudo
from pimgr.house.ssh import magic_packet

MAC = "02:00:00:00:00:07"
OURS, STRANGE = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
HOST = f"""
version = 1
base_load_w = 0.0
[[device]]
id = "strip"
kind = "kasa"
outlets = 2
watts = 0.0
[[device]]
id = "nas"
kind = "ssh"
authorized_keys = ["{OURS.export_public_key().decode().strip()}"]
mac = "{MAC}"
watts = 75.0
outlet = "strip/2"
shutdown_s = 0.05
boot_s = 0.05
"""
BOOT_ID = f"cat {BOOT_ID_FILE}"
SHUT_DOWN = "sudo -n shutdown -h now"


async def run(
    house: House, command: str, *, key: asyncssh.SSHKey = OURS, user: str = "pimgr", deadline_s: float = 3.0
) -> tuple[str, int]:
    """What a command writes, and its exit status (-1 where the connection ended without one)."""
    known = asyncssh.import_known_hosts(f"[{LOOPBACK}]:{house.port('nas')} {house.ssh_host_key('nas')}\n")
    async with (
        asyncio.timeout(deadline_s),
        asyncssh.connect(
            LOOPBACK,
            house.port("nas"),
            username=user,
            client_keys=[key],
            known_hosts=known,
            config=None,
            agent_path=None,
        ) as connection,
    ):
        done = await connection.run(command)
        return str(done.stdout) + str(done.stderr), -1 if done.returncode is None else done.returncode


async def phase(house: House, value: str) -> None:
    await house.wire.wait_for(
        lambda entry: entry.device == "nas" and entry.what == "truth" and entry.value == value, 2.0
    )


def wake(house: House, packet: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.sendto(packet, (LOOPBACK, house.port("nas", "wake")))


def test_a_host_shuts_down_looks_dead_and_wakes_into_another_boot() -> None:
    async def scene() -> None:
        async with House.from_toml(HOST) as house:
            boot = house.host_boot_id("nas")
            assert await run(house, BOOT_ID) == (f"{boot}\n", 0)
            assert house.state().load_w == 75.0
            assert (await run(house, SHUT_DOWN))[1] == 0
            await phase(house, "off")
            assert not house.host_up("nas")
            assert house.state().load_w == 0.0
            with pytest.raises(ConnectionRefusedError):
                await run(house, "true")
            wake(house, magic_packet(MAC))
            await phase(house, "up")
            assert house.host_up("nas")
            again, _ = await run(house, BOOT_ID)
            assert again.strip() == house.host_boot_id("nas") != boot
            assert [(entry.what, entry.value) for entry in house.wire if entry.what in ("shut_down", "wake")] == [
                ("shut_down", boot),
                ("wake", "off"),
            ]

    asyncio.run(scene())


def test_asked_twice_it_shuts_down_once() -> None:
    async def scene() -> None:
        async with House.from_toml(HOST.replace("shutdown_s = 0.05", "shutdown_s = 0.3")) as house:
            for _ in range(2):
                assert (await run(house, SHUT_DOWN))[1] == 0
            await phase(house, "off")
            assert len(house.wire.of("shut_down")) == 2
            assert [entry.value for entry in house.wire.of("truth", "nas")] == ["shutting down", "off"]

    asyncio.run(scene())


def test_only_its_own_user_with_a_known_key_comes_in() -> None:
    async def scene() -> None:
        async with House.from_toml(HOST) as house:
            for key, user in ((STRANGE, "pimgr"), (OURS, "root")):
                with pytest.raises(asyncssh.PermissionDenied):
                    await run(house, "true", key=key, user=user)
            house.authorize("nas", STRANGE.export_public_key().decode())
            assert await run(house, "true", key=STRANGE) == ("", 0)
            assert [entry.value for entry in house.wire.of("login")] == ["refused", "refused", "ok"]

    asyncio.run(scene())


def test_the_host_key_is_what_the_house_says_and_can_change() -> None:
    async def scene() -> None:
        async with House.from_toml(HOST) as house:
            pinned = asyncssh.import_known_hosts(f"[{LOOPBACK}]:{house.port('nas')} {house.ssh_host_key('nas')}\n")
            house.new_identity("nas")
            with pytest.raises(asyncssh.HostKeyNotVerifiable):
                await asyncssh.connect(LOOPBACK, house.port("nas"), known_hosts=pinned, config=None, client_keys=[OURS])
            assert (await run(house, "true"))[1] == 0

    asyncio.run(scene())


def test_a_host_whose_network_goes_first_never_answers_the_shutdown() -> None:
    async def scene() -> None:
        async with House.from_toml(HOST + "answers_shutdown = false") as house:
            try:
                status = (await run(house, SHUT_DOWN))[1]
            except (asyncssh.Error, OSError):
                status = -1
            assert status == -1
            await phase(house, "off")

    asyncio.run(scene())


def test_a_host_that_is_off_can_look_silent() -> None:
    async def scene() -> None:
        async with House.from_toml(HOST + 'off_looks = "silent"') as house:
            house.world.machine("nas").shut_down()
            await phase(house, "off")
            reader, writer = await asyncio.open_connection(LOOPBACK, house.port("nas"))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await reader.read(1)
            writer.close()

    asyncio.run(scene())


@pytest.mark.parametrize("packet", [b"", b"\xff" * 102, magic_packet("02:00:00:00:00:08")])
def test_only_its_own_magic_packet_wakes_it(packet: bytes) -> None:
    async def scene() -> None:
        async with House.from_toml(HOST) as house:
            house.world.machine("nas").shut_down()
            await phase(house, "off")
            wake(house, packet)
            await house.wire.wait_for(lambda entry: entry.what == "refused" and entry.value == "wake", 2.0)
            assert not house.wire.of("wake")

    asyncio.run(scene())


def test_an_outlet_that_is_cut_takes_its_host_down_uncleanly() -> None:
    async def scene() -> None:
        async with House.from_toml(HOST) as house:
            house.switch_by_person("strip/2", False)
            assert not house.host_up("nas")
            assert not house.world.machine("nas").clean
            wake(house, magic_packet(MAC))
            await house.wire.wait_for(lambda entry: entry.raw == "no power", 2.0)
            house.switch_by_person("strip/2", True)
            assert not house.host_up("nas"), "power alone boots nothing"
            with pytest.raises(ConnectionRefusedError):
                await run(house, "true")
            assert [entry.raw for entry in house.wire.of("truth", "nas")] == ["power cut"]

    asyncio.run(scene())


@pytest.mark.parametrize("fault", [Fault.GARBAGE, Fault.CUT, Fault.NONSENSE, Fault.OVERSIZE])
def test_a_faulty_host_is_no_ssh_and_recovers(fault: Fault) -> None:
    async def scene() -> None:
        async with House.from_toml(HOST) as house:
            house.fault("nas", fault)
            with pytest.raises((asyncssh.Error, OSError)):
                await run(house, "true", deadline_s=0.5)
            house.fault("nas", Fault.NONE)
            assert (await run(house, "true"))[1] == 0

    asyncio.run(scene())


SHELL = Shell("pimgr", "the-boot", Sudo.NOPASSWD)
ASKING = Shell("pimgr", "the-boot", Sudo.PASSWORD)


@pytest.mark.parametrize(
    ("shell", "line", "out", "status", "shut_down"),
    [
        (SHELL, BOOT_ID, "the-boot\n", 0, False),
        (SHELL, f"{BOOT_ID}; echo 'a  b'", "the-boot\na  b\n", 0, False),
        (SHELL, f'test "$({BOOT_ID})" = the-boot && {SHUT_DOWN}', "", 0, True),
        (SHELL, f'[ "$({BOOT_ID})" = another ] && {SHUT_DOWN}', "", 1, False),
        (SHELL, f"false || {SHUT_DOWN} >/dev/null 2>&1", "", 0, True),
        (SHELL, "sudo -n systemctl poweroff", "", 0, True),
        (SHELL, "sudo -n -l shutdown -h now", "/usr/sbin/shutdown -h now\n", 0, False),
        (SHELL, "shutdown -h now", "", 1, False),
        (SHELL, "shutdown", "", 1, False),
        (Shell("root", "the-boot", Sudo.ABSENT), "/sbin/shutdown -h now", "", 0, True),
        (Shell("pimgr", "the-boot", Sudo.ABSENT), SHUT_DOWN, "", NOT_FOUND, False),
        (ASKING, SHUT_DOWN, "", 1, False),
        (ASKING, "sudo -n -l", "", 1, False),
        (SHELL, "reboot-the-moon", "", NOT_FOUND, False),
        (SHELL, "cat /etc/shadow", "", 1, False),
        (SHELL, "echo 'no end", "", NOT_FOUND, False),
        (SHELL, "", "", 0, False),
    ],
)
def test_the_shell_says_what_a_real_one_would(shell: Shell, line: str, out: str, status: int, shut_down: bool) -> None:
    said = shell.run(line)
    assert (said.out, said.status, said.shut_down) == (out, status, shut_down)
    assert bool(said.err) == (status not in (0, 1) or (status == 1 and not line.startswith("[")))


SOLARIS = Shell("pimgr", "the-boot", Sudo.NOPASSWD, Personality.SOLARIS, 1_700_000_000)
POOR_SOLARIS = Shell("pimgr", "the-boot", Sudo.ABSENT, Personality.SOLARIS, 1_700_000_000)


@pytest.mark.parametrize(
    ("shell", "line", "words", "status", "shut_down"),
    [
        (SOLARIS, "pfexec /usr/sbin/shutdown -y -i5 -g0", "init state 5", 0, True),
        (SOLARIS, "pfexec /usr/sbin/shutdown -g0 -y -i5", "init state 5", 0, True),
        (SOLARIS, "pfexec /usr/sbin/shutdown -h now", "Usage", 1, False),
        (SOLARIS, "pfexec /usr/sbin/shutdown -y -i5 -g60", "Usage", 1, False),
        (SOLARIS, "/usr/sbin/shutdown -y -i5 -g0", "Only root", 2, False),
        (POOR_SOLARIS, "pfexec /usr/sbin/shutdown -y -i5 -g0", "Only root", 2, False),
        (SOLARIS, "/usr/bin/kstat -p unix:0:system_misc:boot_time", "boot_time\t1700000000\n", 0, False),
        (SOLARIS, "kstat -p unix:0:other", "", 1, False),
        (SOLARIS, "who -b", "system boot  Nov 14 22:13", 0, False),
        (SOLARIS, "/usr/bin/profiles -l | /usr/bin/egrep '/usr/sbin/shutdown|[*]'", "/usr/sbin/shutdown", 0, False),
        (POOR_SOLARIS, "profiles -l | egrep /usr/sbin/shutdown", "", 1, False),
        (SOLARIS, BOOT_ID, "No such file", 1, False),
    ],
)
def test_solaris_knows_its_own_commands_only(shell: Shell, line: str, words: str, status: int, shut_down: bool) -> None:
    said = shell.run(line)
    assert words in said.out + said.err
    assert (said.status, said.shut_down) == (status, shut_down)


WINDOWS = Shell("pimgr", "the-boot", Sudo.NOPASSWD, Personality.WINDOWS, 1_700_000_000)
COUNTING = Shell("pimgr", "the-boot", Sudo.NOPASSWD, Personality.WINDOWS, 1_700_000_000, pending=True)
POOR_WINDOWS = Shell("pimgr", "the-boot", Sudo.PASSWORD, Personality.WINDOWS, 1_700_000_000)
WHEN = "(Get-CimInstance Win32_OperatingSystem).LastBootUpTime"


@pytest.mark.parametrize(
    ("shell", "line", "words", "status"),
    [
        (COUNTING, "shutdown /s /f /t 30", "(1190)", 1190),
        (WINDOWS, "shutdown /a", "(1116)", 1116),
        (POOR_WINDOWS, "shutdown /s /t 0", "Access is denied.(5)", 5),
        (WINDOWS, "shutdown /?", "Usage", 1),
        (WINDOWS, "wmic os get lastbootuptime", "20231114221320.500000+000", 0),
        (WINDOWS, f'powershell -NoProfile -Command "{WHEN}.ToFileTimeUtc()"', "133444736000000000\r\n", 0),
        (WINDOWS, f"powershell.exe {WHEN}.ToString('o')", "2023-11-14T22:13:20", 0),
        (WINDOWS, f"powershell {WHEN}", "Tuesday, November 14, 2023 10:13:20 PM", 0),
        (WINDOWS, "whoami /priv", "SeShutdownPrivilege", 0),
        (WINDOWS, "sudo shutdown", "is not recognized", 1),
    ],
)
def test_windows_answers_as_its_command_line_does(shell: Shell, line: str, words: str, status: int) -> None:
    said = shell.run(line)
    assert words in said.out + said.err
    assert (said.status, said.shut_down, said.abort) == (status, False, False)


def test_windows_counts_down_and_can_be_stopped_while_it_does() -> None:
    asked = WINDOWS.run('SHUTDOWN /s /f /t 45 /c "the grid is down"')
    assert (asked.status, asked.shut_down, asked.delay_s) == (0, True, 45.0)
    assert COUNTING.run("shutdown /a").abort

    async def scene() -> None:
        async with House.from_toml(HOST + 'personality = "windows"\ncountdown = 0.01') as house:
            assert (await run(house, "shutdown /s /f /t 6000"))[1] == 0
            assert house.world.machine("nas").counting_down
            assert (await run(house, "shutdown /a"))[1] == 0
            assert not house.world.machine("nas").counting_down
            assert (await run(house, "shutdown /a"))[1] == 1116 % 256, "a byte of it comes through SSH"
            assert (await run(house, "shutdown /s /f /t 1"))[1] == 0
            await phase(house, "off")
            assert [entry.what for entry in house.wire if entry.what in ("shut_down", "abort")] == [
                "shut_down",
                "abort",
                "shut_down",
            ]

    asyncio.run(scene())


def test_each_boot_has_a_time_of_its_own() -> None:
    async def scene() -> None:
        async with House.from_toml(HOST + 'personality = "solaris"') as house:
            first = (await run(house, "kstat -p unix:0:system_misc:boot_time"))[0]
            house.world.machine("nas").shut_down()
            await phase(house, "off")
            wake(house, magic_packet(MAC))
            await phase(house, "up")
            assert (await run(house, "kstat -p unix:0:system_misc:boot_time"))[0] != first

    asyncio.run(scene())


def test_a_key_with_a_forced_command_runs_nothing_else() -> None:
    async def scene() -> None:
        async with House.from_toml(HOST + "forced = true") as house:
            assert await run(house, "pimgr boot-id") == (f"{house.host_boot_id('nas')}\n", 0)
            assert (await run(house, "pimgr check"))[1] == 0
            assert await run(house, "echo hello") == ("", 1)
            assert (await run(house, SHUT_DOWN))[1] == 1
            assert house.wire.of("shut_down") == []
            assert (await run(house, "pimgr shutdown"))[1] == 0
            await phase(house, "off")

    asyncio.run(scene())


def test_a_busy_host_says_so_and_hangs_up() -> None:
    async def scene() -> None:
        async with House.from_toml(HOST) as house:
            house.controls("nas").busy = True
            reader, writer = await asyncio.open_connection(LOOPBACK, house.port("nas"))
            assert await reader.read() == b"Not allowed at this time\r\n"
            writer.close()
            house.controls("nas").busy = False
            assert (await run(house, "true"))[1] == 0
            house.controls("nas").forget_keys()
            with pytest.raises(asyncssh.PermissionDenied):
                await run(house, "true")

    asyncio.run(scene())


def test_a_connection_that_is_cut_at_any_step_leaves_no_socket_behind() -> None:
    """Most steps are within asyncssh, before it takes its end over."""

    async def scene() -> None:
        async with House.from_toml('version = 1\n[[device]]\nid = "nas"\nkind = "ssh"\n') as house:
            for steps in range(40):
                with warnings.catch_warnings(record=True) as told:
                    warnings.simplefilter("always", ResourceWarning)
                    with socket.create_connection((LOOPBACK, house.port("nas"))):
                        house.gate("nas")._accept()  # as the loop does
                        for _ in range(steps):
                            await asyncio.sleep(0)
                        house.fault("nas", Fault.REFUSING)
                        for _ in range(100):
                            await asyncio.sleep(0)
                    house.fault("nas", Fault.NONE)
                    await asyncio.sleep(0)
                    gc.collect()
                assert [str(each.message) for each in told] == [], steps

    asyncio.run(scene())

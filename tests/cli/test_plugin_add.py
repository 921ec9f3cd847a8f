"""Plugins of other people: added beside the release, never in place of it, and never half."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import msgspec
import pytest

from pimgr import installs, plugins
from pimgr.installs import added, change, durable, judging, pip, scaffold
from pimgr.installs.pip import NotInstalled, Sources
from pimgr.plugins import PluginRecord, PluginStatus
from tests.cli.plugin_wheels import plain_wheel, wheel

pytestmark = pytest.mark.slow

PIMGR = Path(sys.executable).parent / "pimgr"
OFFLINE = Sources(offline=True)


def pimgr(base: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [str(PIMGR), "plugin", *map(str, words)]
    environment = os.environ | {"PIMGR_PLUGINS": str(base)}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)


def record(base: Path, name: str) -> PluginRecord:
    """What a pimgr of its own says of a plugin."""
    told = pimgr(base, "list", "--json")
    assert told.returncode == 0, told.stderr
    found = [one for one in msgspec.json.decode(told.stdout, type=list[PluginRecord]) if one.name == name]
    assert len(found) == 1, told.stdout
    return found[0]


def current(base: Path) -> str:
    return str((base / "current").readlink())


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which acme 1.0 was added, with a library that it needs. Tests copy it, and never change it."""
    top = tmp_path_factory.mktemp("acme")
    wheels = top / "wheels"
    plain_wheel(wheels, "acmelib", "2.0", files={"acmelib/__init__.py": "ANSWER = 42\n"})
    made = wheel(top, needs=("acmelib>=1", "pimgr", "msgspec"), files={"pimgr_acme_more.py": "import acmelib\n"})
    base = top / "plugins"
    change.add(base, str(made), Sources(offline=True, folders=(wheels,)))
    return base


@pytest.fixture
def base(acme: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(acme, tmp_path / "plugins", symlinks=True))


@pytest.fixture(autouse=True)
def unchanged_path() -> Iterator[None]:
    before = list(sys.path)
    yield
    sys.path[:] = before


# ------------------------------------------------------------------------------------------------------------ added


def test_an_added_plugin_is_loaded_with_what_it_needs_and_listed_with_where_it_is_from(base: Path) -> None:
    found = record(base, "acme")
    assert (found.status, found.distribution, found.version) == (PluginStatus.LOADED, "pimgr-acme", "1.0")
    assert found.added
    assert found.types == ("acme.thing",)
    told = pimgr(base, "list").stdout
    assert "pimgr_acme-1.0-py3-none-any.whl" in told
    assert (base / "current" / "site" / "acmelib").is_dir()
    assert not (base / "current" / "site" / "msgspec").exists(), "the release has it"


def test_what_was_added_comes_after_the_release_on_the_path(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIMGR_PLUGINS", str(base))
    site = str(base / "gen-1" / "site")
    assert "acme" not in plugins.load({"gmail"}).types
    assert site not in sys.path, "nothing in this house asked for it"
    assert plugins.load({"acme"}).record("acme") is not None
    assert sys.path[-1] == site


def test_the_service_may_read_what_root_added_whatever_roots_umask(base: Path, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        made = change.add(base, str(wheel(tmp_path, "other")), OFFLINE)
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(before)
    for path in (made.folder, *made.folder.rglob("*")):
        assert path.stat().st_mode & 0o077 == (0o055 if path.is_dir() else 0o044), path


def test_a_second_plugin_leaves_the_first_as_it_was(base: Path, tmp_path: Path) -> None:
    newer = plain_wheel(tmp_path / "w", "acmelib", "3.0", files={"acmelib/__init__.py": "ANSWER = 43\n"})
    second = wheel(tmp_path, "other", needs=("acmelib",))
    made = change.add(base, str(second), Sources(offline=True, folders=(newer.parent,)))
    assert {root.name: root.version for root in made.allowed.roots} == {"pimgr-other": "1.0", "pimgr-acme": "1.0"}
    library = made.allowed.distribution("acmelib")
    assert library is not None
    assert library.version == "2.0", "what acme runs with does not change behind its back"
    assert current(base) == "gen-2"


def test_a_newer_version_takes_the_place_of_the_older(base: Path, tmp_path: Path) -> None:
    made = change.add(base, str(wheel(tmp_path, version="1.1")), OFFLINE)
    assert [(root.name, root.version) for root in made.allowed.roots] == [("pimgr-acme", "1.1")]
    assert made.allowed.distribution("acmelib") is None, "nobody needs it now"


def test_a_package_with_its_version_comes_from_folders_of_wheels(tmp_path: Path) -> None:
    wheel(tmp_path / "wheels", "spring", "0.3")
    told = pimgr(tmp_path / "plugins", "add", "pimgr-spring==0.3", "--offline", "--wheels", tmp_path / "wheels")
    assert told.returncode == 0, told.stderr
    assert "spring (pimgr-spring 0.3)" in told.stdout
    assert record(tmp_path / "plugins", "spring").status is PluginStatus.LOADED


def test_a_removed_plugin_is_gone_and_the_others_stay(base: Path, tmp_path: Path) -> None:
    change.add(base, str(wheel(tmp_path, "other")), OFFLINE)
    told = pimgr(base, "remove", "acme")
    assert told.returncode == 0, told.stderr
    assert current(base) == "gen-3"
    assert record(base, "other").status is PluginStatus.LOADED
    assert '"acme"' not in pimgr(base, "list", "--json").stdout
    again = pimgr(base, "remove", "acme")
    assert again.returncode == 1
    assert "acme wasn't added here; what was: other" in again.stderr
    last = change.remove(base, "other")
    assert last.allowed.roots == ()
    assert list(last.site.iterdir()) == []


def test_a_folder_of_source_may_hold_what_is_added(tmp_path: Path) -> None:
    source = scaffold.make("lamp", tmp_path, "MIT")
    for times in (1, 2):
        made = change.add(source / "added", str(source), OFFLINE)
        assert (made.number, [root.plugins for root in made.allowed.roots]) == (times, [("lamp",)])
    assert sorted(path.name for path in source.iterdir()) == sorted(
        ["LICENSE", "README.md", "added", "pimgr_lamp", "pyproject.toml", "tests"]
    ), "nothing is built where the source is"


# --------------------------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("making", "told"),
    [
        (lambda to: wheel(to, "bad", files={"json/__init__.py": ""}), "its own module json, which Python has"),
        (lambda to: wheel(to, "bad", files={"pluggy.py": ""}), "its own module pluggy, which pluggy has"),
        (lambda to: wheel(to, "bad", files={"pimgr/extra.py": ""}), "its own module pimgr, which pimgr has"),
        (lambda to: wheel(to, "bad", needs=("pluggy==0.1",)), "pip says: "),
        (lambda to: wheel(to, "bad", needs=("no-such-thing-anywhere",)), "no-such-thing-anywhere"),
        (lambda to: wheel(to, "bad", files={"pimgr_bad.py": "import no_such"}), "No module named 'no_such'"),
        (lambda to: wheel(to, "bad", files={"pimgr_bad.py": "raise SystemExit(0)"}), "doesn't load"),
        (lambda to: wheel(to, "bad", files={"pimgr_bad.py": ""}), "it has no hook pimgr_device_types"),
        (lambda to: wheel(to, "bad", entry=""), "no plugin: it has no entry point in the group pimgr"),
        (lambda to: wheel(to, "bad", entry="[pimgr]\nBad-Name = pimgr_bad\n"), "'Bad-Name'; a plugin's name is"),
        (lambda to: wheel(to, "bad", entry="[pimgr]\nkasa = pimgr_bad\n"), "'kasa', and so does pimgr-kasa"),
        (lambda to: wheel(to, "kasa", "9.9"), "pimgr-kasa is part of this installation"),
        (lambda to: to / "nothing.whl", "is no file here, and names no version"),
        (lambda to: to, "has no pyproject.toml"),
    ],
)
def test_what_may_not_be_added_changes_nothing_and_is_told(
    base: Path, tmp_path: Path, making: Callable[[Path], Path], told: str
) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    with pytest.raises(NotInstalled) as why:
        change.add(base, str(making(folder)), OFFLINE)
    assert told in str(why.value)
    assert current(base) == "gen-1"
    assert sorted(path.name for path in base.iterdir()) == ["current", "gen-1", "lock", "wheels"]


def test_what_the_release_has_keeps_its_version_though_a_newer_one_lies_ready(base: Path, tmp_path: Path) -> None:
    newer = plain_wheel(tmp_path / "w", "pluggy", "99.0", files={"pluggy/__init__.py": ""})
    ready = Sources(offline=True, folders=(newer.parent,))
    with pytest.raises(NotInstalled, match=r"pimgr-greedy 1.0 depends on pluggy>=99; .*constraint.* pluggy=="):
        change.add(base, str(wheel(tmp_path, "greedy", needs=("pluggy>=99",))), ready)
    made = change.add(base, str(wheel(tmp_path, "modest", needs=("pluggy",))), ready)
    assert made.allowed.distribution("pluggy") is None


def test_code_that_never_ends_loading_is_given_up(tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "LOAD_S", 1.0)
    hangs = wheel(tmp_path, "hangs", files={"pimgr_hangs.py": "import threading\nthreading.Event().wait(30)\n"})
    with pytest.raises(NotInstalled, match="didn't load within 1 s"):
        change.add(base, str(hangs), OFFLINE)
    assert current(base) == "gen-1"


def test_a_build_that_never_ends_is_given_up_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "hang"\nbackend-path = ["."]\n'
    )
    (source / "hang.py").write_text(
        f"import os, threading\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
        "threading.Event().wait(60)\n"
    )
    monkeypatch.setattr(pip, "DEADLINE_S", 5.0)
    with pytest.raises(NotInstalled, match="didn't end"):
        change.add(tmp_path / "plugins", str(source), OFFLINE)
    started = Path("/proc") / (tmp_path / "pid").read_text()
    until = time.monotonic() + 5.0
    while started.exists() and "State:\tZ" not in (started / "status").read_text():
        assert time.monotonic() < until, "what pip started goes on"
        os.sched_yield()


def test_a_user_who_may_not_write_there_is_told_to_say_sudo(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        base = Path("/var/lib/pimgr-is-not-here/plugins")
        with pytest.raises(NotInstalled, match="may not be written by this user; say it with sudo"):
            change.add(base, "pimgr-x==1", OFFLINE)
        return
    os.seteuid(65534)
    try:
        with pytest.raises(NotInstalled, match="may not be written by this user; say it with sudo"):
            change.add(tmp_path / "plugins", "pimgr-x==1", OFFLINE)
        assert "say it with sudo" in installs.look(tmp_path / "plugins").problem
    finally:
        os.seteuid(0)


def test_two_at_once_do_not_mix(base: Path) -> None:
    with (base / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(NotInstalled, match="another `pimgr plugin`"):
            change.remove(base, "acme")


# -------------------------------------------------------------------------------------------- only what was allowed


def judged(base: Path) -> installs.Added:
    return installs.look(base)


def test_a_file_that_was_altered_is_not_loaded_and_a_rebuild_mends_it(base: Path) -> None:
    with (base / "gen-1/site/pimgr_acme.py").open("a") as file:
        file.write("\nraise SystemExit('altered code ran')\n")
    found = record(base, "acme")
    assert found.status is PluginStatus.FAILED
    assert "its file pimgr_acme.py was altered after it was added" in found.reason
    change.rebuild(base, OFFLINE)
    assert record(base, "acme").status is PluginStatus.LOADED


def test_what_is_installed_but_was_not_allowed_is_not_loaded(base: Path, tmp_path: Path) -> None:
    pip.unpack([wheel(tmp_path, "sneaky")], base / "gen-1/site")
    found = record(base, "sneaky")
    assert found.status is PluginStatus.FAILED
    assert "installed but not allowed" in found.reason
    assert record(base, "acme").status is PluginStatus.LOADED


def test_a_record_that_was_rewritten_is_noticed(base: Path) -> None:
    file = next((base / "gen-1/site").glob("pimgr_acme-*/RECORD"))
    file.write_text(file.read_text() + "more.py,,\n")
    assert "not what was allowed" in judged(base).reason("pimgr-acme")


def test_an_altered_library_stops_all_that_may_stand_on_it(base: Path) -> None:
    (base / "gen-1/site/acmelib/__init__.py").write_text("ANSWER = 6 * 9\n")
    assert "acmelib: its file acmelib/__init__.py was altered" in record(base, "acme").reason


def test_after_a_change_of_python_nothing_is_loaded_until_it_is_rebuilt(base: Path) -> None:
    file = base / "gen-1/allowed.json"
    file.write_text(file.read_text().replace(sys.implementation.cache_tag or "", "cpython-39"))
    found = record(base, "acme")
    assert found.status is PluginStatus.FAILED
    assert "it was installed for cpython-39" in found.reason
    assert "`sudo pimgr plugin rebuild`" in found.reason
    told = pimgr(base, "rebuild", "--offline")
    assert told.returncode == 0, told.stderr
    assert record(base, "acme").status is PluginStatus.LOADED


def test_an_altered_wheel_is_not_installed_again(base: Path, tmp_path: Path) -> None:
    kept = base / "wheels/pimgr_acme-1.0-py3-none-any.whl"
    shutil.copy(wheel(tmp_path, files={"pimgr_acme.py": "# altered\n"}), kept)
    with pytest.raises(NotInstalled, match="the kept wheel of pimgr-acme is gone or altered"):
        change.rebuild(base, OFFLINE)


@pytest.mark.parametrize("spoil", ["others may write", "not ours", "no list", "damaged list", "link elsewhere", "huge"])
def test_a_folder_that_cannot_be_trusted_is_not_loaded_from(base: Path, spoil: str) -> None:
    generation, listed = base / "gen-1", base / "gen-1/allowed.json"
    match spoil:
        case "others may write":
            generation.chmod(0o777)
            reason = "can be written by others"
        case "not ours":
            if os.geteuid() != 0:
                pytest.skip("only root can give a folder away")
            os.chown(generation, 65534, 65534)
            reason = "belongs to another user"
        case "no list":
            listed.unlink()
            reason = "is missing"
        case "damaged list":
            listed.write_bytes(listed.read_bytes()[:100])
            reason = "is damaged"
        case "huge":
            listed.write_bytes(b" " * (5 << 20) + listed.read_bytes())
            reason = "is damaged"
        case _:
            (base / "current").unlink()
            (base / "current").symlink_to("../elsewhere")
            reason = "is no generation"
    look = judged(base)
    assert reason in look.problem
    if spoil != "link elsewhere":
        found = record(base, "acme")
        assert (found.status, found.reason) == (PluginStatus.FAILED, look.problem), "who needs it is told why"
    told = pimgr(base, "list")
    assert told.returncode == 0
    assert "what was added is not loaded" in told.stdout
    assert "gmail " in told.stdout, "the release's own go on"


def test_files_are_read_only_where_the_house_needs_the_plugin(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIMGR_PLUGINS", str(base))
    read: list[str] = []
    monkeypatch.setattr(added, "altered", lambda one: read.append(one.name) or "")
    plugins.load({"gmail"})
    assert read == []
    found = plugins.load({"acme"})
    assert sorted(read) == ["acmelib", "pimgr-acme"]
    assert "acme.thing" in found.types


# ------------------------------------------------------------------------------------------------------- power cuts


def test_killed_in_the_middle_the_old_generation_stays_and_the_next_try_cleans_up(base: Path, tmp_path: Path) -> None:
    slow = "import threading\nthreading.Event().wait(60)\n"
    second = wheel(tmp_path, "second", files={"pimgr_second.py": slow})
    process = subprocess.Popen(
        [str(PIMGR), "plugin", "add", str(second), "--offline"],
        env=os.environ | {"PIMGR_PLUGINS": str(base)},
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 60.0
    while not list(base.glob(".making-*/site/pimgr_second.py")):
        assert process.poll() is None
        assert time.monotonic() < until
        os.sched_yield()
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert list(base.glob(".making-*"))
    assert current(base) == "gen-1"
    assert record(base, "acme").status is PluginStatus.LOADED
    change.rebuild(base, OFFLINE)
    assert not list(base.glob(".making-*"))


def test_everything_is_on_the_disk_before_the_link_is_flipped(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fsync is noted with where `current` pointed: what came before the flip, and that the flip came last."""
    synced: list[tuple[str, int]] = []
    real = os.fsync

    def noting(file: int) -> None:
        synced.append((current(base), os.fstat(file).st_ino))
        real(file)

    monkeypatch.setattr(os, "fsync", noting)
    made = change.rebuild(base, OFFLINE)
    before = {inode for link, inode in synced if link == "gen-1"}
    needed = [made.folder, *made.folder.rglob("*"), *(base / "wheels").iterdir()]
    assert len(needed) > 10
    assert [path for path in (*needed, base / "wheels", base) if path.stat().st_ino not in before] == []
    assert [(link, inode) for link, inode in synced if link == "gen-2"] == [("gen-2", base.stat().st_ino)]


def test_a_link_is_changed_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = tmp_path / "current"
    durable.point(link, "gen-1")
    seen: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda _file: seen.append(str(link.readlink())))
    durable.point(link, "gen-2")
    assert seen == ["gen-2"], "the folder is written to the disk after the flip"
    assert [path.name for path in tmp_path.iterdir()] == ["current"]


def test_the_one_before_is_kept_and_older_ones_only_while_a_process_loads_from_them(base: Path) -> None:
    held = os.open(base / "gen-1", os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(held, fcntl.LOCK_SH)
    change.rebuild(base, OFFLINE)
    change.rebuild(base, OFFLINE)
    assert sorted(path.name for path in base.glob("gen-*")) == ["gen-1", "gen-2", "gen-3"]
    os.close(held)
    change.rebuild(base, OFFLINE)
    assert sorted(path.name for path in base.glob("gen-*")) == ["gen-3", "gen-4"]


def test_a_process_that_loads_from_a_generation_holds_it(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIMGR_PLUGINS", str(base))
    plugins.load({"acme"})
    try:
        assert not durable.remove_unless_used(base / "gen-1")
        assert (base / "gen-1").is_dir()
    finally:
        os.close(added._held.pop(base / "gen-1"))


def test_the_name_of_an_official_plugin_means_its_own_version(tmp_path: Path) -> None:
    told = pimgr(tmp_path / "plugins", "add", "kasa", "--offline")
    assert told.returncode == 1
    assert "pimgr-kasa is part of this installation" in told.stderr
    assert version("pimgr") == version("pimgr-kasa")

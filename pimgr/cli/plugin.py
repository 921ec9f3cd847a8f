"""`pimgr plugin`: what is installed, and adding and removing what other people wrote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pimgr.cli import say
from pimgr.cli.exits import Exit
from pimgr.text import safe

if TYPE_CHECKING:
    from pimgr.installs import Generation
    from pimgr.installs.pip import Sources

app = typer.Typer(help="The plugins that are installed, and others.", no_args_is_help=True, rich_markup_mode=None)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Offline = Annotated[bool, typer.Option("--offline", help="Ask no index: take only what is in folders of wheels.")]
Wheels = Annotated[
    list[Path] | None, typer.Option("--wheels", help="A folder of wheels to look in too; may be given more than once.")
]


@app.command("list")
def plugin_list(json: Json = False) -> None:
    """Every plugin that is installed, and why one doesn't load."""
    from pimgr import installs, plugins
    from pimgr.cli import show

    records = plugins.load().records
    if json:
        say.json(records)
        return
    say.lines(show.plugins(records))
    found = installs.look(installs.folder())
    if found.generation is not None:
        say.lines(["", f"Added by `pimgr plugin add`, in {safe(str(found.generation.folder), 200)}:"])
        for root in found.generation.allowed.roots:
            names = ", ".join(root.plugins)
            say.lines(
                [f"  {safe(names, 60)}: {safe(root.name, 60)} {safe(root.version, 20)}, {safe(root.source, 200)}"]
            )
    if found.problem:
        say.lines(["", *show.wrapped(f"! what was added is not loaded: {safe(found.problem, 600)}", 0, 2)])


@app.command("new")
def plugin_new(
    name: Annotated[str, typer.Argument(help="What the config will call it, such as porch-light.")],
    into: Annotated[Path, typer.Option("--into", help="The folder that gets a new folder pimgr-NAME.")] = Path(),
    licence: Annotated[
        str, typer.Option("--licence", help="Apache-2.0, MIT, GPL-3.0-or-later or none.")
    ] = "Apache-2.0",
) -> None:
    """Begin a plugin of your own: a folder whose tests pass at once, and which you then change."""
    from pimgr.installs import scaffold

    try:
        folder = scaffold.make(name, into, licence)
    except scaffold.NotMade as why:
        say.fail(str(why), Exit.NO)
    say.lines(
        [
            f"{safe(str(folder), 200)} is a plugin with one device type, {name}.switch. Next:",
            f"  cd {safe(str(folder), 200)}",
            "  python -m pytest            its tests pass; keep it so while you change it",
            "docs/write-a-plugin.md leads on from here.",
        ]
    )


@app.command("add")
def plugin_add(
    what: Annotated[str, typer.Argument(help="PACKAGE==VERSION, the folder of a plugin's source, or a wheel.")],
    offline: Offline = False,
    wheels: Wheels = None,
) -> None:
    """Install a plugin beside this release. What was there before stays until the new one is seen to load."""
    from pimgr.installs import change

    what = _official(what)
    _change(lambda base, sources: change.add(base, what, sources), offline, wheels)


@app.command("remove")
def plugin_remove(
    name: Annotated[str, typer.Argument(help="The plugin's name, as `pimgr plugin list` tells.")],
) -> None:
    """Take away a plugin that was added."""
    from pimgr.installs import change

    _change(lambda base, _sources: change.remove(base, name), True, None)


@app.command("rebuild")
def plugin_rebuild(offline: Offline = False, wheels: Wheels = None) -> None:
    """Install what was added again, from the kept wheels: after a change of Python, or of what is in its folder."""
    from pimgr.installs import change

    _change(change.rebuild, offline, wheels)


def _official(what: str) -> str:
    """`kasa` is the plugin of this project, at the version of this release."""
    from importlib.metadata import version

    from pimgr.config.connections import OFFICIAL

    return f"pimgr-{what}=={version('pimgr')}" if what in OFFICIAL and not Path(what).exists() else what


def _change(act: Callable[[Path, Sources], Generation], offline: bool, wheels: list[Path] | None) -> None:
    """Make a new generation, and say what is in it."""
    from pimgr import installs
    from pimgr.installs.pip import NotInstalled, Sources

    base = installs.folder()
    try:
        made = act(base, Sources(offline=offline, folders=tuple(wheels or ())))
    except NotInstalled as why:
        say.fail(f"nothing was changed: {why}", Exit.NO)
    roots = made.allowed.roots
    has = ", ".join(f"{safe(', '.join(root.plugins), 60)} ({safe(root.name, 60)} {root.version})" for root in roots)
    say.lines([f"Added plugins are now: {has or 'none'}."])
    say.lines(["A pimgr that is running has it after `sudo systemctl restart pimgr`."])

"""Two commands without typer: `status`, which people and screens call most, and `run`, which stays in memory.

typer 0.29 imports pydantic as soon as a command has one option: 65 of `status`'s 145 ms on a PC, several times that on
a Pi, and 7 MiB for as long as pimgr runs. So plain arguments are read here; others, and mistakes, are left to typer.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from pimgr.cli import places

Options = dict[str, str]


def quickly(arguments: Sequence[str]) -> None:
    """Run the command and end the program, if these arguments of `pimgr` are plain ones of the two; else return."""
    match arguments:
        case ["status", *rest] if (found := options(rest, values={"--run"}, flags={"--json"})) is not None:
            from pimgr.cli.status import status

            status(Path(found.get("--run", places.run())), as_json="--json" in found)
        case ["run", *rest] if (
            found := options(rest, values={"--config", "--state", "--run"}, flags={"--dry-run"})
        ) is not None:
            from pimgr.supervise import Options, run

            raise SystemExit(
                run(
                    Options(
                        config=Path(found.get("--config", places.CONFIG)),
                        state=Path(found.get("--state", places.state())),
                        run=Path(found.get("--run", places.run())),
                        dry_run="--dry-run" in found,
                    )
                )
            )


def options(arguments: Sequence[str], *, values: Collection[str], flags: Collection[str]) -> Options | None:
    """The options in `arguments`, each at most once; None where there is anything else."""
    found: Options = {}
    rest = list(arguments)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        if name in found:
            return None
        if name in flags and not equals:
            found[name] = ""
        elif name in values and equals and value:
            found[name] = value
        elif name in values and not equals and rest and rest[0] and not rest[0].startswith("-"):
            found[name] = rest.pop(0)
        else:
            return None
    return found

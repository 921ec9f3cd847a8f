"""Where the box protects itself: each commit, read-back and deadline, found on the syntax tree.

A site is an expression or a statement of the protecting path. What is found, and what is not, is said by the constants
below; a new way to commit, read back or bound something belongs here first.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OUTSIDE = ("house", "demo", "testing", "cli", "simulate")
"""Packages of pimgr that the box protects nothing with: rehearsals, tests, and the commands of people at a screen."""

Node = ast.expr | ast.stmt

SAVING = frozenset({"add_notice", "commit", "fsync", "keep_valid", "mail_done", "mail_failed", "probe", "rename"})
SAVING |= frozenset({"mails_done", "mails_taken"})
SAVING |= frozenset({"flush", "sync_folder", "_promise", "_put", "_write"})
WRITERS = re.compile(r"(^|\.)(_?book|promises|sealed)\.write$|_keeper\.save$|(_?store|kept)\.put$|\.entries\.append$")
SQL = re.compile(r"(COMMIT|INSERT|UPDATE|PRAGMA (synchronous|journal_mode))")
BOUND = re.compile(
    r"(_?(MOST|MAX|LONGEST)(_(BYTES|CLIENTS|HANGING|LINE|MISSED|OUTLETS|OUTPUT|WAITING|WORDS))?|_?LIMIT)$"
)
LENGTH = re.compile(r"_?[A-Z]+_LENGTH$|limit$|_?max_bytes$")
WAITS = re.compile(r"timeout(_s)?$|_timeout$")
ENDLESS = {"call_later": "1e9", "query": "3", "read": "-1"}
"""What an argument is without its bound; None where nothing is said here."""
LATE = re.compile(r"(^|\.)(deadline_s|_ends_s|patience_s|_GRACE_S)$")


@dataclass(frozen=True)
class Site:
    """`id`: module:function:kind:number, stable while the function keeps its sites in order."""

    id: str
    path: Path
    file: str
    """As a person says it: from the root of the tree."""
    line: int
    text: str
    node: Node
    usual: str
    """What removing such a site mostly is."""


def modules(root: Path) -> Iterator[tuple[str, Path]]:
    """The protecting path: name and file of each module of the box and of its plugins."""
    for folder in (root, *sorted(root.glob("plugins/*"))):
        for path in sorted(folder.glob("pimgr*/**/*.py")):
            names = path.relative_to(folder).with_suffix("").parts
            if len(names) < 2 or names[1] not in OUTSIDE:
                yield ".".join(n for n in names if n != "__init__"), path


def find(root: Path) -> list[Site]:
    """Every site of the tree, in order."""
    return [site for module, path in modules(root) for site in _sites_of(module, path, str(path.relative_to(root)))]


def _sites_of(module: str, path: Path, file: str) -> list[Site]:
    source = path.read_text(encoding="utf-8")
    finder = _Finder()
    finder.visit(ast.parse(source))
    count: dict[str, int] = {}
    sites = []
    for where, kind, node, usual in finder.found:
        stem = f"{module}:{where}:{kind}"
        count[stem] = count.get(stem, 0) + 1
        text = " ".join(ast.unparse(node).split())
        sites.append(Site(f"{stem}:{count[stem]}", path, file, node.lineno, text, node, usual))
    return sites


# ------------------------------------------------------------------------------------------------------------- finding


class _Finder(ast.NodeVisitor):
    """Collects (function, kind, node, usual removal)."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str, Node, str]] = []
        self._above: list[ast.AST] = []

    def visit(self, node: ast.AST) -> None:
        if isinstance(node, ast.Import | ast.ImportFrom | ast.JoinedStr):
            return
        if isinstance(node, ast.expr | ast.stmt) and self._function():
            self._look(node)
        self._above.append(node)
        for child in _children(node):
            self.visit(child)
        self._above.pop()

    def _function(self) -> str:
        named = (n for n in self._above if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef))
        return ".".join(n.name for n in named)

    def _add(self, kind: str, node: Node, usual: str) -> None:
        """A site. What is a statement of its own goes as a whole, and what is awaited goes with its await."""
        above = [n for n in self._above if isinstance(n, ast.expr | ast.stmt)]
        if usual == "drop" and isinstance(node, ast.expr):
            if isinstance(above[-1], ast.Await):
                node = above.pop()
            statement = next(n for n in reversed(above) if isinstance(n, ast.stmt))
            if isinstance(statement, ast.Expr):
                node = statement
            else:
                usual = "True"
        self.found.append((self._function(), kind, node, usual))

    def _look(self, node: Node) -> None:
        match node:
            case ast.Call():
                self._call(node)
            case ast.Await(value=ast.Call() as call):
                if _attribute(call) in {"update", "get_sys_info"} and _dotted(call.func).startswith(
                    ("device", "outlet")
                ):
                    self._add("read-back", node, "drop")
            case ast.Compare():
                self._compare(node)
            case ast.Delete() if _mentions(node, BOUND, LENGTH):
                self._add("deadline", node, "drop")
            case ast.Subscript(slice=ast.Slice() as cut, ctx=ast.Load()) if _mentions(cut, BOUND, LENGTH):
                self._add("deadline", node, ast.unparse(node.value))
            case ast.Attribute(attr="read_back", ctx=ast.Load()):
                self._add("read-back", node, "False")
            case ast.Attribute(ctx=ast.Load()) if WRITERS.search(_dotted(node)):
                self._add("commit", node, "drop")
            case ast.Assign(targets=[target, *_], value=value):
                self._assign(node, target, value)

    def _call(self, call: ast.Call) -> None:
        name, dotted = _attribute(call), _dotted(call.func)
        if _saves(call, name, dotted) or (dotted == "self._send" and isinstance(self._above[-1], ast.Expr)):
            self._add("commit", call, "drop")
        elif name == "transaction":
            self._add("commit", call, "__import__('contextlib').nullcontext()")
        elif name == "execute" and SQL.match(_sql(call)):
            self._add("commit", call, "drop")
        elif name == "open_writer" and ast.unparse(call.args[1]) == "'FULL'":
            self._add("commit", call.args[1], "'NORMAL'")
        elif name == "measured_after":
            self._add("read-back", call, "True")
        elif dotted.endswith(("look.add", "look.update", "w.look", "task.look")) or name == "hurry":
            self._add("read-back", call, "drop")
        elif name == "resume" and call.args:
            self._add("read-back", call, ast.unparse(call.args[0]))
        self._waits(call, name, dotted)

    def _waits(self, call: ast.Call, name: str, dotted: str) -> None:
        for keyword in call.keywords:
            if WAITS.search(keyword.arg or ""):
                self._add("deadline", keyword.value, "None")
            elif keyword.arg == "limit":
                self._add("deadline", keyword.value, "1 << 40")
        number = _bounding(call, name, dotted)
        if number is not None:
            self._add("deadline", call.args[number], ENDLESS.get(name, "None"))
        elif name == "_late":
            self._add("deadline", call, "False")
        elif name == "_check" and not call.args:
            self._add("deadline", call, "drop")

    def _compare(self, node: ast.Compare) -> None:
        if _mentions(node, BOUND, LENGTH) or _mentions(node, LATE) or "time.monotonic()" in ast.unparse(node):
            self._add("deadline", node, "True" if isinstance(node.ops[-1], ast.Lt | ast.LtE) else "False")
        elif "_boot_id(" in ast.unparse(node):
            self._add("read-back", node, "False")

    def _assign(self, node: ast.Assign, target: ast.expr, value: ast.expr) -> None:
        match target:
            case ast.Name(id="at") if isinstance(value, ast.Call) and _attribute(value) == "now":
                self.found.append((self._function(), "read-back", node, "late"))
            case ast.Attribute(attr=name) if WAITS.search(name) or name == "deadline_s":
                self.found.append((self._function(), "deadline", node, "drop"))
            case ast.Attribute() if isinstance(value, ast.Name) and BOUND.match(value.id):
                self._add("deadline", value, "1 << 40")
            case ast.Subscript(value=ast.Attribute(attr="claims")):
                self.found.append((self._function(), "commit", node, "drop"))


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """Without annotations and defaults, which do nothing."""
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "args"} and not isinstance(node, ast.Call):
            continue
        yield from (v for v in (value if isinstance(value, list) else [value]) if isinstance(v, ast.AST))


def _bounding(call: ast.Call, name: str, dotted: str) -> int | None:
    """Which argument of a call says how long it may take, how much it may read, or how often it is tried."""
    given = len(call.args)
    if name == "read":
        return 0 if given and _mentions(call.args[0], BOUND) else None
    if name in {"create_connection", "query"}:
        return 1 if given > 1 else None
    waits = dotted == "asyncio.timeout" or name in {"settimeout", "call_later"}
    waits = waits or (name == "wait" and dotted != "asyncio.wait") or (name == "join" and _is_number(call.args[0]))
    return 0 if given and waits else None


def _saves(call: ast.Call, name: str, dotted: str) -> bool:
    """Whether a call makes something durable, or a part of it. `replace` with one argument renames a file."""
    own = name in SAVING or dotted == "remember"
    into = name == "write" and [ast.unparse(a) for a in call.args] == ["db"]
    return (
        own
        or into
        or (name == "replace" and "." in ast.unparse(call.func) and len(call.args) + len(call.keywords) == 1)
    )


def _attribute(call: ast.Call) -> str:
    return _dotted(call.func).rpartition(".")[2]


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, float)


def _dotted(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{_dotted(value)}.{name}"
        case _:
            return ""


def _sql(call: ast.Call) -> str:
    """The beginning of the statement that is executed."""
    match call.args[0] if call.args else None:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
            return text
        case _:
            return ""


def _mentions(node: ast.AST, *patterns: re.Pattern[str]) -> bool:
    names = [
        n.id if isinstance(n, ast.Name) else n.attr for n in ast.walk(node) if isinstance(n, ast.Name | ast.Attribute)
    ]
    return any(pattern.search(name) for name in names for pattern in patterns)

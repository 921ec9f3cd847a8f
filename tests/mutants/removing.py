"""Takes a site out of the code.

A removal says what is there instead: `drop` leaves the statement out, `late` takes a date after the answer instead of
before the question, and anything else is an expression.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from tests.mutants.sites import Site

Removal = tuple[Site, str]


def without(source: str, removals: Sequence[Removal]) -> str:
    """A module's source without some of its sites. Raises ValueError or SyntaxError where that can't be done."""
    tree: ast.AST = ast.parse(source)
    for site, removal in removals:
        remover = _Remover(site, removal)
        tree = remover.visit(tree)
        if not remover.done:
            raise ValueError(f"{site.id}: {removal!r} can't be done there")
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


class _Remover(ast.NodeTransformer):
    """Puts something else in a site's place."""

    def __init__(self, site: Site, removal: str) -> None:
        self._site, self._removal = site, removal
        self._want = _place(site.node)
        self.done = False

    def visit(self, node: ast.AST) -> ast.AST:
        if self.done:
            return node
        if self._removal == "late" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return self._late(node)
        if type(node) is not type(self._site.node) or _place(node) != self._want:
            return self.generic_visit(node)
        self.done = True
        if self._removal == "drop":
            return ast.copy_location(ast.Pass(), node)
        new = ast.parse(self._removal, mode="eval").body
        return ast.copy_location(new, node)

    def _late(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        """The moment is asked for where it is used, instead of where it is now."""
        here = next((s for s in function.body if _place(s) == self._want), None)
        if here is None:
            return self.generic_visit(function)
        assert isinstance(here, ast.Assign)
        assert isinstance(here.targets[0], ast.Name)
        self.done = True
        function.body.remove(here)
        return _Renamer(here.targets[0].id, here.value).visit(function)  # type: ignore[no-any-return]


class _Renamer(ast.NodeTransformer):
    """Puts an expression in place of a name."""

    def __init__(self, name: str, value: ast.expr) -> None:
        self._name, self._value = name, value

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._value if node.id == self._name else node


def _place(node: ast.AST) -> tuple[int | None, ...]:
    return tuple(getattr(node, name, None) for name in ("lineno", "col_offset", "end_lineno", "end_col_offset"))

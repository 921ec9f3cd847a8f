"""Which line of a TOML text a key stands in; the parser that reads the values doesn't tell."""

from __future__ import annotations

import contextlib

import tomli

from pimgr.config.errors import Key

_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_DELIMITERS = ('"""', "'''", '"', "'")


def lines_of(text: str) -> dict[Key, int]:
    """Line, from 1, of every table, key and list item of a valid TOML text; of another, as far as it could follow."""
    scan = _Scan(text.replace("\r\n", "\n"))
    with contextlib.suppress(IndexError, ValueError, RecursionError):  # the line is a courtesy: the key is said anyway
        scan.document()
    return scan.lines


class _Scan:
    def __init__(self, text: str) -> None:
        self.text, self.at, self.line = text, 0, 1
        self.lines: dict[Key, int] = {}
        self.counts: dict[Key, int] = {}

    def document(self) -> None:
        table: Key = ()
        self.space(newlines=True)
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self.header()
            else:
                self.pair(table)
            self.space(newlines=True)

    def header(self) -> Key:
        several = self.text.startswith("[[", self.at)
        self.step(2 if several else 1)
        path: Key = ()
        key, line = self.key(), self.line
        for depth, bit in enumerate(key, 1):
            path = (*path, bit)
            if several and depth == len(key):
                self.counts[path] = self.counts.get(path, 0) + 1
            self.lines.setdefault(path, line)
            if path in self.counts:
                path = (*path, self.counts[path] - 1)
                self.lines.setdefault(path, line)
        self.lines[path] = line
        self.step(2 if several else 1)
        return path

    def pair(self, table: Key) -> None:
        line = self.line
        key = self.key()
        for depth in range(1, len(key) + 1):
            self.lines.setdefault((*table, *key[:depth]), line)
        self.step(1)  # the "="
        self.value((*table, *key))

    def value(self, path: Key) -> None:
        self.space()
        match self.text[self.at]:
            case "[":
                self.items(path)
            case "{":
                self.step(1)
                self.space(newlines=True)
                while self.text[self.at] != "}":
                    self.pair(path)
                    self.space(newlines=True)
                    if self.text[self.at] == ",":
                        self.step(1)
                        self.space(newlines=True)
                self.step(1)
            case '"' | "'":
                self.string()
            case _:
                while self.at < len(self.text) and self.text[self.at] not in ",]}\n#":
                    self.step(1)

    def items(self, path: Key) -> None:
        self.step(1)
        self.space(newlines=True)
        index = 0
        while self.text[self.at] != "]":
            self.lines[*path, index] = self.line
            self.value((*path, index))
            index += 1
            self.space(newlines=True)
            if self.text[self.at] == ",":
                self.step(1)
                self.space(newlines=True)
        self.step(1)

    def key(self) -> tuple[str, ...]:
        bits: list[str] = []
        while True:
            self.space()
            start = self.at
            if self.text[self.at] in "\"'":
                self.string()
                bits.append(str(tomli.loads(f"x = {self.text[start : self.at]}")["x"]))
            else:
                while self.text[self.at] in _BARE:
                    self.step(1)
                if start == self.at:
                    raise ValueError("no key here")
                bits.append(self.text[start : self.at])
            self.space()
            if self.text[self.at] != ".":
                return tuple(bits)
            self.step(1)

    def string(self) -> None:
        mark = next(mark for mark in _DELIMITERS if self.text.startswith(mark, self.at))
        self.step(len(mark))
        while not self.text.startswith(mark, self.at):
            self.step(2 if mark[0] == '"' and self.text[self.at] == "\\" else 1)
        self.step(len(mark))
        while len(mark) == 3 and self.text[self.at : self.at + 1] == mark[0]:
            self.step(1)  # up to two quotes may stand before the closing three

    def space(self, *, newlines: bool = False) -> None:
        blank = " \t\n" if newlines else " \t"
        while self.at < len(self.text):
            letter = self.text[self.at]
            if letter == "#" and newlines:
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif letter in blank:
                self.step(1)
            else:
                return

    def step(self, count: int) -> None:
        self.line += self.text.count("\n", self.at, self.at + count)
        self.at += count
        if self.at > len(self.text):
            raise IndexError(self.at)

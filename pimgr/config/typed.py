"""A connection's table as its device type's own config struct, field by field, with every error told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec
from msgspec import inspect

from pimgr.api import Config, Secret
from pimgr.config.errors import CURE_INDENT, Key, Kind, Report, listed, shown
from pimgr.config.secrets import NAME, secrets_folder
from pimgr.text import did_you_mean, safe

SecretUses = dict[Key, str]
"""Where the config refers to a secret, and its name."""


class Typing:
    """Reads the tables of connections into structs; `secrets` gathers the references on the way."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.secrets: SecretUses = {}

    def struct(self, key: Key, raw: Mapping[str, Any], cls: type[Config]) -> Config | None:
        """The table at `key` as `cls`; None if anything is wrong with it, which is then reported."""
        fields = {field.encode_name: field for field in msgspec.structs.fields(cls)}
        self._keys(key, raw, list(fields))
        for name, field in fields.items():
            kind = inspect.type_info(field.type)
            if name in raw:
                self._field((*key, name), raw[name], field.type, kind)
            elif field.required:
                self.report.add((*key, name), Kind.MISSING, found="no such key", expected=expected(kind))
        if any(place[: len(key)] == key for place in self.report.errors):
            return None
        try:
            return msgspec.convert(raw, cls)
        except msgspec.ValidationError as error:
            self._whole(key, str(error), list(fields))
        except Exception as error:
            fact = f"{type(error).__name__}: {safe(str(error), 200)}"
            self.report.add(key, Kind.PLUGIN, expected=f"that its plugin can read it, but it failed: {fact}")
        return None

    def _keys(self, key: Key, raw: Mapping[str, Any], names: list[str]) -> None:
        known = [*names, "type"]
        for name in raw.keys() - names:
            self.report.add(
                (*key, name),
                Kind.UNKNOWN_KEY,
                found=shown(name),
                expected=f"one of the keys {listed(known)}",
                cure=did_you_mean(name, known) or "remove it",
            )

    def _field(self, key: Key, value: object, wanted: Any, kind: inspect.Type) -> None:
        secret = _holds_secret(kind)
        if isinstance(kind, inspect.DictType) and isinstance(value, dict) and len(get_args(wanted)) == 2:
            for name, item in value.items():
                self._field((*key, name), item, get_args(wanted)[1], kind.value_type)
            return
        if secret and isinstance(value, str):
            self._literal(key)
            return
        try:
            msgspec.convert(value, wanted)
        except (msgspec.ValidationError, ValueError, TypeError) as error:
            detail = safe(str(error), 200) if isinstance(value, list | dict) and not secret else ""
            found = "something else (not shown: it may be a password)" if secret else shown(value)
            self.report.add(key, Kind.VALUE, found=found, expected=expected(kind), cure=detail)
            return
        if secret:
            self._references(key, value)

    def _literal(self, key: Key) -> None:
        """A password in the file: backups, screens and questions to a forum would show it."""
        name = re.sub(r"[^a-z0-9-]+", "-", "-".join(str(bit) for bit in key[1:]).lower()).strip("-") or "password"
        file = secrets_folder(Path(self.report.path)) / name
        self.report.add(
            key,
            Kind.SECRET,
            found="a text (not shown: it may be a password)",
            expected=f'{{ secret = "{name}" }}: secrets stay out of this file',
            cure=f"move it: say `sudo install -m 600 -o pimgr /dev/stdin {safe(str(file))}`,\n"
            f"{CURE_INDENT}type the secret, Enter, Ctrl-D; then write here\n"
            f'{CURE_INDENT}{safe(str(key[-1]))} = {{ secret = "{name}" }}',
        )

    def _references(self, key: Key, value: object) -> None:
        if isinstance(value, dict):
            if set(value) == {"secret"} and isinstance(value["secret"], str):
                if NAME.fullmatch(value["secret"]):
                    self.secrets[key] = value["secret"]
                else:
                    self.report.add(
                        (*key, "secret"),
                        Kind.SECRET,
                        found=shown(value["secret"]),
                        expected='the name of a secret: letters, digits, "-", "_" and ".", no folder',
                    )
            else:
                for name, item in value.items():
                    self._references((*key, name), item)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self._references((*key, index), item)

    def _whole(self, key: Key, text: str, names: list[str]) -> None:
        """The struct's own judgement; where it begins with a field's name, it is about that field."""
        about = re.match(r"[A-Za-z0-9_-]+", text)
        place = (*key, about[0]) if about and about[0] in names else key
        self.report.add(place, Kind.VALUE, expected=safe(text, 300))


def _holds_secret(kind: inspect.Type) -> bool:
    match kind:
        case inspect.StructType(cls=cls):
            return cls is Secret
        case inspect.UnionType(types=types):
            return any(map(_holds_secret, types))
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            return _holds_secret(item)
        case inspect.DictType(value_type=item):
            return _holds_secret(item)
        case _:
            return False


def expected(kind: inspect.Type) -> str:  # noqa: C901, PLR0911, PLR0912 - one line a type
    """What a field of this type may hold, in words."""
    match kind:
        case inspect.UnionType(types=types):
            return " or ".join(dict.fromkeys(expected(one) for one in types if not isinstance(one, inspect.NoneType)))
        case inspect.Metadata(type=inner):
            return expected(inner)
        case inspect.StructType(cls=cls):
            return '{ secret = "NAME" }' if cls is Secret else "a table"
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType(ge=low, le=high):
            return "a whole number" + _bounds(low, high)
        case inspect.FloatType(ge=low, le=high):
            return "a number" + _bounds(low, high)
        case inspect.StrType():
            return 'a text in "quotes"'
        case inspect.LiteralType(values=values):
            return "one of " + listed(map(shown, values))
        case inspect.EnumType(cls=cls):
            return "one of " + listed(shown(member.value) for member in cls)
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            return f"a list, each {expected(item)}"
        case inspect.TupleType() | inspect.SetType() | inspect.FrozenSetType():
            return "a list"
        case inspect.DictType(value_type=item):
            return f"a table, each entry {expected(item)}"
        case _:
            return "another kind of value"


def _bounds(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f" from {low} to {high}"
    if low is not None:
        return f", at least {low}"
    return f", at most {high}" if high is not None else ""

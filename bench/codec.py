"""Messages as JSON and back: a dataclass's type hints say what is sent, and nothing else is accepted.

Hints may have limits (`bench.limits`).  The only error for what does not fit is `MessageError`.  Standard library
only: a process that imports nothing else can speak it.  No pickle: whoever can write one runs code in the process
that reads it.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import types
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

__all__ = ["MessageError", "decode", "encode"]

T = TypeVar("T")
_MOST_INTEGER = 2**63
"""Whole numbers are those of int64: what a column can hold."""


class MessageError(ValueError):
    """What was sent, or is to be sent, is no such message; says where in it and why."""


@dataclass(frozen=True, slots=True)
class _Form:
    """A type's way to JSON (`pack`) and back (`unpack`); both raise MessageError for anything else."""

    pack: Callable[[Any], Any]
    unpack: Callable[[Any], Any]


def encode(hint: Any, value: object) -> bytes:
    """`value`, which is what the type hint says, as JSON in ASCII.  Raises MessageError."""
    return json.dumps(form_of(hint).pack(value), separators=(",", ":")).encode("ascii")


def decode(hint: Any, text: bytes) -> Any:
    """What `text` says: a value as the type hint has it.  Raises MessageError."""
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MessageError(f"no JSON ({type(error).__name__}): {bytes(text[:40])!r}") from None
    return form_of(hint).unpack(plain)


@functools.cache
def form_of(hint: Any) -> _Form:
    """How values of that type are written; worked out once for each.  Raises TypeError for a type that cannot be."""
    if hint in _SCALARS:
        return _SCALARS[hint]
    make = _GENERIC.get(get_origin(hint))
    if make is not None:
        return make(get_args(hint))
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _record(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _enum(hint)
    raise TypeError(f"{hint!r} cannot be a part of a message")


def _refuse(wanted: str, value: object) -> MessageError:
    return MessageError(f"{repr(value)[:80]} is no {wanted}")


def _scalar(kind: type, name: str) -> _Form:
    def same(value: Any) -> Any:
        if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
            return kind(value)
        raise _refuse(name, value)

    return _Form(same, same)


def _integer(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and -_MOST_INTEGER <= value < _MOST_INTEGER:
        return int(value)
    raise _refuse("whole number of 64 bits", value)


def _float(value: Any) -> float:
    if isinstance(value, float):
        return float(value)
    return float(_integer(value))


def _nothing(value: Any) -> None:
    if value is not None:
        raise _refuse("None", value)


_SCALARS: Mapping[Any, _Form] = {
    bool: _scalar(bool, "truth value"),
    str: _scalar(str, "text"),
    int: _Form(_integer, _integer),
    float: _Form(_float, _float),
    type(None): _Form(_nothing, _nothing),
    None: _Form(_nothing, _nothing),
}


def _limited(parts: Sequence[Any]) -> _Form:
    """``Annotated[kind, limit, ...]``."""
    form, limits = form_of(parts[0]), parts[1:]

    def checked(way: Callable[[Any], Any], seen_first: bool) -> Callable[[Any], Any]:
        def check(value: Any) -> Any:
            made = way(value)
            for limit in limits:
                refusal = limit.refusal(value if seen_first else made)
                if refusal is not None:
                    raise MessageError(refusal)
            return made

        return check

    return _Form(checked(form.pack, seen_first=True), checked(form.unpack, seen_first=False))


def _literal(allowed: Sequence[Any]) -> _Form:
    def same(value: Any) -> Any:
        if any(value is each or (type(value) is type(each) and value == each) for each in allowed):
            return value
        raise _refuse(f"one of {', '.join(map(repr, allowed))}", value)

    return _Form(same, same)


def _enum(kind: type[Enum]) -> _Form:
    def unpack(value: Any) -> Enum:
        if isinstance(value, str) and value in kind.__members__:
            return kind[value]
        raise _refuse(kind.__name__, value)

    def pack(value: Any) -> str:
        if isinstance(value, kind):
            return value.name
        raise _refuse(kind.__name__, value)

    return _Form(pack, unpack)


def _many(kind: type[Collection[Any]], item: Any) -> _Form:
    """A list of items in JSON, whatever their number."""
    form = form_of(item)

    def pack(value: Any) -> list[Any]:
        if not isinstance(value, kind):
            raise _refuse(kind.__name__, value)
        packed = [form.pack(each) for each in value]
        return packed if kind in (tuple, list) else sorted(packed)

    def unpack(value: Any) -> Any:
        if not isinstance(value, list):
            raise _refuse("list", value)
        return kind(form.unpack(each) for each in value)  # type: ignore[call-arg]  # as all of them are made

    return _Form(pack, unpack)


def _tuple(parts: Sequence[Any]) -> _Form:
    """``tuple[item, ...]``, or one of a fixed length."""
    if parts[1:] == (...,):
        return _many(tuple, parts[0])
    forms = [form_of(part) for part in parts]

    def through(kind: type[Sequence[Any]], ways: Sequence[Callable[[Any], Any]], value: Any) -> list[Any]:
        if not isinstance(value, kind) or len(value) != len(ways):
            raise _refuse(f"{kind.__name__} of {len(ways)}", value)
        return [way(each) for way, each in zip(ways, value, strict=True)]

    packs, unpacks = [form.pack for form in forms], [form.unpack for form in forms]
    return _Form(
        lambda value: through(tuple, packs, value), lambda value: tuple(through(list, unpacks, value))
    )


def _mapping(parts: Sequence[Any]) -> _Form:
    """``dict[str, item]``, or a Mapping."""
    if parts[0] is not str:
        raise TypeError(f"{parts[0]!r} cannot be the key of a message's mapping")
    form = form_of(parts[1])

    def through(way: Callable[[Any], Any], value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            raise _refuse("mapping from text", value)
        return {str(name): way(each) for name, each in value.items()}

    return _Form(lambda value: through(form.pack, value), lambda value: through(form.unpack, value))


def _record(kind: type) -> _Form:
    """A dataclass: its fields by name, all of them."""
    hints = get_type_hints(kind, include_extras=True)
    fields = {field.name: form_of(hints[field.name]) for field in dataclasses.fields(kind) if field.init}

    def pack(value: Any) -> dict[str, Any]:
        if type(value) is not kind:
            raise _refuse(kind.__name__, value)
        return {name: _at(name, form.pack, getattr(value, name)) for name, form in fields.items()}

    def unpack(value: Any) -> Any:
        if not isinstance(value, dict) or value.keys() != fields.keys():
            raise _refuse(kind.__name__, value)
        given = {name: _at(name, form.unpack, value[name]) for name, form in fields.items()}
        try:
            return kind(**given)
        except ValueError as error:  # the class's own check
            raise MessageError(f"no {kind.__name__}: {error}") from None

    return _Form(pack, unpack)


def _at(name: str, way: Callable[[Any], Any], value: Any) -> Any:
    try:
        return way(value)
    except MessageError as error:
        raise MessageError(f"{name}: {error}") from None


def _union(members: Sequence[Any]) -> _Form:
    """None, or one other kind; several dataclasses are told apart by their names, which are sent along."""
    others = [member for member in members if member is not type(None)]
    optional = len(others) < len(members)
    form = form_of(others[0]) if len(others) == 1 else _named(others)

    def through(way: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda value: None if optional and value is None else way(value)

    return _Form(through(form.pack), through(form.unpack))


def _named(kinds: Sequence[Any]) -> _Form:
    forms = {kind.__name__: (kind, form_of(kind)) for kind in kinds if isinstance(kind, type)}
    if len(forms) < len(kinds) or not all(map(dataclasses.is_dataclass, kinds)):
        raise TypeError(f"of {kinds!r} not all are dataclasses with a name each")

    def pack(value: Any) -> list[Any]:
        kind, form = forms.get(type(value).__name__, (None, None))
        if form is None or type(value) is not kind:
            raise _refuse(f"one of {', '.join(forms)}", value)
        return [kind.__name__, form.pack(value)]

    def unpack(value: Any) -> Any:
        if not isinstance(value, list) or len(value) != 2 or value[0] not in list(forms):
            raise _refuse(f"one of {', '.join(forms)}", value)
        return forms[value[0]][1].unpack(value[1])

    return _Form(pack, unpack)


_GENERIC: Mapping[Any, Callable[[Sequence[Any]], _Form]] = {
    Annotated: _limited,
    Union: _union,
    types.UnionType: _union,
    Literal: _literal,
    tuple: _tuple,
    list: lambda parts: _many(list, parts[0]),
    set: lambda parts: _many(set, parts[0]),
    frozenset: lambda parts: _many(frozenset, parts[0]),
    dict: _mapping,
    Mapping: _mapping,
}

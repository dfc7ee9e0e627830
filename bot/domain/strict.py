"""Raw data, as YAML or JSON gives it, becomes a frozen struct, and what is wrong is said with its place and remedy.

msgspec's own errors lose the keys of mappings and know no near misses; a person who wrote a file needs both.
"""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Meta, Struct, ValidationError

from bot.domain.errors import SwitchboardError

T = TypeVar("T")

NonEmpty = Annotated[str, Meta(min_length=1)]
OneOrMany = str | tuple[str, ...]

WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
    tuple: "a list",
    dict: "keys and values",
    type(None): "nothing",
}
LONGEST_NAME = 40

BOUND = re.compile(r"Expected `\w+` (?P<sign>[<>]=?) (?P<number>\S+)")
BOUNDS = {">=": "at least", ">": "more than", "<=": "at most", "<": "less than"}


class BadShape(SwitchboardError):
    """Data is not of the promised shape; `path` names the place, `problem` says what is wrong and what to do."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}" if path else problem)
        self.path = path
        self.problem = problem


class Expanded(str):
    """A text that came from the environment: the type it is read into decides whether it is a number."""

    __slots__ = ()


def convert(raw: Any, kind: type[T], path: str = "") -> T:
    """`raw` as a `kind`: no unknown keys, no guessed types. Raises `BadShape`.

    Known are structs, dict[str, …], tuple[…, ...], unions of a text with either, and what msgspec reads itself.
    A section with nothing under it is an empty one. Messages never quote a value: it could be a secret.
    """
    return cast("T", _convert(raw, kind, path))


def join(path: str, key: str | int) -> str:
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def quoted(text: str) -> str:
    """A name as a message shows it: what somebody pasted by mistake does not drown the advice."""
    return f'"{text}"' if len(text) <= LONGEST_NAME else f'"{text[:LONGEST_NAME]}…"'


def near(wrong: str, known: Collection[str]) -> str:
    """`did you mean "…"?`, or what there is to choose from."""
    return meant(wrong, known) or _choice(known)


def meant(wrong: str, known: Collection[str]) -> str:
    """`did you mean "…"?`, or nothing where nothing is close."""
    close = difflib.get_close_matches(wrong.lower(), known, n=1)
    return f'did you mean "{close[0]}"?' if close else ""


def _choice(known: Collection[str]) -> str:
    return f"known: {', '.join(known)}." if known else "there is nothing to choose from."


def _convert(raw: Any, kind: Any, path: str) -> Any:
    origin = get_origin(kind) or kind
    reader = READERS.get(origin)
    if reader is None and isinstance(kind, type) and issubclass(kind, Struct):
        reader = _struct
    return (reader or _leaf)(raw, kind, path)


def _struct(raw: Any, kind: type[Struct], path: str) -> Struct:
    given = _keys(raw, path)
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for key in given:
        if key not in fields:
            raise BadShape(join(path, key), f"there is no such key here; {near(key, fields)}")
    for name, field in fields.items():
        if name not in given and field.default is NODEFAULT and field.default_factory is NODEFAULT:
            raise BadShape(join(path, name), "is missing; add it.")
    values = {
        fields[key].name: _convert(value, fields[key].type, join(path, key)) for key, value in given.items()
    }
    return kind(**values)


def _keys(raw: Any, path: str) -> Mapping[str, Any]:
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        raise BadShape(path, f"{WORDS[dict]} are expected here, and this is {_word(raw)}.")
    for key in raw:
        if not isinstance(key, str):
            raise BadShape(join(path, str(key)), "a key has to be a text; put quotes around it.")
    return raw


def _mapping(raw: Any, kind: Any, path: str) -> dict[str, Any]:
    _, value_kind = get_args(kind) or (str, Any)
    return {key: _convert(value, value_kind, join(path, key)) for key, value in _keys(raw, path).items()}


def _sequence(raw: Any, kind: Any, path: str) -> tuple[Any, ...]:
    if raw is None:
        return ()
    if not isinstance(raw, list | tuple):
        raise BadShape(
            path, f"a list is expected here, and this is {_word(raw)}; start each entry with “- ”."
        )
    item = get_args(kind)[0]
    return tuple(_convert(value, item, join(path, index)) for index, value in enumerate(raw))


def _union(raw: Any, kind: Any, path: str) -> Any:
    arms = get_args(kind)
    if raw is None and type(None) in arms:
        return None
    if arms[1:] == (type(None),):
        return _convert(raw, arms[0], path)
    manner = tuple if isinstance(raw, list) else dict if isinstance(raw, Mapping) else None
    fitting = [arm for arm in arms if _manner(arm) is manner and arm is not type(None)]
    if not fitting:
        words = " or ".join(WORDS.get(get_origin(arm) or arm, str(arm)) for arm in arms)
        raise BadShape(path, f"{words} is expected here, and this is {_word(raw)}.")
    return _convert(raw, fitting[0], path) if len(fitting) == 1 else _leaf(raw, kind, path)


def _manner(arm: Any) -> type | None:
    origin = get_origin(arm) or arm
    if isinstance(origin, type) and issubclass(origin, Struct | dict):
        return dict
    return tuple if origin in (tuple, list) else None


def _literal(raw: Any, kind: Any, path: str) -> Any:
    options = get_args(kind)
    if raw not in options:
        wrong = raw if isinstance(raw, str) else ""
        raise BadShape(path, f"is none of the possible values; {near(wrong, [str(o) for o in options])}")
    return str(raw)


def _leaf(raw: Any, kind: Any, path: str) -> Any:
    if kind is Any:
        return raw
    expanded = isinstance(raw, Expanded)
    try:
        return msgspec.convert(str(raw) if expanded else raw, kind, strict=not expanded)
    except ValidationError as exc:
        raise BadShape(path, _reworded(raw, kind, str(exc))) from exc


def _reworded(raw: Any, kind: Any, complaint: str) -> str:
    """Turn msgspec's "Expected `int` >= 0" into the words of whoever wrote the file."""
    plain = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    wanted = _described(kind) or WORDS.get(plain, "another type")
    if raw is None:
        return f"has no value; give it {wanted} or remove the key."
    if raw == "":
        return "is empty; give it a value or remove the key."
    bound = BOUND.fullmatch(complaint)
    if bound:
        such = f": {_described(kind)}" if _described(kind) else ""
        return f"must be {BOUNDS[bound['sign']]} {bound['number']}{such}."
    return f"{wanted} is expected here, and this is {'not' if _fits(raw, plain) else _word(raw)}."


def _described(kind: Any) -> str:
    notes = (note.description for note in getattr(kind, "__metadata__", ()) if isinstance(note, Meta))
    return next(filter(None, notes), "")


def _fits(raw: Any, plain: Any) -> bool:
    return isinstance(plain, type) and isinstance(raw, plain) and not isinstance(raw, Expanded)


def _word(raw: Any) -> str:
    return WORDS.get(str if isinstance(raw, str) else type(raw), f"a {type(raw).__name__}")


READERS: dict[Any, Callable[[Any, Any, str], Any]] = {
    dict: _mapping,
    list: _sequence,
    tuple: _sequence,
    Union: _union,
    types.UnionType: _union,
    Literal: _literal,
}

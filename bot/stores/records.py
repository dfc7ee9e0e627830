"""What every store has in common: records as bytes, the values they are asked for by, what is unique."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import DecodeError, Raw, Struct

from bot.domain.errors import BadData
from bot.domain.schema import COLLECTIONS, Collection

T = TypeVar("T", bound=Struct)

# A body of JSON that msgspec does not write (lone surrogates) or that a broken `Raw` would spoil starts with a
# space, so it is still JSON for everybody else who looks into the file.
CAREFUL = b" "
RAW = "$raw"

NUMBERS = "cases.number"  # the scope that case numbers come from
FIRST_NUMBER = 1001

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

Value = str | bytes | int | float | None


# ── Records as JSON that can always be read again, whatever text a platform put into them ──────


def encode(record: Struct) -> bytes:
    """The record's body; raises `TypeError` or `msgspec.ValidationError` for values its type does not allow."""
    try:
        body = msgspec.json.encode(record)
        _decoder(type(record)).decode(body)  # what is acknowledged must be readable: about 2 µs
    except (UnicodeEncodeError, DecodeError):
        body = CAREFUL + json.dumps(_plain(record)).encode()
        _read(type(record), body)
    return body


def decode(kind: type[T], body: bytes | str) -> T:
    """The record in a body; raises `BadData`. A `Raw` in it stays valid, it keeps the bytes it points into."""
    try:
        return _read(
            kind, body.encode() if isinstance(body, str) else body
        )  # SQL mended by hand makes it text
    except ValueError as exc:  # msgspec's and json's decoding errors are both
        raise BadData(
            f"A stored {kind.__name__} cannot be read ({exc}). Start the version that wrote it, "
            "or restore a backup."
        ) from exc


def _read(kind: type[T], body: bytes) -> T:
    if body.startswith(CAREFUL):
        careful: T = msgspec.convert(json.loads(body, object_hook=_restored), kind)
        return careful
    decoder: msgspec.json.Decoder[T] = _decoder(kind)
    return decoder.decode(body)


@cache
def _decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    return msgspec.json.Decoder(kind)


def _plain(value: Any) -> Any:
    """The value in terms that `json` writes as pure ASCII, lone surrogates as escapes, a `Raw` byte by byte."""
    if isinstance(value, Raw):
        return {RAW: bytes(value).decode(errors="surrogateescape")}
    if isinstance(value, Struct):
        names = zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
        return {name: _plain(getattr(value, field)) for name, field in names}
    if isinstance(value, Mapping):
        return {f"$${key}" if str(key).startswith("$") else key: _plain(kept) for key, kept in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(kept) for kept in value]
    return str(value) if isinstance(value, str) else msgspec.to_builtins(value)


def _restored(found: dict[str, Any]) -> Any:
    if RAW in found:
        return Raw(found[RAW].encode(errors="surrogateescape"))
    return {key.removeprefix("$$"): value for key, value in found.items()}


# ── What records can be asked for ───────────────────────────────────────────────────────────────


def column(value: Any) -> Value:
    """A value as databases keep it: enums by value, datetimes as microseconds since 1970 (UTC), bools as 0 and 1."""
    if isinstance(value, Enum):
        value = value.value
    convert = _COLUMN.get(type(value))
    if convert is None:
        raise TypeError(f"A {type(value).__name__} cannot be a column.")
    return convert(value)


def _text(value: str) -> Value:
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate: databases keep it as bytes, which compare as well
        return value.encode(errors="surrogatepass")
    return value


def _microseconds(value: datetime) -> int:
    return (value - EPOCH) // MICROSECOND


_COLUMN: Mapping[type, Callable[[Any], Value]] = {
    str: _text,
    int: int,
    bool: int,
    float: float,
    datetime: _microseconds,
    type(None): lambda _: None,
}


def text(value: str | bytes) -> str:
    """An id as it was before `column`."""
    return value if isinstance(value, str) else value.decode(errors="surrogatepass")


def kept(kind: type[Struct]) -> Collection:
    """Raises `TypeError` for a kind that no store keeps."""
    try:
        return COLLECTIONS[kind]
    except KeyError as exc:
        raise TypeError(
            f"A {kind.__name__} is not kept in the store; add it to bot/domain/schema.py."
        ) from exc


def unknown_field(kind: type[Struct], field: str) -> ValueError:
    known = ", ".join(sorted({"id", *kept(kind).fields}))
    return ValueError(f"{kind.__name__} cannot be asked for {field!r}; it can for {known}.")


class Unique(Struct, frozen=True):
    """A unique index: over which fields, among the records whose `while_` field is true ("" for all)."""

    fields: tuple[str, ...]
    while_: str = ""

    def shared(self, record: Struct) -> dict[str, Value] | None:
        """What no other record may have as well; None when this one does not count."""
        if self.while_ and not getattr(record, self.while_):
            return None
        among = {self.while_: 1} if self.while_ else {}
        return {field: column(getattr(record, field)) for field in self.fields} | among


def uniques(collection: Collection) -> Iterator[Unique]:
    yield from (Unique(fields) for fields in collection.unique)
    yield from (Unique((over,), while_=field) for field, over in collection.unique_while)

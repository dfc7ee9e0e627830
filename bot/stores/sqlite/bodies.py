"""Records as JSON bytes that can always be read again, whatever text a platform put into them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import DecodeError, Raw, Struct

from bot.domain.errors import BadData

T = TypeVar("T", bound=Struct)

# A body of JSON that msgspec does not write (lone surrogates) or that a broken `Raw` would spoil starts with a
# space, so it is still JSON for everybody else who looks into the file.
CAREFUL = b" "
RAW = "$raw"


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

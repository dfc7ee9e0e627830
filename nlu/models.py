"""Trained models as files: plain arrays and JSON, named by their content, never code.

`allow_pickle=False`: loading a model cannot execute anything. The id is a hash of everything that decides
what the model says, so two trainings of the same data give the same id and an altered file is noticed.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from bot.domain.errors import BadData, Unknown
from nlu.facts import EMBEDDED, FORMAT, Arrays, Facts
from nlu.soundness import check

ID = re.compile(r"(?:[a-z]+:)?[A-Za-z0-9]+")  # an id of another engine's model starts with its name
ID_DIGITS = 16
LONG_AGO = datetime.min.replace(tzinfo=UTC)  # when a damaged file was made
LEARNED = "learned"  # array: texts of all examples


class Model(Struct, frozen=True, kw_only=True):
    """Arrays: `words` and `characters` (n-grams, in the order of the rows), `idf`, `weights` (float16,
    [n-grams, intents]), `bias`; `near_…`: the weightiest n-grams of each training example, by intent;
    `oof_…`: what each example got from a model that had not seen it; `urgent` (float16, [n-grams, steps]):
    the lines of the urgency levels, where there are labels; `boost` (float16, [numbers, intents]): weights of the
    sentence embedding, of a model that was trained with one; `learned`: the texts of all examples, where the `oof_…`
    name only some of them. `oof_predicted` is the number of intents where no intent was named.
    """

    id: str
    created_at: datetime
    facts: Facts
    arrays: Arrays

    def __repr__(self) -> str:
        return f"<Model {self.id}, {len(self.facts.intents)} intents>"


class OutOfFold(Struct, frozen=True, kw_only=True):
    """One training example as judged by a model that had not seen it: the cross-validation report."""

    text: str
    expected: str
    predicted: str  # empty: none was named
    confidence: float
    out_of_scope: float


class Summary(Struct, frozen=True, kw_only=True):
    """A model file as lists show it; `damaged` says why it cannot be used."""

    id: str
    created_at: datetime | None = None
    engine: str = ""
    intents: int = 0
    examples: int = 0
    scores: dict[str, float] = {}
    damaged: str = ""


def newest_first(found: Collection[Summary]) -> list[Summary]:
    """Damaged ones last."""
    return sorted(found, key=lambda one: one.created_at or LONG_AGO, reverse=True)


def name(facts: Facts, arrays: Arrays) -> str:
    """The id of a model with this content."""
    return _name(_encode(facts), facts.engine, arrays)


def _name(facts: bytes, engine: str, arrays: Arrays) -> str:
    """From the facts as they are written, so that a version that knows more of them gives older files the same id.

    Warnings name files, and those decide nothing.
    """
    written = {**msgspec.json.decode(facts, type=dict[str, Any]), "warnings": []}
    digest = hashlib.sha256(msgspec.json.encode(written))
    for key in sorted(arrays):
        array = np.ascontiguousarray(arrays[key])
        digest.update(f"{key} {array.dtype.str} {array.shape}".encode())
        digest.update(array.data)
    start = "" if engine == EMBEDDED else f"{engine}:"
    return start + digest.hexdigest()[:ID_DIGITS]


def engine_of(id: str) -> str:
    """The engine whose model this is."""
    return id.partition(":")[0] if ":" in id else EMBEDDED


def blob(texts: Collection[str]) -> NDArray[np.uint8]:
    """Texts as one array; none may hold a line break."""
    return np.frombuffer("\n".join(texts).encode(), dtype=np.uint8)


def texts(array: NDArray[np.uint8]) -> list[str]:
    return array.tobytes().decode().split("\n") if array.size else []


def learned(model: Model) -> list[str]:
    """The texts it was trained on; of a Rasa model of an older version only those that were held out once."""
    return texts(model.arrays.get(LEARNED, model.arrays["oof_texts"]))


def out_of_fold(model: Model) -> Iterator[OutOfFold]:
    arrays, intents = model.arrays, (*model.facts.intents, "")
    columns = ("oof_expected", "oof_predicted", "oof_confidence", "oof_strange")
    rows = zip(texts(arrays["oof_texts"]), *(arrays[column] for column in columns), strict=True)
    for text, expected, predicted, confidence, strange in rows:
        yield OutOfFold(
            text=text,
            expected=intents[expected],
            predicted=intents[predicted],
            confidence=float(confidence),
            out_of_scope=float(strange),
        )


class Models:
    """The model files of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, model: Model) -> Path:
        """Write it completely, or not at all; the same content again renews its date. Raises `BadData`."""
        members: Arrays = {
            **model.arrays,
            "facts": np.frombuffer(_encode(model.facts), dtype=np.uint8),
            "created_at": np.frombuffer(model.created_at.isoformat().encode(), dtype=np.uint8),
        }
        try:
            with self._drafted(model.id) as file:
                np.savez(file, allow_pickle=False, **members)
        except OSError as exc:
            raise BadData(
                f"{self._folder}: the model cannot be saved ({exc.strerror}); check `nlu.models`."
            ) from exc
        return self._path(model.id)

    def load(self, id: str) -> Model:
        """Raises `Unknown`, or `BadData` when the file is cut short, altered or of another version."""
        return _read(self._path(id), id)

    def has(self, id: str) -> bool:
        return self._path(id).exists()

    def read(self, id: str) -> bytes:
        """As it is, to be copied. Raises `Unknown`, or `BadData` when it is damaged, so that damage does not spread."""
        self.load(id)
        return self._path(id).read_bytes()

    def write(self, id: str, content: bytes) -> None:
        """A file that was made elsewhere. Raises `BadData` when it is not what its name says, and `OSError`."""
        with self._drafted(id) as file:
            file.write(content)
            file.flush()
            _read(Path(file.name), id)

    @contextmanager
    def _drafted(self, id: str) -> Iterator[BinaryIO]:
        """A file that gets its name when all of it is on disk; nothing is left of it where that fails."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(id)
        draft = self._folder / f".{path.stem}.{os.getpid()}.{os.urandom(4).hex()}.draft"
        try:
            with draft.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        _sync(self._folder)

    def describe(self, id: str) -> dict[str, Any]:
        """Its summary as plain values."""
        found: dict[str, Any] = msgspec.to_builtins(self._summary(self._path(id)))
        return found

    def summaries(self) -> list[Summary]:
        """Newest first, damaged ones last; only the head of each is read. What is not named like a model is none."""
        paths = sorted(path for path in self._folder.glob("*.npz") if ID.fullmatch(_id(path)))
        return newest_first([self._summary(path) for path in paths])

    def prune(self, keep: int, protect: Collection[str] = ()) -> list[str]:
        """Remove all but the newest `keep`; a protected id (the live model) always stays. Says what went."""
        old = [summary.id for summary in self.summaries()[max(keep, 0) :] if summary.id not in protect]
        return [id for id in old if _removed(self._path(id))]

    def _path(self, id: str) -> Path:
        if not ID.fullmatch(id):
            raise Unknown(f'There is no model "{id}"; `switchboard models` lists those there are.')
        return self._folder / f"{id.replace(':', '-')}.npz"

    def _summary(self, path: Path) -> Summary:
        id = _id(path)
        try:
            with _open(path, id) as members:
                facts, created_at = _decode(members["facts"]), _time(members["created_at"])
        except (BadData, Unknown) as exc:  # unknown: another process took it away since it was listed
            return Summary(id=id, damaged=str(exc))
        return Summary(
            id=id,
            created_at=created_at,
            engine=facts.engine,
            intents=len(facts.intents),
            examples=facts.examples,
            scores=facts.scores,
        )


def _id(path: Path) -> str:
    return path.stem.replace("-", ":")


def _removed(path: Path) -> bool:
    """What cannot be removed stays: no training has to fail for it."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def _read(path: Path, id: str) -> Model:
    with _open(path, id) as members:
        arrays: Arrays = {key: members[key] for key in members.files}
        written = arrays.pop("facts")
        facts, created_at = _decode(written), _time(arrays.pop("created_at"))
        if _name(written.tobytes(), facts.engine, arrays) != id:
            raise ValueError("its content is not what its name says")
        check(facts, arrays)
    return Model(id=id, created_at=created_at, facts=facts, arrays=arrays)


# What numpy and zipfile raise for altered bytes; `RuntimeError` is what zipfile says of a flag for encryption.
_DAMAGE = (
    ValueError,
    LookupError,
    TypeError,
    EOFError,
    OSError,
    RuntimeError,
    MemoryError,
    SyntaxError,
    tokenize.TokenError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
    msgspec.MsgspecError,
)


@contextmanager
def _open(path: Path, id: str) -> Iterator[np.lib.npyio.NpzFile]:
    """The members of a model file; whatever goes wrong with them inside the block is the file's damage."""
    try:
        if path.exists() and not path.is_file():
            raise _damaged(path, "it is no file")  # a pipe would be waited for without end
        file = path.open("rb")
    except FileNotFoundError as exc:
        raise Unknown(f'There is no model "{id}"; `switchboard models` lists those there are.') from exc
    except OSError as exc:
        raise _damaged(path, exc.strerror) from exc
    with file:
        try:
            members = np.load(file, allow_pickle=False)
            if not isinstance(members, np.lib.npyio.NpzFile):
                raise _damaged(path, "it is no archive")
            _refuse_bomb(members, path)
            yield members
        except _DAMAGE as exc:
            raise _damaged(path, exc) from exc


def _refuse_bomb(members: np.lib.npyio.NpzFile, path: Path) -> None:
    """Ours are stored as they are, so what comes out is never more than the file."""
    entries = members.zip.infolist() if members.zip else []
    if sum(one.file_size for one in entries) > path.stat().st_size:
        raise ValueError("it holds more than its size")


def _damaged(path: Path, why: object) -> BadData:
    if "pickle" in str(why):  # numpy advises to run what is inside
        why = "it holds something other than numbers and texts"
    return BadData(
        f"{path}: this model file cannot be used ({why}). Train again with `switchboard train`; if it is the live "
        "one, go back to the one before with `switchboard rollback`."
    )


def _decode(array: NDArray[np.uint8]) -> Facts:
    facts = msgspec.json.decode(array.tobytes(), type=Facts)
    if facts.format != FORMAT:
        raise ValueError(f"format {facts.format}, and this version reads format {FORMAT}")
    return facts


def _encode(facts: Facts) -> bytes:
    return msgspec.json.encode(facts, order="deterministic")


def _time(array: NDArray[np.uint8]) -> datetime:
    found = datetime.fromisoformat(array.tobytes().decode())
    if found.tzinfo is None:
        raise ValueError("its date has no time zone")
    return found


def _sync(folder: Path) -> None:
    """Make the rename itself survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

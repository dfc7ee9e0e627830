"""Trains with a running Rasa server, and the stand-in beside it; the server goes on answering meanwhile.

Rasa's confidence is judged on examples held out from a model of its own, so there are two trainings at least.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import tarfile
import tempfile
import time
import zlib
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from bot.domain.errors import BadData, EngineUnavailable
from nlu import training as embedded
from nlu.facts import Arrays
from nlu.models import LEARNED, Model, Models, blob, texts
from nlu.rasa import wording
from nlu.rasa.remote import Remote, together
from nlu.rasa.server import Prediction, RasaServer
from nlu.rasa.trust import Case, Said, confidences, fit, scores
from nlu.reading import Example, TrainingData, read_training
from nlu.training import KEEP, TrainedModel

PARTS = 5  # of the examples; one is held out at a time
ENOUGH = 300  # held-out examples, then no further training is spent on judging
# A model of numbers shrinks by a third when it is packed, its vocabulary to a tenth.
EXPANSION, SLACK = 20, 16 * 1024 * 1024  # bytes
PROJECT = Path(__file__).resolve().parent.parent / "rasa_project"


async def train(
    paths: Sequence[Path],
    models: Path,
    server: RasaServer,
    *,
    config: Path = PROJECT / "config.yml",
    folder: Path | None = None,
    keep: int = KEEP,
    protect: Collection[str] = (),
) -> TrainedModel:
    """Train on `paths`, save to `models`; `folder` is the server's own, where we can reach it.

    Raises `BadData` when data or pipeline cannot be used, `EngineUnavailable` when Rasa does not answer.
    """
    started = time.monotonic()
    await server.version()  # before anything takes minutes
    pipeline = _pipeline(config)
    data = await asyncio.to_thread(read_training, paths)
    stand_in = await _stand_in(paths)
    cases, rows = await _judged(server, pipeline, data, stand_in, folder)
    file, archive = await server.train(wording.document(pipeline, data, data.examples))
    model = await asyncio.to_thread(_model, stand_in, cases, rows, file, archive)
    shelf = Models(models)
    await asyncio.to_thread(shelf.save, model)
    await asyncio.to_thread(shelf.prune, keep, {*protect, model.id})
    return TrainedModel.of(model, time.monotonic() - started)


def _pipeline(config: Path) -> str:
    try:
        return config.read_text(encoding="utf-8")
    except OSError as exc:
        raise BadData(
            f"{config}: there is no pipeline for Rasa ({exc.strerror}); check nlu.rasa_config."
        ) from exc


async def _stand_in(paths: Sequence[Path]) -> Model:
    with tempfile.TemporaryDirectory(prefix="switchboard-rasa-") as folder:
        trained = await embedded.train(paths, Path(folder))
        return await asyncio.to_thread(Models(Path(folder)).load, trained.id)


async def _judged(
    server: RasaServer, pipeline: str, data: TrainingData, stand_in: Model, folder: Path | None
) -> tuple[list[Case], NDArray[np.intp]]:
    """Examples with what both engines said about them unseen, and where they are in the stand-in's table."""
    witnesses = _witnesses(stand_in)
    cases, rows = list[Case](), list[int]()
    for part in range(PARTS):
        held = _part(data.examples, part)
        seen = [example for example, out in zip(data.examples, held, strict=True) if not out]
        asked = [example for example, out in zip(data.examples, held, strict=True) if out]
        if not asked:
            continue
        file, _ = await server.train(wording.document(pipeline, data, seen))
        try:
            predictions = {one.text: one for one in await server.judge(file, wording.questions(asked))}
        finally:
            _forget(folder, file)
        for example in asked:
            prediction = predictions.get(wording.clean(example.text))
            found = witnesses.get((example.text, example.intent))
            if prediction and found:
                cases.append(Case(truth=example.intent, rasa=_said(prediction, data), witness=found[0]))
                rows.append(found[1])
        if len(cases) >= ENOUGH:
            break
    if not cases:
        raise EngineUnavailable(
            f"{server.name} judged none of the examples that were held out; look at its log."
        )
    return cases, np.array(rows, dtype=np.intp)


def _part(examples: Sequence[Example], part: int) -> list[bool]:
    """Every fifth example of each intent, in the order of a fixed shuffle; an intent's last one is never held out."""
    held = [False] * len(examples)
    order = np.random.default_rng(0).permutation(len(examples)).tolist()
    places: dict[str, list[int]] = {}
    for number in order:
        places.setdefault(examples[number].intent, []).append(number)
    for found in places.values():
        for number in found[part::PARTS] if len(found) > 1 else ():
            held[number] = True
    return held


def _witnesses(model: Model) -> dict[tuple[str, str], tuple[Said, int]]:
    """What the stand-in's cross-validation said, by text and intent, and the row it stands in."""
    arrays, intents = model.arrays, model.facts.intents
    columns = (arrays[f"oof_{name}"].tolist() for name in ("expected", "predicted", "confidence", "strange"))
    table = zip(texts(arrays["oof_texts"]), *columns, strict=True)
    return {
        (text, intents[expected]): (Said(intents[predicted], confidence, strange), row)
        for row, (text, expected, predicted, confidence, strange) in enumerate(table)
    }


def _said(prediction: Prediction, data: TrainingData) -> Said:
    names = {wording.sent(name): name for name in data.intents}
    return Said(names.get(prediction.predicted or "", ""), prediction.confidence)


def _forget(folder: Path | None, file: str) -> None:
    """A model that only judged is of no use; and the server must not find it when it starts anew."""
    if folder is not None:
        with suppress(OSError):
            (folder / file).unlink(missing_ok=True)


def _model(
    stand_in: Model, cases: Sequence[Case], rows: NDArray[np.intp], file: str, archive: bytes
) -> Model:
    trust = fit(cases)
    remote = Remote(
        model=_own_id(archive), file=file, stand_in=stand_in.id, right=trust.right, strange=trust.strange
    )
    table = _table(stand_in, cases, rows)
    judged = replace(stand_in, created_at=datetime.now(UTC), arrays={**stand_in.arrays, **table})
    return together(judged, remote, archive, scores=scores(cases))


def _table(stand_in: Model, cases: Sequence[Case], rows: NDArray[np.intp]) -> Arrays:
    """The table of held-out examples with Rasa's verdicts, in the stand-in's shape."""
    arrays, places = stand_in.arrays, {name: place for place, name in enumerate(stand_in.facts.intents)}
    written = texts(arrays["oof_texts"])
    found = {
        key: array[rows]
        for key, array in arrays.items()
        if key.startswith("oof_") and key != "oof_texts" and len(array) == len(written)
    }
    right, strange = confidences(cases)
    predicted = [places.get(case.rasa.intent, len(places)) for case in cases]
    return found | {
        LEARNED: arrays["oof_texts"],
        "oof_texts": blob([written[row] for row in rows]),
        "oof_predicted": np.array(predicted, dtype=np.uint16),
        "oof_confidence": right.astype(np.float32),
        "oof_strange": strange.astype(np.float32),
    }


# What unpacking and reading raise; `TypeError` is a list or a text where keys and values should be.
_UNREADABLE = (
    tarfile.TarError,
    zlib.error,
    EOFError,
    OSError,
    LookupError,
    ValueError,
    TypeError,
    RecursionError,
)


def _own_id(archive: bytes) -> str:
    """Rasa's id of the model, from the archive's metadata; /status names it."""
    try:
        found = _metadata(archive)["model_id"]
        if isinstance(found, str) and found:
            return found
        raise TypeError("model_id")
    except _UNREADABLE as exc:
        raise BadData(f"Rasa's model cannot be read ({type(exc).__name__}); is it Rasa 3.6?") from exc


def _metadata(archive: bytes) -> Any:
    """Read piece by piece, up to where it is."""
    with tarfile.open(fileobj=_Bounded(archive), mode="r|") as found:
        for member in found:
            if member.name.split("/")[-1] == "metadata.json" and member.isfile():
                inside = found.extractfile(member)
                return json.loads(inside.read(SLACK)) if inside else None
    raise LookupError("metadata.json")


class _Bounded(gzip.GzipFile):
    """Ends with a `ValueError` where a small archive becomes a flood."""

    def __init__(self, archive: bytes) -> None:
        super().__init__(fileobj=io.BytesIO(archive))
        self._left = SLACK + len(archive) * EXPANSION

    def read(self, size: int | None = -1) -> bytes:
        found = super().read(size)
        self._left -= len(found)
        if self._left < 0:
            raise ValueError("it unpacks to far more than its size")
        return found

"""Whether facts and arrays of a model file fit together, so that one that was made by hand fails when it is loaded."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.domain.understanding import Level
from nlu.calibration import Logistic
from nlu.facts import OUT_OF_SCOPE, Arrays, Facts, Knowledge
from nlu.scoring import nothing_known

_NUMBERS = ("idf", "weights", "bias", "near_values", "oof_confidence", "oof_strange", "urgent", "boost")
_WHOLE = ("near_starts", "near_columns", "near_intents", "oof_expected", "oof_predicted")
_TEXTS = ("words", "characters", "oof_texts", "learned")
_OPTIONAL = frozenset({"urgent", "boost", "learned"})
_EVIDENCE, _GRADED = len(nothing_known(1)), 3  # numbers a prediction, and an urgency, is judged by


def check(facts: Facts, arrays: Arrays) -> None:
    """Raises `KeyError` for an array that is missing and `ValueError` for what cannot be used."""
    _facts(facts)
    _arrays(arrays, len(facts.intents), len(facts.urgent))


def _facts(facts: Facts) -> None:
    _is(bool({*facts.intents} - {OUT_OF_SCOPE}) and len({*facts.intents}) == len(facts.intents), "intents")
    _is(facts.temperature > 0, "temperature")
    _is(_takes(facts.correct, _EVIDENCE), "correct")
    _is(_takes(facts.strange, _EVIDENCE), "strange")
    _is(all(_takes(step.sure, _GRADED) for step in facts.urgent), "urgent")
    _knowledge(facts.knowledge)


def _takes(judge: Logistic, numbers: int) -> bool:
    return len(judge.weights) == len(judge.low) == len(judge.high) == numbers


def _knowledge(known: Knowledge) -> None:
    _is({*known.urgency.values()} <= {*Level}, "urgency")
    _is(all(one.count > 0 and min(one.cues.values(), default=0) >= 0 for one in known.roles), "roles")
    for _, pattern in known.regexes:
        try:
            re.compile(pattern, re.IGNORECASE)
        except (
            re.error,
            RecursionError,
            OverflowError,
        ) as exc:  # which are valid changes from Python to Python
            raise ValueError(f"a regex of its training data is not valid for this Python: {exc}") from exc


def _arrays(arrays: Arrays, intents: int, steps: int) -> None:
    for names, kind in ((_NUMBERS, np.floating), (_WHOLE, np.integer), (_TEXTS, np.uint8)):
        for name in names:
            if name in arrays or name not in _OPTIONAL:
                _is(np.issubdtype(arrays[name].dtype, kind), name)
    for name in _NUMBERS:
        _is(name not in arrays or bool(np.isfinite(arrays[name]).all()), name)
    for name in _TEXTS:
        _is(name not in arrays or _is_text(arrays[name]), name)
    _weights(arrays, intents, steps)
    _near(arrays, intents)
    rows = len(arrays["oof_expected"])
    _is(rows > 0, "oof_expected")
    _is(_lines(arrays["oof_texts"]) == rows, "oof_texts")
    for name in ("oof_predicted", "oof_confidence", "oof_strange"):
        _is(arrays[name].shape == (rows,), name)
    _is(_below(arrays["oof_expected"], intents), "oof_expected")
    _is(_below(arrays["oof_predicted"], intents + 1), "oof_predicted")  # one more: no intent was named


def _weights(arrays: Arrays, intents: int, steps: int) -> None:
    grams = arrays["idf"].size
    _is(_lines(arrays["words"]) + _lines(arrays["characters"]) == grams, "words")
    _is(grams > 0 and arrays["idf"].shape == (grams,), "idf")
    _is(arrays["weights"].shape == (grams, intents), "weights")
    _is(arrays["bias"].shape == (intents,), "bias")
    _is(not steps or arrays["urgent"].shape == (grams, steps), "urgent")
    _is("boost" not in arrays or arrays["boost"].shape[1:] == (intents,), "boost")


def _near(arrays: Arrays, intents: int) -> None:
    columns, starts, ends = (arrays[f"near_{name}"] for name in ("columns", "starts", "intents"))
    _is(columns.shape == arrays["near_values"].shape and _below(columns, arrays["idf"].size), "near_columns")
    _is(_climbs(starts, columns.size), "near_starts")
    _is(ends.shape == (intents + 1,) and _climbs(ends, starts.size - 1), "near_intents")
    lasts = ends[1:][ends[1:] > ends[:-1]]  # of the examples of an intent
    _is(bool((starts[lasts] > starts[lasts - 1]).all()), "near_starts")


def _climbs(places: NDArray[Any], end: int) -> bool:
    """From 0 to `end`, never back."""
    known = places.ndim == 1 and places.size > 0
    return bool(known and places[0] == 0 and places[-1] == end and (places[1:] >= places[:-1]).all())


def _below(places: NDArray[Any], end: int) -> bool:
    return places.ndim == 1 and (not places.size or bool(places.min() >= 0 and places.max() < end))


def _lines(array: NDArray[Any]) -> int:
    return int(np.count_nonzero(array == ord("\n"))) + 1 if array.size else 0


def _is_text(array: NDArray[Any]) -> bool:
    try:
        array.tobytes().decode()
    except UnicodeDecodeError:
        return False
    return True


def _is(fine: bool, name: str) -> None:  # noqa: FBT001 - it reads as a sentence
    if not fine:
        raise ValueError(f"its `{name}` does not fit the rest")

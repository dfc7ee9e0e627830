"""Our own arithmetic gives what the training computed."""

from pathlib import Path

import numpy as np
import pytest

from nlu import learning
from nlu.features import grams, normalise, tokens
from nlu.models import Model
from nlu.parser import Parser
from nlu.reading import read_training


def test_a_training_example_gets_the_scores_that_training_gave_it(small_file: Path, model: Model) -> None:
    corpus = learning._corpus(read_training([small_file]))
    fitted = learning._fit(corpus, np.arange(len(corpus.texts)))
    wanted = fitted.rows @ fitted.weights + fitted.bias
    parser = Parser(model)
    for row, text in enumerate(corpus.texts):
        columns, values = parser._row(grams(tokens(normalise(text))))
        assert sorted(columns) == sorted(fitted.rows[row].indices)
        scores = values @ parser._weights[columns] + parser._bias
        assert scores == pytest.approx(wanted[row], abs=2e-3)  # float16 on disk


def test_a_training_example_is_nearest_to_itself(small_file: Path, model: Model) -> None:
    parser = Parser(model)
    for example in read_training([small_file]).examples:
        columns, values = parser._row(grams(tokens(normalise(example.text))))
        intent = model.facts.intents.index(example.intent)
        assert parser._nearest(columns, values, intent) > 0.7


def test_a_text_of_unknown_ngrams_only_is_not_parsed(model: Model) -> None:
    assert Parser(model).parse(tokens(normalise("где мой"))) is None
    assert Parser(model).parse([]) is None

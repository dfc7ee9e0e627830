"""Learning: reproducible, honest about itself, and content with very little."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from nlu.embedded import Embedded
from nlu.facts import OUT_OF_SCOPE
from nlu.learning import learn
from nlu.learning.fitting import FOLDS, folds
from nlu.models import Model
from nlu.reading import Example, TrainingData, read_training
from tests.unit.nlu.conftest import NOW


def data_of(**intents: list[str]) -> TrainingData:
    pairs = [(text, intent) for intent, texts in intents.items() for text in texts]
    examples = [Example(text=text, intent=intent, file="x.yml", line=1) for text, intent in pairs]
    return TrainingData(examples=tuple(examples))


def test_the_same_data_give_the_same_model(small_file: Path, model: Model) -> None:
    again = learn(read_training([small_file]), NOW + timedelta(days=1))
    assert again.id == model.id
    assert again.facts == model.facts


def test_one_example_more_gives_another_model(small_file: Path, tmp_path: Path, model: Model) -> None:
    path = tmp_path / "nlu.yml"
    path.write_text(small_file.read_text().replace("    - hey\n", "    - hey\n    - hoi\n"))
    assert learn(read_training([path]), NOW).id != model.id


def test_the_place_of_the_file_is_no_part_of_the_model(
    small_file: Path, tmp_path: Path, model: Model
) -> None:
    path = tmp_path / "elsewhere.yml"
    path.write_text(small_file.read_text())
    assert learn(read_training([path]), NOW).id == model.id


@pytest.mark.parametrize(
    "intents",
    [
        {"yes": ["ja"], "no": ["nein"]},
        {"yes": ["ja", "klar"], "no": ["nein"]},
        {"a": ["eins"], "b": ["zwei"], "c": ["drei"]},
        {"a": ["eins zwei", "zwei drei", "drei vier", "vier", "fünf", "sechs"], "out_of_scope": ["wetter"]},
        {"a": ["😡"], "b": ["👍", "…"]},
    ],
)
def test_very_little_data_still_gives_a_model_that_knows_them(intents: dict[str, list[str]]) -> None:
    engine = Embedded(learn(data_of(**intents), NOW))
    for intent, texts in intents.items():
        found = engine.parse(texts[0] + " ok")
        assert 0 <= found.intent.confidence <= 1
        answerable = [one.name for one in found.intent_ranking if one.name != OUT_OF_SCOPE]
        assert intent == OUT_OF_SCOPE or answerable[0] == intent


def test_a_perfect_little_set_does_not_make_nonsense_certain() -> None:
    numbers = ["eins", "zwei", "drei", "vier", "fünf"]
    data = data_of(
        order=[f"bestellung {word} bitte" for word in numbers],
        bye=[f"tschüss {word} ciao" for word in numbers],
    )
    engine = Embedded(learn(data, NOW))
    assert engine.parse("bestellung zehn bitte").intent.confidence > 0.8
    assert engine.parse("xqz wvk").intent.confidence < 0.8
    assert engine.parse("xqz wvk").out_of_scope > engine.parse("bestellung zehn bitte").out_of_scope


def test_without_examples_of_it_out_of_scope_is_never_the_intent() -> None:
    data = data_of(a=["wo ist mein paket", "paket weg"] * 1, b=["hallo du", "guten tag"])
    found = Embedded(learn(data, NOW)).parse("quantenphysik im mittelalter")
    assert found.intent.name != "out_of_scope"
    assert found.out_of_scope > 0.5


def test_every_intent_is_spread_over_the_folds() -> None:
    truth = np.repeat(np.arange(4), [50, 7, 5, 2])
    fold = folds(truth)
    for intent, examples in ((0, 50), (1, 7), (2, 5), (3, 2)):
        counts = np.bincount(fold[truth == intent], minlength=FOLDS)
        assert counts.sum() == examples
        assert counts.max() - counts.min() <= 1


def test_folds_in_other_processes_judge_alike(
    small_file: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nlu.learning.fitting.WORTH_A_PROCESS", 0)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert learn(read_training([small_file]), NOW).id == model.id

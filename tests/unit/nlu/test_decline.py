"""A model that is worse than the one before is told apart from chance."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from nlu.evaluation.decline import decline
from nlu.models import Model


def judged(model: Model, right: float, held_out: int) -> Model:
    facts = replace(model.facts, scores={"accuracy": right})
    return replace(model, facts=facts, arrays={"oof_expected": np.zeros(held_out, dtype=np.uint16)})


@pytest.mark.parametrize(
    ("now", "before", "held_out", "is_told"),
    [
        (0.87, 0.89, 8000, True),
        (0.88, 0.889, 8000, False),
        (0.87, 0.89, 1600, False),  # of a Rasa model only some are held out
        (0.70, 0.85, 20, True),  # chance, perhaps; but worth a look
        (0.90, 0.80, 8000, False),
    ],
)
def test_a_decline_is_told_where_chance_does_not_explain_it(
    model: Model, now: float, before: float, held_out: int, *, is_told: bool
) -> None:
    said = decline(judged(model, now, held_out), judged(model, before, held_out))
    assert said.endswith(f"{now:.1%} right instead of {before:.1%}") == is_told
    assert bool(said) == is_told


def test_a_model_without_figures_is_compared_with_nothing(model: Model) -> None:
    bare = replace(model, facts=replace(model.facts, scores={}))
    assert decline(bare, model) == decline(model, bare) == ""

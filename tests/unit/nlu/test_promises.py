"""From a promised share of wrong answers to thresholds: what is proven, what is borrowed, what is handed off."""

import numpy as np
import pytest

from nlu.evaluation.promises import NEVER, Table, keep, table
from nlu.models import Model

INTENTS = ("a", "b", "out_of_scope")


def seen(*parts: tuple[str, int, float, float]) -> Table:
    """Parts are intent, messages, share of them wrong, and their confidence."""
    expected: list[int] = []
    predicted: list[int] = []
    confidence: list[float] = []
    for intent, messages, wrong, sure in parts:
        place, mistakes = INTENTS.index(intent), round(messages * wrong)
        predicted += [place] * messages
        expected += [(place + 1) % 3] * mistakes + [place] * (messages - mistakes)
        confidence += [sure] * messages
    return Table(INTENTS, np.array(expected), np.array(predicted), np.array(confidence))


def test_an_intent_is_answered_from_where_its_mistakes_become_rare_enough() -> None:
    kept = keep(seen(("a", 500, 0.0, 0.9), ("a", 500, 0.3, 0.5), ("b", 500, 0.0, 0.9)), 0.02)
    assert kept.thresholds["a"] == pytest.approx(0.9)
    assert kept.answered == pytest.approx(2 / 3, abs=1e-3)
    assert kept.wrong == 0.0


def test_an_intent_whose_curve_cannot_keep_the_promise_is_handed_off() -> None:
    kept = keep(seen(("a", 500, 0.0, 0.9), ("b", 200, 0.2, 0.95)), 0.02)
    assert kept.thresholds["b"] == NEVER
    assert kept.handed_off == ("b",)


def test_three_right_ones_of_three_prove_nothing_by_themselves() -> None:
    lucky = ("b", 3, 0.0, 0.9)
    assert keep(seen(("a", 500, 0.1, 0.9), lucky), 0.02).thresholds["b"] == NEVER
    assert keep(seen(("a", 500, 0.0, 0.9), lucky), 0.02).thresholds["b"] == pytest.approx(0.9)


def test_one_mistake_of_a_thin_intent_does_not_condemn_it() -> None:
    thin = seen(("a", 2000, 0.0, 0.9), ("b", 12, 1 / 12, 0.9))
    assert keep(thin, 0.02).thresholds["b"] == pytest.approx(0.9)
    assert keep(thin, 0.01).thresholds["b"] == NEVER


def test_a_handful_of_examples_promises_nothing() -> None:
    assert keep(seen(("a", 15, 0.0, 0.99), ("b", 15, 0.0, 0.99)), 0.02).handed_off == ("a", "b")


def test_what_is_as_sure_is_answered_together() -> None:
    kept = keep(seen(("a", 300, 0.0, 0.9), ("a", 40, 1.0, 0.9), ("b", 900, 0.0, 0.9)), 0.02)
    assert kept.thresholds["a"] == NEVER


def test_out_of_scope_has_no_threshold_and_an_intent_nobody_was_taken_for_is_handed_off() -> None:
    kept = keep(seen(("a", 500, 0.0, 0.9), ("out_of_scope", 50, 0.0, 0.9)), 0.05)
    assert kept.thresholds == {"a": pytest.approx(0.9), "b": NEVER}


def test_a_message_for_which_no_intent_was_named_is_never_answered() -> None:
    known = seen(("a", 500, 0.0, 0.9))
    both = Table(
        INTENTS,
        np.append(known.expected, np.zeros(500, int)),
        np.append(known.predicted, np.full(500, len(INTENTS))),
        np.append(known.confidence, np.zeros(500)),
    )
    kept = keep(both, 0.02)
    assert kept.thresholds == keep(known, 0.02).thresholds
    assert (kept.answered, keep(both, 1.0).answered) == (0.5, 0.5)


def test_a_stricter_promise_answers_no_more(model: Model) -> None:
    answered = [keep(table(model), promise).answered for promise in (0.4, 0.2, 0.1, 0.05, 0.01)]
    assert answered == sorted(answered, reverse=True)
    assert answered[0] > 0

"""What Rasa's confidence is worth, and when it is left alone."""

from __future__ import annotations

import random

import numpy as np
import pytest

from bot.domain.errors import EngineUnavailable
from nlu.calibration import calibration_error
from nlu.rasa.breaker import FAILURES, REST, Breaker
from nlu.rasa.trust import Case, Said, confidences, evidence, fit, scores


def boasting(many: int, seed: int = 1) -> list[Case]:
    """Held-out examples of an engine that says 0.95 and is right in three of four; the witness is right in four of five."""
    chance = random.Random(seed)
    intents = [f"intent{number}" for number in range(8)]
    cases = []
    for _ in range(many):
        truth, other = chance.sample(intents, 2)
        rasa = Said(truth if chance.random() < 0.75 else other, 0.95)
        witness = Said(truth if chance.random() < 0.8 else chance.choice(intents), 0.8, 0.1)
        cases.append(Case(truth=truth, rasa=rasa, witness=witness))
    return cases


def test_a_boasting_engine_is_believed_as_often_as_it_is_right() -> None:
    cases = boasting(800)
    right, _ = confidences(cases)
    correct = [case.rasa.intent == case.truth for case in cases]
    assert calibration_error(right, np.array(correct)) < 0.05


def test_two_engines_that_agree_are_believed_more_than_two_that_do_not() -> None:
    trust = fit(boasting(800))
    agreed = trust.right(evidence(Said("a", 0.95), Said("a", 0.8, 0.1)))
    alone = trust.right(evidence(Said("a", 0.95), Said("b", 0.8, 0.1)))
    assert agreed > 0.85 > alone


def test_few_cases_make_nobody_sure_of_everything() -> None:
    trust = fit([Case(truth="a", rasa=Said("a", 0.9), witness=Said("a", 0.9, 0.1)) for _ in range(5)])
    assert trust.right(evidence(Said("a", 0.9), Said("a", 0.9, 0.1))) < 1
    assert trust.right(evidence(Said("a", 0.1), Said("b", 0.2, 0.9))) < 0.6


def test_strangeness_is_learned_where_examples_are_out_of_scope() -> None:
    inside = [Case(truth="a", rasa=Said("a", 0.8), witness=Said("a", 0.8, 0.1)) for _ in range(30)]
    outside = [
        Case(truth="out_of_scope", rasa=Said("out_of_scope", 0.7), witness=Said("out_of_scope", 0.6, 0.9))
        for _ in range(30)
    ]
    trust = fit(inside + outside)
    assert trust.strange
    assert trust.strange(evidence(outside[0].rasa, outside[0].witness)) > 0.9
    assert trust.strange(evidence(inside[0].rasa, inside[0].witness)) < 0.1
    assert fit(inside).strange is None


def test_where_no_intent_was_named_there_is_no_confidence_and_nothing_to_learn() -> None:
    cases = boasting(200)
    silent = [Case(truth="intent1", rasa=Said("", 0.95), witness=Said("intent1", 0.8, 0.1))] * 200
    right, _ = confidences(cases + silent)
    assert right[:200].min() > 0
    assert right[200:].max() == 0
    assert fit(cases + silent).right == fit(cases).right


def test_scores_are_shares() -> None:
    found = scores(boasting(200))
    assert found["accuracy"] == pytest.approx(0.75, abs=0.08)
    assert "out_of_scope_auroc" not in found
    assert all(0 <= value <= 1 for value in found.values())


def test_equal_held_out_halves_are_not_needed() -> None:
    assert len(confidences(boasting(1))[0]) == 1


# ── Left alone ──────────────────────────────────────────────────────────────────────────────────


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def fails(breaker: Breaker) -> None:
    with pytest.raises(EngineUnavailable), breaker.attempt():
        raise EngineUnavailable("away")


def test_a_success_in_between_starts_the_count_anew() -> None:
    breaker = Breaker(Clock())
    for _ in range(3):
        fails(breaker)
        fails(breaker)
        with breaker.attempt():
            pass
    assert not breaker.is_open


def test_an_open_one_asks_nothing_until_it_has_rested() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        fails(breaker)
    with pytest.raises(EngineUnavailable, match="left alone"), breaker.attempt():
        pytest.fail("it was asked")
    clock.now = REST
    with breaker.attempt():
        pass
    assert not breaker.is_open


def test_only_one_probes_also_when_an_earlier_question_ends_meanwhile() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    earlier, probe = breaker.attempt(), breaker.attempt()
    earlier.__enter__()
    for _ in range(FAILURES):
        fails(breaker)
    clock.now = REST
    probe.__enter__()
    earlier.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    with pytest.raises(EngineUnavailable, match="left alone"), breaker.attempt():
        pytest.fail("it was asked")
    probe.__exit__(None, None, None)
    assert not breaker.is_open


def test_a_probe_that_is_broken_off_lets_the_next_one_try() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        fails(breaker)
    clock.now = REST
    with pytest.raises(KeyboardInterrupt), breaker.attempt():
        raise KeyboardInterrupt
    with breaker.attempt():
        pass
    assert not breaker.is_open

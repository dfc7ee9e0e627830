"""Probabilities that mean what they say."""

import numpy as np
import pytest

from nlu.calibration import (
    calibration_error,
    fit_logistic,
    fit_temperature,
    macro_f1,
    separation,
    softmax,
)


def test_a_fitted_probability_is_the_share_that_is_right() -> None:
    chance = np.random.default_rng(1)
    values = chance.normal(size=(5000, 2))
    truth = chance.random(5000) < 1 / (1 + np.exp(-(2 * values[:, 0] - 1)))
    fitted = fit_logistic(values, truth)
    assert fitted.weights[0] == pytest.approx(2, abs=0.2)
    assert fitted.weights[1] == pytest.approx(0, abs=0.1)
    assert fitted.bias == pytest.approx(-1, abs=0.15)
    confidence = np.array([fitted(row) for row in values.tolist()])
    assert calibration_error(confidence, truth) < 0.02


def test_a_value_far_beyond_training_is_judged_by_the_last_one_seen() -> None:
    values = np.linspace(-1, 1, 50)[:, None]
    fitted = fit_logistic(values, values[:, 0] > 0)
    assert fitted([1000.0]) == fitted([1.0])


def test_a_column_that_never_changes_weighs_nothing() -> None:
    values = np.column_stack([np.linspace(-1, 1, 50), np.zeros(50)])
    assert fit_logistic(values, values[:, 0] > 0.1).weights[1] == 0


def test_too_sure_scores_get_a_temperature_above_one() -> None:
    chance = np.random.default_rng(2)
    truth = chance.integers(0, 3, 3000)
    scores = chance.normal(size=(3000, 3)) + 2 * np.eye(3)[truth]
    assert fit_temperature(scores * 5, truth) == pytest.approx(5 * fit_temperature(scores, truth), rel=0.05)
    assert softmax(scores, 1.0).sum(1) == pytest.approx(1.0)


def test_the_calibration_error_is_the_distance_from_the_truth() -> None:
    right = np.array([True] * 8 + [False] * 2)
    assert calibration_error(np.full(10, 0.8), right) == pytest.approx(0)
    assert calibration_error(np.full(10, 1.0), right) == pytest.approx(0.2)
    assert calibration_error(np.array([]), np.array([], dtype=bool)) == 0


def test_separation_counts_pairs_and_ties_by_half() -> None:
    positive = np.array([True, True, False, False])
    assert separation(np.array([4.0, 3, 2, 1]), positive) == 1
    assert separation(np.array([1.0, 1, 1, 1]), positive) == 0.5
    assert separation(np.array([3.0, 1, 2, 1]), positive) == 0.625
    assert separation(np.array([1.0, 2]), np.array([True, True])) == 0.5


def test_macro_f1_counts_every_name_the_same_and_one_that_is_only_guessed_too() -> None:
    assert macro_f1([0, 0, 0, 0, 1], [0, 0, 0, 0, 0]) == pytest.approx((8 / 9 + 0) / 2)
    assert macro_f1("aab", "acb") == pytest.approx((2 / 3 + 0 + 1) / 3)


def test_macro_f1_knows_that_nothing_understood_is_no_intent() -> None:
    assert macro_f1(["a", "b"], ["a", ""]) == pytest.approx(1 / 2)

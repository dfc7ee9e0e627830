"""How far the urgency that was said is from the one it should be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bot.domain.understanding import Level
from nlu.evaluation.figures import UrgencyScore, share

COST = {Level.NORMAL: 1, Level.HIGH: 5, Level.CRITICAL: 20}  # of a message that is taken for less urgent

Ranks = NDArray[np.int_]


def score(labelled: Sequence[tuple[Level, Level]]) -> UrgencyScore | None:
    """Of pairs of what it should be and what was said; nothing where there are none."""
    if not labelled:
        return None
    wanted, got = np.array([[level.rank for level in pair] for pair in labelled]).T
    high, critical = Level.HIGH.rank, Level.CRITICAL.rank
    return UrgencyScore(
        n=len(labelled),
        accuracy=share(wanted == got),
        within_one=share(np.abs(wanted - got) <= 1),
        kappa=round(_kappa(wanted, got), 4),
        high_recall=share(got[wanted >= high] >= high),
        high_precision=share(wanted[got >= high] >= high),
        critical_recall=share(got[wanted == critical] == critical),
        missed_cost=_missed_cost(wanted, got),
        false_alarms=share(got > wanted),
        matrix=tuple(map(tuple, _matrix(wanted, got).tolist())),
    )


def _missed_cost(wanted: Ranks, got: Ranks) -> float:
    costs = np.array([COST.get(level, 0) for level in Level])[wanted]
    return round(float(costs[got < wanted].sum() / costs.sum()), 4) if costs.any() else 0.0


def _matrix(wanted: Ranks, got: Ranks) -> Ranks:
    counts = np.zeros((len(Level), len(Level)), dtype=int)
    np.add.at(counts, (wanted, got), 1)
    return counts


def _kappa(wanted: Ranks, got: Ranks) -> float:
    """Quadratic weighted kappa (Cohen 1968)."""
    levels, observed = len(Level), _matrix(wanted, got)
    expected = np.outer(observed.sum(1), observed.sum(0)) / len(wanted)
    weights = np.subtract.outer(np.arange(levels), np.arange(levels)) ** 2
    chance = float((weights * expected).sum())
    return 1.0 - float((weights * observed).sum()) / chance if chance else 1.0

"""Whether a model is worse than the one it follows, by what each training said of itself."""

from __future__ import annotations

import math

from nlu.models import Model

SPREADS = 1.96  # standard deviations that chance reaches once in twenty times
FAR = 0.1  # a loss that is told even where few examples prove nothing


def decline(now: Model, before: Model) -> str:
    """A sentence where the cross-validation is worse than chance explains, else nothing; examples may be others."""
    right, was = now.facts.scores.get("accuracy"), before.facts.scores.get("accuracy")
    if right is None or was is None:
        return ""
    spread = math.sqrt(_spread(right, now) + _spread(was, before))
    if was - right <= min(SPREADS * spread, FAR):
        return ""
    return (
        f"its cross-validation is worse than that of the model before: {right:.1%} right instead of {was:.1%}"
    )


def _spread(right: float, model: Model) -> float:
    """The variance of this share, of as many examples as were held out."""
    return right * (1 - right) / len(model.arrays["oof_expected"])

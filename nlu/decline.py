"""Whether a model is worse than the one it follows, by what each training said of itself."""

from __future__ import annotations

import math

from nlu.models import Facts

SPREADS = 1.96  # standard deviations that chance reaches once in twenty times
FAR = 0.1  # a loss that is told even where few examples prove nothing


def decline(now: Facts, before: Facts) -> str:
    """A sentence where the cross-validation is worse than chance explains, else nothing; examples may be others."""
    right, was = now.scores.get("accuracy"), before.scores.get("accuracy")
    if right is None or was is None:
        return ""
    spread = math.sqrt(right * (1 - right) / now.examples + was * (1 - was) / before.examples)
    if was - right <= min(SPREADS * spread, FAR):
        return ""
    return (
        f"its cross-validation is worse than that of the model before: {right:.1%} right instead of {was:.1%}"
    )

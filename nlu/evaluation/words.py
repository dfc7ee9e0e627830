"""What a report says in the same words as text and as a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from bot.domain.plural import count
from nlu.evaluation.chance import hidden
from nlu.evaluation.comparison import Comparison
from nlu.evaluation.figures import Automation, Promise, Report

NAMED = 4  # names in a row, then their number
BROKEN, UNCLEAR = "not kept", "can be chance"
LEAKS = 5  # learned messages by name
NOTHING = "(nothing)"  # where no intent was named


def percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def names(found: Sequence[str], most: int = NAMED) -> str:
    """All, or the first of them and how many more there are."""
    if len(found) <= most + 1:
        return ", ".join(found)
    return f"{', '.join(found[:most])} and {len(found) - most:,} more"


def title(found: Report, files: Sequence[Path | str]) -> str:
    where = ", ".join(Path(file).name for file in files) or "its own examples, each held out once"
    return f"Model {found.model} on {where}"


def size(found: Report) -> str:
    return f"{count(found.n, 'message')}, {count(len(found.per_intent), 'intent')}"


def learned(found: Report) -> str:
    """What messages that were learned mean for the figures; nothing where there are none."""
    if not found.learned:
        return ""
    were = "was" if found.learned == 1 else "were"
    rest = found.unlearned_accuracy
    worth = ": these figures prove nothing" if rest is None else f"; of the others {percent(rest)} are right"
    return f"{found.learned:,} of {count(found.n, 'message')} {were} learned{worth}"


def leaks(found: Report) -> Sequence[str]:
    """A few by name; of more, their number says enough."""
    return found.leaks if len(found.leaks) <= LEAKS else ()


def left_out(found: Comparison) -> str:
    """What a comparison does not count, and why; nothing where it counts all."""
    if not found.left_out:
        return ""
    one = found.left_out == 1
    return (
        f"{found.left_out:,} of these messages {'was' if one else 'were'} learned by at least one of the two, "
        f"{'proves' if one else 'prove'} nothing and {'is' if one else 'are'} left out"
    )


def verdict(found: Promise) -> str:
    """Of a promise that was not kept to the letter."""
    if found.is_broken:
        return BROKEN
    return UNCLEAR if found.wrong > found.wrong_answers else ""


def limit(found: Automation) -> str:
    """What a test of this size cannot tell, said of its strictest promise."""
    strictest = next((one for one in found.promises if one.n), None)
    if strictest is None or hidden(strictest.n) < 2 * strictest.wrong_answers:
        return ""
    return (
        f"{count(strictest.n, 'answer')} can hardly tell {percent(strictest.wrong_answers)} wrong "
        f"from {percent(hidden(strictest.n))}"
    )


def handed_off(found: Automation) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The promises that hand off the same intents, and these; none where every intent can be answered."""
    for intents, promises in groupby(found.promises, _handed_off):
        if intents:
            yield " and ".join(percent(one.wrong_answers) for one in promises), intents


def _handed_off(found: Promise) -> tuple[str, ...]:
    return tuple(sorted(intent for intent, least in found.thresholds.items() if least is None))

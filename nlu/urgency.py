"""How urgent a message is, and why, in words an agent can check.

Signals in the text give points and sometimes a floor (a fire is critical whatever else is said); the intent
may have a prior from its `metadata`; where there are labels, a classifier of the text has a word too. The most
urgent of these counts. What the conversation adds (waiting, repeats, a public post) is
counted outside the text. What is quoted or denied ("nicht dringend", "nobody was hurt") does not count.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter

from msgspec import Struct

from bot.domain.understanding import Context, Level, Sentiment, Urgency
from nlu.features import visible
from nlu.ordinal import Graded
from nlu.rules.quotes import own_words, straight
from nlu.rules.signals import Signal, candidates, matches

HIGH_AT, CRITICAL_AT = 3.0, 10.0  # points
FULL_SCORE = 12.0  # points that make the score 1
SURE = 0.5  # from which confidence the intent's own urgency counts
_rank = attrgetter("rank")
REASONS = 5  # an agent reads no more

# "no idea who hacked it" and "without warning it exploded" deny something else.
_DENIAL = re.compile(
    r"\b(?:nicht(?! nur)|nich|net|ned|kein\w*(?! wunder| ahnung| grund)|nie|niemand\w*|weder|ohne(?! vorwarnung| grund)"
    r"|no(?! wonder| doubt| idea| reason)|not(?! only)|nobody|none|never|without(?! warning| reason)|neither|far from"
    r"|alles andere als|isn.?t|wasn.?t|aren.?t|don.?t|doesn.?t|didn.?t|hasn.?t|haven.?t|won.?t)"
    r"(?:\s+(?!(?:why|how|who|what|that|because|warum|wieso|weshalb|wer|wie|dass|weil)\b)\w+){0,3}\s*$"
)
_DENIED_INSIDE = re.compile(r"\b(?:nicht|net|not|never)\b")
# "es brennt nicht" does, "gehackt, kein Witz" and "hacked not funny" do not.
_DENIED_AFTER = re.compile(
    r"[ \t]*(?:(?:worden|wurde|ist|war|es|überhaupt|gar|auch|ja|mir|wirklich|echt|zum glück) ){0,3}"
    r"(?:nicht|net|ned|keine[rs]?|niemand|never|not)\b(?=\s*(?:$|[.,;:!?\n]|(?:und|oder|aber|mehr|and|or|but)\b))"
)
_CLAUSE_END = re.compile(r"[.,;:!?\n]|\b(?:aber|sondern|but|und|and)\b")
_SHOUTING = re.compile(r"!\s?!\s?!")
_WORD = re.compile(r"[^\W\d_]{2,}")
_CAPITALS = re.compile(r"[^\W\d_a-zäöüß]{2}")  # asked first: most texts have none


class Found(Struct, frozen=True):
    """One signal in one text."""

    signal: Signal
    words: str

    @property
    def reason(self) -> str:
        return f'{self.signal.name}: "{self.words}"' if self.words else self.signal.name


class Known(Struct, frozen=True, kw_only=True):
    """What is known beside the text's own words."""

    intent: str = ""
    confidence: float = 0.0
    prior: str = ""  # the intent's own urgency
    sentiment: Sentiment = Sentiment()
    context: Context = Context()
    grade: Callable[[float, int], Graded] | None = None  # from points and the rank of the floor
    # The same of what is left of the text where some of it does not count.
    again: Callable[[str], Known] | None = None


def urgency(text: str, known: Known) -> Urgency:
    """Level, score for ordering inside a level (0..1) and reasons, strongest first."""
    found, rest = _read(text)
    if rest and known.again:
        known = known.again(rest)
    said, least, added = points(found), floor(found), list(_surroundings(known))
    graded = known.grade(said, least.rank) if known.grade else None
    weight, extra = said + _tone(known.sentiment), sum(one for one, _ in added)
    level = max(_level(weight, found), least, _base(known, graded, found), key=_rank)
    # Surroundings can make something high, never critical: they say nothing about danger.
    if extra and weight + extra >= HIGH_AT and level is Level.NORMAL:
        level = Level.HIGH
    total = max(weight, 0.0) + extra + level.rank
    reasons = [one.reason for one in sorted(found, key=lambda one: -abs(one.signal.points))]
    reasons += _prior_reason(known, level) + _graded_reason(graded, level)
    reasons += [reason for _, reason in added]
    return Urgency(
        level=level, score=round(min(total / FULL_SCORE, 1.0), 3), reasons=tuple(reasons[:REASONS])
    )


def signals(text: str) -> Iterator[Found]:
    """Each signal once, with the words that gave it."""
    yield from _read(text)[0]


def _read(text: str) -> tuple[list[Found], str]:
    """The signals, and the text with blanks for what is quoted or denied; empty when that is nothing."""
    plain = straight(visible(text))
    read = own_words(plain)
    lower = read.lower()
    written = read if len(lower) == len(read) else lower  # a few letters get longer in lower case
    found, taken = list[Found](), list[tuple[int, int]]()
    for signal, places in candidates(lower):
        for match in matches(signal, places, lower):
            if signal.deniable and _denied(lower, match):
                taken.append(match.span())
                continue
            found.append(Found(signal, " ".join(written[slice(*match.span())].split())))
            break
    if read != plain:
        found += _undeniable(plain.lower(), {one.signal.name for one in found})
    found += _manner(read)
    rest = written
    for start, end in taken:
        rest = rest[:start] + " " * (end - start) + rest[end:]
    return found, rest if taken or read != plain else ""


def _undeniable(lower: str, known: set[str]) -> Iterator[Found]:
    """Somebody's life counts in quotation marks, too."""
    for signal, places in candidates(lower):
        if signal.floor is Level.CRITICAL and not signal.deniable and signal.name not in known:
            yield from (Found(signal, match[0]) for match in list(matches(signal, places, lower))[:1])


def _denied(text: str, match: re.Match[str]) -> bool:
    before = _CLAUSE_END.split(text[max(0, match.start() - 60) : match.start()])[-1]
    return bool(
        _DENIAL.search(before) or _DENIED_INSIDE.search(match[0]) or _DENIED_AFTER.match(text, match.end())
    )


_LOUD = Signal("capital letters", 1.0, _WORD)
_MARKS = Signal("exclamation marks", 0.5, _SHOUTING)


def _manner(text: str) -> Iterator[Found]:
    words = _WORD.findall(text) if _CAPITALS.search(text) else ()
    if len(words) >= 4 and sum(word.isupper() for word in words) > 0.6 * len(words):
        yield Found(_LOUD, "")
    if _SHOUTING.search(text):
        yield Found(_MARKS, "")


def points(found: Iterable[Found]) -> float:
    """What the signals weigh together."""
    return sum(one.signal.points for one in found)


def _tone(sentiment: Sentiment) -> float:
    return 0.5 if sentiment.score <= -0.5 else 0.0


def _level(weight: float, found: list[Found]) -> Level:
    if weight >= CRITICAL_AT and any(one.signal.floor is Level.HIGH for one in found):
        return Level.CRITICAL
    if weight >= HIGH_AT:
        return Level.HIGH
    return Level.NORMAL if weight > 0 else Level.LOW


def floor(found: Iterable[Found]) -> Level:
    """The least urgent a message with these signals can be."""
    return max((one.signal.floor for one in found), key=_rank, default=Level.LOW)


def _base(known: Known, graded: Graded | None, found: list[Found]) -> Level:
    """What the text reads like and what it is about, the more urgent of the two; somebody who says that it can
    wait takes a step off, but never off danger.
    """
    levels = [level for level in (_prior(known), graded.level if graded else None) if level is not None]
    base = max(levels, key=_rank, default=Level.NORMAL)
    if base is Level.NORMAL and _prior(known) is Level.LOW:
        base = Level.LOW  # that it reads as nothing special says nothing against what it is about
    return _CALMER.get(base, base) if any(one.signal.points < 0 for one in found) else base


def _prior(known: Known) -> Level | None:
    """The urgency of the intent itself."""
    return Level(known.prior) if known.prior and known.confidence >= SURE else None


_CALMER = {Level.HIGH: Level.NORMAL, Level.NORMAL: Level.LOW}


def _prior_reason(known: Known, level: Level) -> list[str]:
    if level.rank >= Level.HIGH.rank and _prior(known) is level:
        return [f"about: {known.intent.replace('_', ' ')}"]
    return []


def _graded_reason(graded: Graded | None, level: Level) -> list[str]:
    if graded and graded.words and graded.level is level and level.rank >= Level.HIGH.rank:
        quoted = ", ".join(f'"{word}"' for word in graded.words)
        return [f"reads as urgent: {quoted}"]
    return []


# ── What the conversation adds ──────────────────────────────────────────────────────────────────

MANY_UNANSWERED = 3
LONG_WAIT_HOURS = 24.0
WIDE_REACH = 10_000


def _surroundings(known: Known) -> Iterator[tuple[float, str]]:
    """Points and reasons from outside the text."""
    context = known.context
    if context.repeats:
        noun = "message" if context.repeats == 1 else "messages"
        yield min(context.repeats, 4) * 0.5, f"{context.repeats} unanswered {noun} before"
    hours = context.waited_seconds / 3600
    if hours >= 1:
        yield min(hours / 12, 2.0), f"waiting for {hours:.0f} h"
    if context.public and known.sentiment.score < 0:
        followers = f", {context.reach:,} followers" if context.reach else ""
        yield 0.5 + min(context.reach / WIDE_REACH, 2.0), f"public post{followers}"

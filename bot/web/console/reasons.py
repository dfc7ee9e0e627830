"""Why something is urgent, in the viewer's language: the engine gives its reasons in English, with quotes."""

from __future__ import annotations

import re
from collections.abc import Callable

from bot.web.console.texts import TEXTS
from bot.web.console.timeline import Vocabulary
from handoff.told import CALLS, SPOKEN, in_german

Told = Callable[[re.Match[str], Vocabulary], str]


def urgency_reason(reason: str, known: Vocabulary) -> str:
    """A reason nobody has a word for is shown as it is."""
    for pattern, told in PATTERNS:
        if match := pattern.fullmatch(reason):
            return told(match, known)
    return reason


def note(text: str, known: Vocabulary) -> str:
    """What the server says to agents in English; what it has no words for is shown as it is."""
    if match := CALLS.fullmatch(text):
        reasons = ", ".join(_why(reason, known) for reason in match["reasons"].split(", "))
        level = known.words.known("level", match["level"]).lower()
        return known.words("note.calls", number=match["number"], level=level, reasons=reasons)
    return (
        in_german(text, lambda name, part: _word(name, part, known)) if known.words.language == "de" else text
    )


def _why(reason: str, known: Vocabulary) -> str:
    return known.words(f"reason.{reason}") if f"reason.{reason}" in TEXTS else urgency_reason(reason, known)


def _word(name: str, part: str, known: Vocabulary) -> str:
    if name == "department":
        named = (one.name for one in known.departments.values() if part in {one.name, *one.label.values()})
        return next((known.department(one) for one in named), part)
    return known.words.known(name, part) if name in SPOKEN else part


def _signal(match: re.Match[str], known: Vocabulary) -> str:
    key = f"signal.{match['name'].replace(' ', '_')}"
    if key not in TEXTS or "{" in TEXTS[key][0]:  # one that wants a number has a pattern of its own
        return match[0]
    name = known.words(key)
    return known.words("signal.quoted", name=name, words=match["words"]) if match["words"] else name


PATTERNS: tuple[tuple[re.Pattern[str], Told], ...] = (
    (
        re.compile(r"about: (.+)"),
        lambda match, known: known.words("signal.about", intent=known.intent(match[1].replace(" ", "_"))),
    ),
    (
        re.compile(r"(\d+) unanswered messages? before"),
        lambda match, known: known.words("signal.unanswered", n=match[1]),
    ),
    (re.compile(r"waiting for (\d+) h"), lambda match, known: known.words("signal.waiting_for", n=match[1])),
    (
        re.compile(r"public post, ([\d,]+) followers"),
        lambda match, known: known.words(
            "signal.followers", n=known.words.number(int(match[1].replace(",", "")))
        ),
    ),
    (re.compile(r"set by (.+)"), lambda match, known: known.words("signal.set_by", name=match[1])),
    (re.compile(r'(?P<name>[a-z ]+)(?:: "(?P<words>.*)")?', re.DOTALL), _signal),
)

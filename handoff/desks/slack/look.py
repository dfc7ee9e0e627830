"""What a rendering has to know beside what it shows: words, names and the brand's own clock."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from bot.domain.cases import Agent, Case, Handoff, Reason
from bot.domain.messages import Author, AuthorKind
from bot.domain.routing import Department
from handoff.desks.slack.texts import TEXTS
from handoff.told import CALLS, SPOKEN, in_german
from handoff.words import LANGUAGES

DESK = "slack"
USER = re.compile(r"[UW][A-Z0-9]{2,}")
GROUP = re.compile(r"S[A-Z0-9]{2,}")
WITH_INTENTS = (Reason.LOW_CONFIDENCE, Reason.INTENT_IS_HUMAN, Reason.REPEATED, Reason.NOT_FOUND)

_WEEKDAYS = {
    "de": ("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"),
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
}
_EXACT = {"de": "{weekday} {at:%d.%m.}, {at:%H:%M}", "en": "{weekday} {at:%d/%m}, {at:%H:%M}"}


class Look(Struct, frozen=True, kw_only=True):
    """`workspace` is its address as `auth.test` tells it."""

    language: str
    zone: ZoneInfo
    public_url: str
    intents: Mapping[str, Mapping[str, str]]  # intent → language → label
    departments: Mapping[str, Department]
    workspace: str = "https://slack.com/"

    # ── words ──

    def __call__(self, key: str, **values: object) -> str:
        return TEXTS[key][self._column].format(**values)

    @property
    def _column(self) -> int:
        return LANGUAGES.index(self.language) if self.language in LANGUAGES else len(LANGUAGES) - 1

    def known(self, group: str, name: str) -> str:
        """The word for a value of a vocabulary that others may add to; else the value, made readable."""
        found = TEXTS.get(f"{group}.{name}")
        return found[self._column] if found else name.replace("_", " ").strip().capitalize()

    def counted(self, key: str, n: int) -> str:
        return self(f"{key}.{'one' if n == 1 else 'other'}", n=n)

    # ── names ──

    def intent(self, name: str) -> str:
        label = self.intents.get(name, {})
        return label.get(self.language) or next(iter(label.values()), name.replace("_", " ").capitalize())

    def department(self, name: str) -> str:
        known = self.departments.get(name)
        return (known.label.get(self.language) if known else "") or name.capitalize()

    def channel(self, name: str) -> str:
        return self.known("channel", name)

    def customer(self, case: Case) -> str:
        return self("case.customer", pseudonym=case.pseudonym)

    def author(self, author: Author, case: Case) -> str:
        if author.kind is AuthorKind.CUSTOMER:
            return self.customer(case)
        return self("case.bot") if author.kind is AuthorKind.BOT else author.name or author.id

    def title(self, case: Case) -> str:
        """Who and what."""
        parts = (f"#{case.number}", self.customer(case), self.channel(case.address.channel))
        return " · ".join((*parts, self.intent(case.intent)) if case.intent else parts)

    def detail(self, handoff: Handoff) -> str:
        """The handoff's detail names intents or a slot where its reason says so."""
        if handoff.reason in WITH_INTENTS:
            return ", ".join(self.intent(name) for name in handoff.detail.split(", ") if name)
        by_slot = handoff.reason is Reason.SLOT_MISSING and handoff.detail
        return self.known("slot", handoff.detail) if by_slot else handoff.detail

    def reasons(self, case: Case) -> list[str]:
        """Why it is urgent; not that it is about what it is about."""
        return [self.reason(one) for one in case.urgency.reasons if one != f"about: {_spoken(case.intent)}"]

    def case_url(self, case: Case) -> str:
        return f"{self.public_url.rstrip('/')}/console/cases/{case.id}"

    def text_url(self, case: Case, message: str) -> str:
        return f"{self.case_url(case)}/texts/{message}"

    # ── numbers and times ──

    def number(self, value: int) -> str:
        return f"{value:,}".replace(",", "." if self.language == "de" else ",")

    def percent(self, share: float) -> str:
        return f"{round(share * 100)}{chr(160) if self.language == 'de' else ''}%"

    def size(self, bytes_: int) -> str:
        kilobytes = bytes_ / 1024
        text = f"{kilobytes / 1024:.1f} MB" if kilobytes >= 1000 else f"{max(1, round(kilobytes))} kB"
        return text.replace(".", ",") if self.language == "de" else text

    def span(self, length: timedelta) -> str:
        """How long something took: "12 min"."""
        minutes = max(0, int(length.total_seconds()) // 60)
        if minutes == 0:
            return self("time.now")
        if minutes < 60:
            return self("time.minutes", n=minutes)
        return self("time.hours", n=minutes // 60) if minutes < 2880 else self("time.days", n=minutes // 1440)

    def exact(self, at: datetime) -> str:
        """By the brand's clock, for readers whose Slack does not show their own."""
        local = at.astimezone(self.zone)
        language = LANGUAGES[self._column]
        return _EXACT[language].format(weekday=_WEEKDAYS[language][local.weekday()], at=local)

    # ── what others say in English ──

    def reason(self, reason: str) -> str:
        """Why something is urgent; a reason nobody has a word for is shown as it is."""
        for pattern, told in _SIGNALS:
            if match := pattern.fullmatch(reason):
                return told(match, self)
        return reason

    def note(self, text: str) -> str:
        """What the server says to agents in English; what it has no words for is shown as it is."""
        if match := CALLS.fullmatch(text):
            reasons = ", ".join(self._why(reason) for reason in match["reasons"].split(", "))
            level = self.known("level", match["level"]).lower()
            return self("note.calls", number=match["number"], level=level, reasons=reasons)
        return in_german(text, self._word) if self.language == "de" else text

    def _word(self, name: str, part: str) -> str:
        if name == "department":
            named = (one.name for one in self.departments.values() if part in {one.name, *one.label.values()})
            return next((self.department(one) for one in named), part)
        return self.known(name, part) if name in SPOKEN else part

    def _why(self, reason: str) -> str:
        return self.known("reason", reason) if f"reason.{reason}" in TEXTS else self.reason(reason)


def _spoken(intent: str) -> str:
    return intent.replace("_", " ")


def user_of(agent: Agent | None) -> str:
    """Slack's id of an agent, or nothing for one who works elsewhere."""
    id = agent.id.removeprefix(f"{DESK}:") if agent else ""
    return id if agent and agent.desk == DESK and USER.fullmatch(id) else ""


def _signal(match: re.Match[str], look: Look) -> str:
    key = f"signal.{match['name'].replace(' ', '_')}"
    if key not in TEXTS or "{" in TEXTS[key][0]:  # one that wants a number has a pattern of its own
        return match[0]
    return look("signal.quoted", name=look(key), words=match["words"]) if match["words"] else look(key)


_SIGNALS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], Look], str]], ...] = (
    (
        re.compile(r"about: (.+)"),
        lambda match, look: look("signal.about", intent=look.intent(match[1].replace(" ", "_"))),
    ),
    (
        re.compile(r"(\d+) unanswered messages? before"),
        lambda match, look: look("signal.unanswered", n=match[1]),
    ),
    (re.compile(r"waiting for (\d+) h"), lambda match, look: look("signal.waiting_for", n=match[1])),
    (
        re.compile(r"public post, ([\d,]+) followers"),
        lambda match, look: look("signal.followers", n=look.number(int(match[1].replace(",", "")))),
    ),
    (re.compile(r"set by (.+)", re.DOTALL), lambda match, look: look("signal.set_by", name=match[1])),
    (re.compile(r'(?P<name>[a-z ]+)(?:: "(?P<words>.*)")?', re.DOTALL), _signal),
)

"""What may change while the server runs: answers, thresholds, departments, routing. SIGHUP reads it again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from bot.config import Settings
from bot.domain.answers import AnswerBook, Texts
from bot.domain.turns import Policy
from handoff.policy import HandoffRules
from nlu.answers import load_answers

T = TypeVar("T")

CONSOLE, SLACK = "console", "slack"
Promised = Callable[[float], Mapping[str, float]]  # from a share of wrong answers: intent → least confidence


def _nothing_promised(wrong_answers: float) -> Mapping[str, float]:
    return {}


class Content(Struct, frozen=True, kw_only=True):
    book: AnswerBook
    policy: Policy
    rules: HandoffRules
    wrong_answers: float | None = None  # the share of answers that may be wrong; computes thresholds


def read_content(settings: Settings) -> Content:
    """Raises `BadData` when the answers cannot be used."""
    book = load_answers(settings.nlu.answers, settings.brand)
    handoff, thresholds = settings.handoff, settings.nlu.thresholds
    policy = Policy(
        book=book,
        lookups=frozenset(settings.lookups),
        language=settings.brand.language,
        threshold=thresholds.answer,
        thresholds=dict(thresholds.intents),
        reopen=timedelta(days=handoff.reopen_days),
        notice=timedelta(minutes=handoff.notice_minutes),
        stale=timedelta(minutes=handoff.stale_minutes),
        upset=handoff.upset,
    )
    rules = HandoffRules(
        departments=settings.departments,
        routing=settings.routing,
        default=handoff.default_department,
        zone=settings.brand.zone,
        claim=timedelta(minutes=handoff.claim_minutes),
        idle=timedelta(hours=handoff.idle_hours),
        desks=(CONSOLE, SLACK) if settings.desks.slack else (CONSOLE,),
        copies=(SLACK,) if settings.desks.slack else (),
        undo={SLACK: timedelta(seconds=settings.desks.undo)} if settings.desks.undo else {},
    )
    return Content(book=book, policy=policy, rules=rules, wrong_answers=thresholds.wrong_answers)


class Current(Mapping[str, T]):
    """What a mapping is at the moment, for those who keep it longer than a configuration lasts."""

    def __init__(self, read: Callable[[], Mapping[str, T]]) -> None:
        self._read = read

    def __getitem__(self, key: str) -> T:
        return self._read()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())


class Live:
    """The content in use; replaced as a whole, so nobody sees half of a change."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._pushed: AnswerBook | None = None
        self._promised: Promised = _nothing_promised

    def policy(self) -> Policy:
        """With the thresholds that keep the promise, as the model at work can keep it; those written down win."""
        policy, promise = self._content.policy, self._content.wrong_answers
        computed = self._promised(promise) if promise is not None else {}
        return replace(policy, thresholds={**computed, **policy.thresholds}) if computed else policy

    def follow(self, promised: Promised) -> None:
        """Ask for thresholds here, each time: another model keeps the promise with others."""
        self._promised = promised

    def book(self) -> AnswerBook:
        return self._content.book

    def rules(self) -> HandoffRules:
        return self._content.rules

    def labels(self) -> Mapping[str, Texts]:
        """Intent → language → what it is called for people."""
        return {intent: answer.label for intent, answer in self.book().answers.items()}

    def replace(self, content: Content) -> None:
        """Answers that were pushed go on counting, whatever the file says by now."""
        book = self._pushed or content.book
        self._content = replace(content, book=book, policy=replace(content.policy, book=book))

    def use(self, pushed: AnswerBook) -> None:
        self._pushed = pushed
        self.replace(self._content)

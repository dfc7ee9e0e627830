"""The answers that every process follows: pushed from a file, pulled into one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path

from bot.bootstrap.backends import now, opened_store
from bot.bootstrap.content import Live
from bot.config import Settings
from bot.domain.answers import AnswerBook
from bot.domain.errors import BadData
from bot.domain.ports import Finding, Store
from bot.services.contents import PushedAnswers
from nlu.answers import parse_answers, read_text, unanswered

IN_THE_STORE = "the answers in the store"


def following(settings: Settings, store: Store, live: Live) -> Callable[[], Awaitable[None]]:
    """A step that uses what was pushed since the last one."""
    pushed = PushedAnswers(store, now)

    async def read(text: str) -> AnswerBook:
        return await asyncio.to_thread(parse_answers, text, settings.brand, IN_THE_STORE)

    async def step() -> None:
        await pushed.follow(read, live.use)

    return step


async def push_content(settings: Settings) -> None:
    """Raises `BadData` when the file cannot be used, `TooLate`."""
    text = await asyncio.to_thread(read_text, settings.nlu.answers)
    await asyncio.to_thread(parse_answers, text, settings.brand, settings.nlu.answers)
    async with opened_store(settings) as store:
        await PushedAnswers(store, now).push(text)


async def pull_content(settings: Settings) -> bool:
    """Write what was pushed into the file; False when nothing was. Raises `BadData`."""
    async with opened_store(settings) as store:
        text = await PushedAnswers(store, now).text()
    if text is not None:
        _write(Path(settings.nlu.answers), text)
    return text is not None


async def without_answer(settings: Settings, intents: Collection[str]) -> list[str]:
    """A sentence for each of these intents that the answers in use say nothing about."""
    async with opened_store(settings) as store:
        pushed = await PushedAnswers(store, now).text()
    try:
        text = pushed if pushed is not None else await asyncio.to_thread(read_text, settings.nlu.answers)
        return unanswered(parse_answers(text, settings.brand, settings.nlu.answers), intents)
    except BadData as error:
        return [str(error)]


async def overruled(settings: Settings, store: Store) -> list[Finding]:
    """Whoever edits the file has to know that nobody reads it any more. Raises `BadData`."""
    pushed = await PushedAnswers(store, now).text()
    if pushed is None or pushed == await asyncio.to_thread(read_text, settings.nlu.answers):
        return []
    detail = f"pushed answers are in use, and {settings.nlu.answers} says something else"
    fix = "Use the file: switchboard content push. Or overwrite it with what is in use: switchboard content pull."
    return [Finding(name="answers", status="warn", detail=detail, fix=fix)]


def _write(path: Path, text: str) -> None:
    """All of it or nothing: a server may read it at any moment."""
    draft = path.with_name(f".{path.name}.draft")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as exc:
        raise BadData(
            f"{path} cannot be written ({exc.strerror}); check nlu.answers and its rights."
        ) from exc
    finally:
        draft.unlink(missing_ok=True)

"""What the bot says, once it was pushed into the store: every process follows it, whatever its own file says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from bot.domain.accounts import Setting
from bot.domain.answers import AnswerBook
from bot.domain.errors import BadData, TooLate
from bot.domain.ports import Applied, Changes, Clock, Insert, Store, Update

log = structlog.get_logger()

ANSWERS = "answers"  # the setting; its text is that of an answers file

Read = Callable[[str], Awaitable[AnswerBook]]  # raises BadData
Use = Callable[[AnswerBook], None]


class PushedAnswers:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._seen = -1  # the version that was looked at last

    async def text(self) -> str | None:
        """None where nothing was pushed: then each process has its file."""
        setting = await self._store.get(Setting, ANSWERS)
        return str(setting.value["text"]) if setting else None

    async def push(self, text: str) -> None:
        """Raises `TooLate` when somebody else pushed at the same time."""
        setting = await self._store.get(Setting, ANSWERS)
        new = Setting(
            id=ANSWERS, value={"text": text}, at=self._clock(), version=setting.version if setting else 0
        )
        write = Update(record=new) if setting else Insert(record=new)
        if not isinstance(await self._store.apply(Changes(writes=(write,))), Applied):
            raise TooLate(
                "Somebody else changed the answers just now; look at theirs: switchboard content pull."
            )

    async def follow(self, read: Read, use: Use) -> None:
        """Use them if they are others than at the last look; what cannot be used leaves the old in place."""
        setting = await self._store.get(Setting, ANSWERS)
        if setting is None or setting.version == self._seen:
            return
        try:
            book = await read(setting.value["text"])
        except BadData as error:
            log.error("answers.refused", why=str(error))  # noqa: TRY400  the sentence says it all
        else:
            use(book)
            log.info("answers.live", version=book.version)
        self._seen = setting.version

"""Fetching: what a customer attached is copied from the platform into our own files, beside the lane."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import timedelta

import structlog
from msgspec.structs import replace

from bot.domain.errors import SendDeferred, SendError, SendInDoubt, StoreUnavailable
from bot.domain.messages import Attachment, Fetch, Message
from bot.domain.ports import (
    Applied,
    Changes,
    Clock,
    Commit,
    Connector,
    Delete,
    Fetches,
    Files,
    Insert,
    Later,
    Store,
    Update,
    Write,
)

log = structlog.get_logger()

ATTEMPTS = 8  # about an hour with the backoff below
BACKOFF = 5.0  # seconds, doubled each time
BACKOFF_CAP = 1800.0
TRIES = 5


def remembered(message: Message, connector: object) -> list[Write]:
    """The work that a message with files at the platform makes; part of the message's own transaction."""
    if not isinstance(connector, Fetches) or not any(map(_is_away, message.attachments)):
        return []
    return [Insert(record=Fetch(id=message.id, not_before=message.at))]


class Fetching:
    """One message at a time; a file that cannot be had is said, with the reason, where it would be."""

    def __init__(
        self,
        *,
        store: Store,
        commit: Commit,
        connectors: Mapping[tuple[str, str], Connector],
        files: Files,
        clock: Clock,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._commit = commit
        self._connectors = connectors
        self._files = files
        self._clock = clock
        self._chance = chance

    async def work(self, message_id: str) -> Later | None:
        fetch = await self._store.get(Fetch, message_id)
        if fetch is None:
            return None
        wait = fetch.not_before - self._clock()
        if wait > timedelta():
            return Later(delay=wait)
        message = await self._store.get(Message, message_id)
        if message is None or message.deleted_at:
            await self._store.apply(Changes(writes=(Delete(kind=Fetch, id=message_id),)))
            return None
        return await self._fetch(fetch, message)

    async def _fetch(self, fetch: Fetch, message: Message) -> Later | None:
        last = fetch.attempts + 1 >= ATTEMPTS
        connector: object = self._connectors.get((message.address.channel, message.address.account))
        found: dict[str, Attachment] = {}
        retry: SendDeferred | None = None
        for one in filter(_is_away, message.attachments):
            try:
                found[one.remote] = await self._copied(one, connector)
            except SendDeferred as error:
                retry = error
                if last:
                    found[one.remote] = replace(one, missing=error.reason)
        done = retry is None or last
        if not await self._kept(fetch, found, done=done):
            return Later(delay=timedelta(seconds=1))
        return None if done else await self._again(fetch.id, retry)

    async def _copied(self, attachment: Attachment, connector: object) -> Attachment:
        """The same with its key in our files, or with the reason why not; raises `SendDeferred`."""
        if not isinstance(connector, Fetches):
            return replace(attachment, missing="The account it came from is not configured any more.")
        try:
            content = await connector.fetch(attachment)
            return replace(attachment, file=await self._files.put(content), size=len(content))
        except SendDeferred:
            raise
        except (SendInDoubt, StoreUnavailable) as error:
            raise SendDeferred(str(error)) from error
        except SendError as error:
            return replace(attachment, missing=error.reason)
        except Exception as error:
            log.exception("fetch.broke")
            raise SendDeferred(f"internal error ({type(error).__name__})") from error

    async def _kept(self, fetch: Fetch, found: Mapping[str, Attachment], *, done: bool) -> bool:
        """What was fetched goes into the message as it is by now: it may have been edited meanwhile."""
        for _ in range(TRIES):
            message = await self._store.get(Message, fetch.id)
            writes: list[Write] = [Delete(kind=Fetch, id=fetch.id)] if done else []
            if message and not message.deleted_at and found:
                files = tuple(_filled(one, found) for one in message.attachments)
                writes.append(Update(record=replace(message, attachments=files)))
            if isinstance(await self._commit(Changes(writes=tuple(writes))), Applied):
                return True
        return False

    async def _again(self, id: str, error: SendDeferred | None) -> Later | None:
        fetch = await self._store.get(Fetch, id)
        if fetch is None:
            return None
        backoff = min(BACKOFF_CAP, BACKOFF * 2.0**fetch.attempts) * (0.5 + self._chance() / 2)
        delay = (error.retry_after if error else None) or timedelta(seconds=backoff)
        again = replace(fetch, attempts=fetch.attempts + 1, not_before=self._clock() + delay)
        await self._commit(Changes(writes=(Update(record=again),)))
        return Later(delay=delay)


def _is_away(attachment: Attachment) -> bool:
    return bool(attachment.remote) and not attachment.file and not attachment.missing


def _filled(attachment: Attachment, found: Mapping[str, Attachment]) -> Attachment:
    return found.get(attachment.remote, attachment) if _is_away(attachment) else attachment

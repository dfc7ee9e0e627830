"""The parts of a server, chosen by the settings and put together by plain constructor arguments."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import aiohttp
from msgspec import Struct
from msgspec.structs import replace

from bot.bootstrap.answers import following
from bot.bootstrap.around import Around
from bot.bootstrap.backends import Backends, now, opened
from bot.bootstrap.content import Current, Live, read_content
from bot.bootstrap.desks import desks
from bot.bootstrap.key import secret_key
from bot.bootstrap.models import Shelf
from bot.config import Settings, convert
from bot.domain.errors import StoreUnavailable
from bot.domain.ids import new_id
from bot.domain.messages import Address, FeedEntry
from bot.domain.ports import (
    Broadcast,
    Capabilities,
    Changes,
    Conflict,
    Connector,
    Desk,
    Files,
    Hears,
    Insert,
    Polls,
    Queue,
    Store,
)
from bot.lookups import HttpLookups, LookupConfig
from bot.services.alarms import Alarms
from bot.services.answering import Answering
from bot.services.attending import Attending
from bot.services.fetching import Fetching
from bot.services.following import Following
from bot.services.ledger import Ledger
from bot.services.posts import Posts
from bot.services.receiving import Receiving
from bot.services.reporting import Reporting
from bot.services.sending import Sending
from bot.services.tuning import Tuning
from bot.web.context import Web
from bot.worker import Poll, Worker
from connectors import CONNECTORS
from connectors.base import Deps
from handoff.takeover import Takeover

Connectors = dict[tuple[str, str], Connector]


class Parts(Struct, frozen=True, kw_only=True):
    """Everything that runs, by its role."""

    settings: Settings
    live: Live
    store: Store
    queue: Queue
    broadcast: Broadcast
    files: Files
    models: Shelf
    tuning: Tuning
    connectors: Mapping[tuple[str, str], Connector]
    desks: Mapping[str, Desk]
    alarms: Alarms
    receiving: Receiving
    takeover: Takeover
    reporting: Reporting
    worker: Worker
    follow_answers: Callable[[], Awaitable[None]]
    secret: bytes


@asynccontextmanager
async def assembled(settings: Settings) -> AsyncIterator[Parts]:
    """All parts, open; closed again in the reverse order. Raises `ConfigError`, `BadData`, `StoreUnavailable`."""
    live = Live(read_content(settings))
    async with opened(settings) as backends:
        secret = await secret_key(settings, backends.store)
        # How much happens at once is bounded by whoever asks (lanes, sends), so a slow platform holds up nobody.
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            parts = _parts(settings, live, secret, backends, session)
            await parts.follow_answers()
            yield parts


def _parts(
    settings: Settings,
    live: Live,
    secret: bytes,
    backends: Backends,
    session: aiohttp.ClientSession,
) -> Parts:
    store, files, queue, broadcast = backends.store, backends.files, backends.queue, backends.broadcast
    follow = Following(store, lambda: live.rules().copies, now, new_id)
    commit = Ledger(store, queue, broadcast, now, follow)
    receiving = Receiving(store, commit, now, new_id, secret)
    hosted = _deps(secret, commit, store, broadcast)
    deps = replace(
        hosted, http=session, files=files, receive=receiving.receive, public_url=settings.server.public_url
    )
    connectors = _connectors(settings, deps)
    reporting = Reporting(store, now, settings.channels)
    models = Shelf(settings, store, files, session)
    tuning = models.tuning
    live.follow(models.thresholds)

    def can(address: Address) -> Capabilities:
        connector = connectors.get((address.channel, address.account))
        return connector.capabilities if connector else Capabilities()

    takeover = Takeover(store, commit, live.rules, live.book, reporting.usual, now, new_id, can)
    alarms = Alarms(store, now)
    around = Around(
        settings=settings,
        live=live,
        store=store,
        commit=commit,
        files=files,
        broadcast=broadcast,
        session=session,
        takeover=takeover,
        reporting=reporting,
        alarms=alarms,
        can=can,
    )
    posted_on = desks(around)
    answering = Answering(
        store=store,
        commit=commit,
        understander=lambda: tuning,
        policy=live.policy,
        lookups=_lookups(settings, session),
        rules=live.rules,
        connectors=connectors,
        usual=reporting.usual,
        clock=now,
        new_id=new_id,
    )
    sending = Sending(
        store=store,
        commit=commit,
        connectors=connectors,
        posts=Posts(store, posted_on, can, now, new_id),
        alarms=alarms,
        takeover=takeover,
        pace=backends.pace,
        clock=now,
        new_id=new_id,
        stale=live.policy().stale,
    )
    worker = Worker(
        store=store,
        queue=queue,
        answering=answering,
        sending=sending,
        attending=Attending(store=store, desks=posted_on, takeover=takeover, clock=now),
        fetching=Fetching(store=store, commit=commit, connectors=connectors, files=files, clock=now),
        takeover=takeover,
        clock=now,
        polls=_polls(connectors, posted_on),
    )
    return Parts(
        settings=settings,
        live=live,
        store=store,
        queue=queue,
        broadcast=broadcast,
        files=files,
        models=models,
        tuning=tuning,
        connectors=connectors,
        desks=posted_on,
        alarms=alarms,
        receiving=receiving,
        takeover=takeover,
        reporting=reporting,
        worker=worker,
        follow_answers=following(settings, store, live),
        secret=secret,
    )


def web_context(parts: Parts) -> Web:
    """What the pages are handed."""
    settings = parts.settings
    return Web(
        brand=settings.brand,
        departments=Current(lambda: parts.live.rules().departments),
        connectors=parts.connectors,
        desks={name: one for name, one in parts.desks.items() if isinstance(one, Hears)},
        alarms=parts.alarms,
        origins={
            str(account["account"]): tuple(account.get("origins", ()))
            for account in settings.channels.get("webchat", ())
        },
        store=parts.store,
        broadcast=parts.broadcast,
        files=parts.files,
        receiving=parts.receiving,
        takeover=parts.takeover,
        reporting=parts.reporting,
        understander=parts.tuning,
        labels=Current(parts.live.labels),
        clock=now,
        new_id=new_id,
        secret=parts.secret,
        public_url=settings.server.url,
        api_token=settings.environment.api_token,
        session_hours=settings.console.session_hours,
    )


# ── Choosing ────────────────────────────────────────────────────────────────────────────────────


def _deps(secret: bytes, commit: Ledger, store: Store, broadcast: Broadcast) -> Deps:
    async def append(entry: FeedEntry) -> None:
        outcome = await commit(Changes(writes=(Insert(record=entry, scope=entry.topic),)))
        if isinstance(outcome, Conflict):
            raise StoreUnavailable("The feed could not be written; try again.")

    async def known(id: str) -> bool:
        return await store.get(FeedEntry, id) is not None

    return Deps(secret=secret, clock=now, append=append, known=known, publish=broadcast.publish)


def _connectors(settings: Settings, deps: Deps) -> Connectors:
    """Every account of every channel. Raises `ConfigError`, `Misconfigured`."""
    found: Connectors = {}
    for channel, accounts in settings.channels.items():
        kind = CONNECTORS[channel]
        for account in accounts:
            connector = kind(convert(account, kind.Settings, account.path), deps)
            found[channel, connector.account] = connector
    return found


def _polls(connectors: Mapping[tuple[str, str], Connector], desks: Mapping[str, Desk]) -> dict[str, Poll]:
    """Of the accounts and desks whose events have to be fetched."""
    adapters: dict[str, object] = {
        **{f"{channel}:{account}": one for (channel, account), one in connectors.items()},
        **{f"desk:{name}": one for name, one in desks.items()},
    }
    return {key: one.poll for key, one in adapters.items() if isinstance(one, Polls) and one.polls}


def _lookups(settings: Settings, session: aiohttp.ClientSession) -> HttpLookups:
    configs = {
        name: LookupConfig(url=settings.lookup_url(name), timeout=lookup.timeout, headers=lookup.headers)
        for name, lookup in settings.lookups.items()
    }
    return HttpLookups(configs, session)

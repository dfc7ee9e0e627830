"""One line to Redis: whatever is asked at the same time travels together, and nobody waits for a Redis that is away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from hashlib import sha1
from pathlib import Path
from random import choice
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import structlog
from msgspec import Struct
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.client import PubSub
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisClusterException, RedisError

from bot.domain.errors import Misconfigured

log = structlog.get_logger()

Result = TypeVar("Result")

PREFIX = "switchboard"
TIMEOUT = 1.0  # seconds until a Redis that says nothing counts as away
BLOCK = 2.0  # seconds that one blocking read waits at Redis
MOST = 256  # calls that travel together
PAUSES = (0.1, 1.0)  # seconds between looks for a Redis that is away: at first, and after a while
STEADY = 10.0  # seconds after which a Redis that is back counts as well
INSIST = 0.05  # seconds
UNUSABLE = "queue: this address of Redis cannot be used; check its port, its database number and the options behind `?`."
TROUBLE = (RedisError, RedisClusterException, OSError, TimeoutError)


class RedisAway(Exception):
    """Redis cannot be reached or cannot do what was asked just now; the store knows what has to be done."""


class Script(Struct, frozen=True):
    source: str
    sha: str


def script(*names: str) -> Script:
    """The Lua files of this package by name, one after the other."""
    source = "\n".join((Path(__file__).parent / f"{name}.lua").read_text("utf-8") for name in names)
    return Script(source, sha1(source.encode(), usedforsecurity=False).hexdigest())


class _Call(Struct):
    script: Script
    args: tuple[Any, ...]
    answer: asyncio.Future[Any]


class Link:
    """Shared by queue, broadcast and pace of a process, so that Redis goes away once and is looked for once.

    `url` is redis:// or rediss:// (TLS), with user, password and database number as usual and the options of
    https://redis.readthedocs.io (such as `ssl_ca_certs`); redis+cluster:// or rediss+cluster:// with some of its
    nodes, comma-separated, for a Redis Cluster. One option is ours: `prefix`, of all keys. Raises `Misconfigured`.
    """

    def __init__(self, url: str, *, timeout: float = TIMEOUT) -> None:
        try:
            address, self.prefix = _parsed(url)
            self._client = _client(address, timeout)
            self._patient = _client(address, BLOCK + timeout)
        except (TypeError, ValueError, RedisClusterException) as exc:  # their texts may quote a password
            raise Misconfigured(UNUSABLE) from exc
        self._waiting: list[_Call] = []
        self._sending: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._here = asyncio.Event()
        self._here.set()
        self._back_at = -STEADY
        self._closed = False
        self.timeout = timeout

    async def call(self, script: Script, keys: Sequence[str], *args: str | bytes | float) -> Any:
        """Run a script. Raises `RedisAway`, at once while Redis is known to be away."""
        if self._closed or not self._here.is_set():
            raise RedisAway
        call = _Call(script, (len(keys), *keys, *args), asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send())
        return await call.answer

    async def read_group(self, group: str, me: str, count: int, streams: Sequence[str]) -> Any:
        """Wait a while for new entries of the streams. Raises `RedisAway`."""
        wanted = dict.fromkeys(streams, ">")
        reading = self._patient.xreadgroup(
            group, me, cast("Any", wanted), count=count, block=int(BLOCK * 1000)
        )
        try:
            return await reading
        except TROUBLE as exc:
            await _hang_up(self._patient)
            raise RedisAway from exc

    async def pubsub(self) -> PubSub:
        """A line of its own; on a cluster to any node, since they pass on to each other what is published."""
        if isinstance(self._patient, Redis):
            return self._patient.pubsub()
        await self._patient.initialize()
        return self._patient.pubsub(node=choice(self._patient.get_nodes()))  # noqa: S311

    async def here(self) -> None:
        """Wait until Redis is, as far as we know."""
        await self._here.wait()

    async def ask(self, question: Callable[[Any], Awaitable[Result]]) -> Result:
        """For the doctor: a question to the client itself, whatever we think of Redis. Raises `RedisAway`."""
        try:
            return await question(self._client)
        except TROUBLE as exc:
            raise RedisAway(type(exc).__name__) from exc

    async def close(self) -> None:
        self._closed = True
        await ended([task for task in (self._sending, self._looking) if task])
        self._fail(self._waiting)
        for client in (self._client, self._patient):
            with suppress(*TROUBLE):
                await client.aclose()

    # ── Travelling together ─────────────────────────────────────────────────────────────────────

    async def _send(self) -> None:
        while self._waiting:
            calls, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            try:
                answers = await self._answers(calls)
            except TROUBLE as error:
                self._lost(calls[0], error)
                self._fail(calls)
                self._fail(self._waiting)
                self._waiting = []
            except BaseException:
                self._fail(calls)
                raise
            else:
                self._settle(calls, answers)

    async def _answers(self, calls: Sequence[_Call]) -> list[Any]:
        """Their answers or errors; a Redis that has lost our scripts is given them again."""
        answers = await self._pipelined(calls)
        if forgotten := [at for at, answer in enumerate(answers) if isinstance(answer, NoScriptError)]:
            for source in {calls[at].script.source for at in forgotten}:
                await self._client.script_load(source)
            for at, answer in zip(
                forgotten, await self._pipelined([calls[at] for at in forgotten]), strict=True
            ):
                answers[at] = answer
        return answers

    async def _pipelined(self, calls: Sequence[_Call]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for call in calls:
            pipeline.execute_command("EVALSHA", call.script.sha, *call.args)
        return await pipeline.execute(raise_on_error=False)

    def _settle(self, calls: Sequence[_Call], answers: Sequence[Any]) -> None:
        for call, answer in zip(calls, answers, strict=True):
            if isinstance(answer, Exception):
                self._lost(call, answer)
                self._fail([call])
            elif not call.answer.done():
                call.answer.set_result(answer)

    @staticmethod
    def _fail(calls: Sequence[_Call]) -> None:
        for call in calls:
            if not call.answer.done():
                call.answer.set_exception(RedisAway())

    # ── Away and back ───────────────────────────────────────────────────────────────────────────

    def _lost(self, call: _Call, error: Exception) -> None:
        """One line when it goes, and nobody else tries until it is back."""
        if self._here.is_set():
            self._here.clear()
            log.warning("redis.away", error=type(error).__name__, why=str(error))
            self._looking = asyncio.create_task(self._look(f"{call.args[1]}:here"))

    async def _look(self, key: str) -> None:
        """Redis is back when it can be written to, on a cluster at the node that could not."""
        clock = asyncio.get_running_loop().time
        since, pauses = clock(), list(PAUSES)
        pause = pauses[clock() - self._back_at < STEADY]
        while True:
            await asyncio.sleep(pause)
            with suppress(*TROUBLE):
                await self._client.set(key, 1, px=1000)
                break
            await _hang_up(self._client)
            pause = min(2 * pause, pauses[-1])
        self._back_at = clock()
        self._here.set()
        log.info("redis.back", seconds=round(clock() - since, 1))


async def ended(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel, and insist: `wait_for`, which the client uses, may swallow a cancellation before Python 3.12."""
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=INSIST)


async def _hang_up(client: Redis | RedisCluster) -> None:
    """What stands behind an address may have changed, and a connection leads to what was there before."""
    if isinstance(client, Redis):
        with suppress(*TROUBLE):
            await client.connection_pool.disconnect(inuse_connections=False)


def _parsed(url: str) -> tuple[str, str]:
    """The URL without our own option, and the prefix."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    prefix = options.pop("prefix", PREFIX)
    return urlunsplit(parts._replace(query=urlencode(options))), prefix


def _client(url: str, timeout: float) -> Redis | RedisCluster:
    """It tries once: whether it is worth another time is for us to say."""
    scheme, mark, rest = url.partition("+cluster://")
    options: dict[str, Any] = {
        "socket_timeout": timeout,
        "socket_connect_timeout": min(timeout, TIMEOUT),
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
    }
    if not mark:
        client = Redis.from_url(url, **options)
        client.connection_pool.make_connection()  # type: ignore[no-untyped-call]  # refuses unknown options
        return client
    hosts = urlsplit(f"//{rest}").netloc.rpartition("@")[2]
    first, *others = hosts.split(",")
    nodes = [ClusterNode(*_address(node)) for node in others]
    return RedisCluster.from_url(
        f"{scheme}://{rest.replace(hosts, first, 1)}", startup_nodes=nodes, **options
    )


def _address(node: str) -> tuple[str, int]:
    host, _, port = node.rpartition(":") if node.rpartition(":")[2].isdigit() else (node, "", "")
    return host.strip("[]"), int(port or 6379)

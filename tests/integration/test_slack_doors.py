"""The three doors that Slack knocks at: quick, once, and never broken by what comes in."""

from __future__ import annotations

import asyncio
import io
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bot.domain.desks import DeskEvent
from bot.domain.errors import StoreUnavailable
from bot.domain.ports import Changes, Query
from bot.web.app import BODY_LIMIT
from tests.fakes.slack_telling import PATHS
from tests.slack import ADA, Office, office

AT_ONCE = 50
SOON = 0.3  # seconds
RECORDED = sorted((Path(__file__).parents[1] / "payloads" / "slack").glob("*.json"))
KINDS = {"event": "events_api", "interaction": "interactive", "command": "slash_commands"}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Office]:
    async with office(tmp_path) as made:
        yield made


async def heard(desk: Office) -> list[DeskEvent]:
    return await desk.here.store.find(Query(kind=DeskEvent, limit=1000))


# ── Quick, and only when it is stored ───────────────────────────────────────────────────────────


async def test_fifty_replies_at_once_are_stored_and_acknowledged_within_three_tenths_of_a_second(
    desk: Office,
) -> None:
    """The best of three: other processes may have the machine just then."""
    await desk.claimed()
    slowest = []
    for turn in range(3):
        before = len(desk.slack.deliveries)
        await asyncio.gather(
            *(desk.slack.says(ADA, f"{turn}.{number}", thread=desk.card) for number in range(AT_ONCE))
        )
        told = desk.slack.deliveries[before:]
        assert [one.statuses for one in told] == [[200]] * AT_ONCE
        assert len(await heard(desk)) == AT_ONCE * (turn + 1)
        slowest.append(max(one.seconds for one in told))
    assert min(slowest) < SOON, slowest


async def test_while_the_store_is_away_slack_is_told_to_come_again_and_is_heard_once(desk: Office) -> None:
    await desk.claimed()
    apply, tries = desk.here.store.apply, []

    async def away(changes: Changes) -> Any:
        tries.append(changes)
        if len(tries) < 3:
            raise StoreUnavailable("away")
        return await apply(changes)

    desk.here.store.apply = away  # type: ignore[method-assign]
    await desk.slack.says(ADA, "It is on its way.", thread=desk.card)
    assert desk.slack.deliveries[-1].statuses == [503, 503, 200]
    await desk.settle()
    assert desk.here.channel.texts.count("It is on its way.") == 1


async def test_a_retry_of_what_never_came_is_taken_and_what_came_under_another_id_is_not_taken_twice(
    desk: Office,
) -> None:
    """Neither the retry's header nor event_id says whether we have it: channel and ts do."""
    await desk.claimed()
    desk.slack.hold()
    said = await desk.slack.says(ADA, "It is on its way.", thread=desk.card)
    (held,) = desk.slack.held or []
    for event_id in ("Ev1", "Ev1", "Ev2"):
        body = json.dumps({**held.payload, "event_id": event_id}).encode()
        headers = desk.slack.signed(body) | {"X-Slack-Retry-Num": "1", "X-Slack-Retry-Reason": "http_timeout"}
        assert await knock(desk, "events_api", body, headers) == 200
    await desk.settle()
    assert [one.external_id for one in await heard(desk)] == [f"{said.channel}:{said.ts}"]
    assert desk.here.channel.texts.count("It is on its way.") == 1


# ── Whatever comes in ───────────────────────────────────────────────────────────────────────────


async def knock(desk: Office, kind: str, body: bytes, headers: dict[str, str] | None = None) -> int:
    """The status."""
    form = "application/json" if kind == "events_api" else "application/x-www-form-urlencoded"
    signed = headers or desk.slack.signed(body)
    async with (
        aiohttp.ClientSession() as http,
        http.post(
            desk.slack.app_url + PATHS[kind], data=io.BytesIO(body), headers={"Content-Type": form, **signed}
        ) as answer,
    ):
        return answer.status


@pytest.mark.parametrize("kind", PATHS)
async def test_what_is_too_long_is_refused_unread(desk: Office, kind: str) -> None:
    assert await knock(desk, kind, b"x" * (BODY_LIMIT + 1)) == 413


@pytest.mark.parametrize(("late", "status"), [(-299, 200), (-301, 401), (301, 401)])
async def test_only_five_minutes_may_lie_between(desk: Office, late: float, status: int) -> None:
    body = b'{"type":"url_verification","challenge":"x"}'
    at = desk.here.clock().timestamp() + late
    assert await knock(desk, "events_api", body, desk.slack.signed(body, at)) == status


async def test_one_byte_more_and_the_signature_does_not_fit(desk: Office) -> None:
    body = b'{"type":"url_verification","challenge":"x"}'
    assert await knock(desk, "events_api", body + b" ", desk.slack.signed(body)) == 401


ODD: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.sampled_from(["", "\0", "1e999", "-1", "C0DEFAULT", "U0ADA", "x" * 5000, "\ud800", "say", "claim"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
CHANGE = st.tuples(st.integers(0, len(RECORDED) - 1), st.integers(0, 10_000), ODD)


def places(found: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inside = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    for name, value in inside:
        yield (*way, name)
        yield from places(value, (*way, name))


def changed(path: Path, place: int, value: Any) -> Any:
    """A recording with something else in one place."""
    found = json.loads(path.read_text(encoding="utf-8"))
    ways = list(places(found))
    *way, last = ways[place % len(ways)]
    inner = found
    for name in way:
        inner = inner[name]
    inner[last] = value
    return found


async def knocked(changes: list[tuple[int, int, Any]], folder: Path) -> tuple[list[int], list[Any]]:
    """The answers, and what broke afterwards."""
    answers = []
    with capture_logs() as logs:
        async with office(folder) as desk:
            await desk.claimed()
            ts = desk.card.ts
            for which, place, value in changes:
                path = RECORDED[which]
                told = json.dumps(changed(path, place, value)).replace("1795348790.004200", ts)
                told = told.replace("https://files.slack.com", desk.slack.url)
                kind = KINDS.get(path.name.partition("-")[0], "events_api")
                form = json.loads(told) if kind == "slash_commands" else {"payload": told}
                text = told if kind == "events_api" else urlencode(form, errors="surrogatepass")
                answers.append(await knock(desk, kind, text.encode()))
            for _ in range(5):
                await desk.later(minutes=2)
    return answers, [log for log in logs if log["log_level"] == "error" and log["event"] != "alarm"]


@settings(
    max_examples=3,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    phases=(Phase.generate,),
)
@given(st.lists(CHANGE, min_size=40, max_size=60))
def test_no_payload_of_any_shape_breaks_anything(changes: list[tuple[int, int, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        answers, broken = asyncio.run(knocked(changes, Path(folder)))
    assert set(answers) <= {200, 400}
    assert broken == []

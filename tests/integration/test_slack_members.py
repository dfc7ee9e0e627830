"""Who may speak to customers, and what people, groups and channels are called."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from bot.domain.cases import Agent
from bot.domain.errors import SendDeferred, SendError
from handoff.desks.slack.api import SlackApi
from handoff.desks.slack.members import Members, called
from handoff.desks.slack.settings import AgentSetting
from tests.fakes.slack_api import TOKEN
from tests.fakes.slack_api import SlackApi as Fake
from tests.fakes.slack_workspace import BOT_USER, OTHER_TEAM, Person


class Bench:
    def __init__(self, slack: Fake, api: SlackApi) -> None:
        self.slack, self.api = slack, api
        self.time = 1000.0

    def members(self, agents: dict[str, AgentSetting] | None = None) -> Members:
        return Members(self.api, "all_members" if agents is None else agents, lambda: self.time)

    @property
    def asked(self) -> int:
        return len(self.slack.called("users.info"))


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with Fake().serving() as slack, aiohttp.ClientSession() as http:
        yield Bench(slack, SlackApi(TOKEN, slack.api_url, http))


async def test_a_full_member_may_speak_under_their_name(bench: Bench) -> None:
    assert await bench.members().agent("U0ADA") == Agent(id="U0ADA", name="Ada", desk="slack")


@pytest.mark.parametrize(
    "who",
    [
        "U0GUEST",
        "U0SINGLE",
        "U0STRANGER",
        "U0OTHERBOT",
        "U0WORKFLOW",
        "U0GONE",
        BOT_USER,
        "U0NOBODY",
        "USLACKBOT",
        "",
    ],
)
async def test_guests_machines_strangers_and_the_gone_never_speak(bench: Bench, who: str) -> None:
    assert await bench.members().agent(who) is None
    listed = {who: AgentSetting(name="Ada")}
    assert await bench.members(listed).agent(who) is None


async def test_somebody_of_another_workspace_never_speaks(bench: Bench) -> None:
    bench.slack.workspace.add(Person(id="U0OTHER", name="Otto", team=OTHER_TEAM))
    assert await bench.members().agent("U0OTHER") is None


async def test_only_those_who_are_listed_speak_and_have_their_role(bench: Bench) -> None:
    members = bench.members(
        {"U0ADA": AgentSetting(name="Ada L.", role="supervisor"), "U0BEN": AgentSetting()}
    )
    assert await members.agent("U0ADA") == Agent(id="U0ADA", name="Ada L.", desk="slack")
    assert await members.agent("U0BEN") == Agent(id="U0BEN", name="Ben", desk="slack")
    assert await members.agent("U0CLEO") is None
    assert (members.role("U0ADA"), members.role("U0BEN")) == ("supervisor", "agent")


async def test_slack_is_asked_once_in_ten_minutes(bench: Bench) -> None:
    members = bench.members()
    await asyncio.gather(*(members.agent("U0ADA") for _ in range(50)))
    assert bench.asked == 1
    bench.time += 601
    await members.agent("U0ADA")
    assert bench.asked == 2


async def test_whoever_is_made_a_guest_stops_speaking_at_the_next_look(bench: Bench) -> None:
    members = bench.members()
    await members.agent("U0ADA")
    bench.slack.workspace.people["U0ADA"].is_restricted = True
    members.forget("U0ADA")
    assert await members.agent("U0ADA") is None


async def test_an_event_tells_how_somebody_is_now(bench: Bench) -> None:
    members = bench.members()
    await members.agent("U0ADA")
    bench.slack.workspace.people["U0ADA"].deleted = True
    members.learn(bench.slack.workspace.user(bench.slack.workspace.people["U0ADA"]))
    assert await members.agent("U0ADA") is None
    assert bench.asked == 1


@pytest.mark.parametrize("method", ["users.info", "auth.test"])
async def test_nobody_speaks_while_slack_cannot_be_asked(bench: Bench, method: str) -> None:
    members = bench.members()
    bench.slack.breaks(method, status=503)
    with pytest.raises(SendDeferred):
        await members.agent("U0ADA")
    assert await members.agent("U0ADA") is not None  # and is asked again


async def test_whoever_gives_up_waiting_does_not_take_the_answer_from_others(bench: Bench) -> None:
    members = bench.members()
    bench.slack.breaks("users.info", hang=0.05)
    impatient = asyncio.create_task(members.name("U0ADA"))
    patient = asyncio.create_task(members.name("U0ADA"))
    await asyncio.sleep(0.01)
    impatient.cancel()
    assert await patient == "Ada"
    assert bench.asked == 1


async def test_names_of_people_groups_and_channels_are_looked_up_together(bench: Bench) -> None:
    names = await bench.members().names(["U0ADA", "S0ONDUTY", "C0BILLING", "U0NOBODY"])
    assert [names(id) for id in ("U0ADA", "S0ONDUTY", "C0BILLING", "U0NOBODY", "X")] == [
        "Ada",
        "on-duty",
        "billing",
        "",
        "",
    ]


async def test_a_name_is_a_courtesy(bench: Bench) -> None:
    bench.slack.outage(60)
    names = await bench.members().names(["U0ADA", "S0ONDUTY", "C0BILLING"])
    assert names("U0ADA") == names("S0ONDUTY") == names("C0BILLING") == ""


async def test_who_is_away_is_known(bench: Bench) -> None:
    bench.slack.workspace.people["U0BEN"].presence = "away"
    assert await bench.members().away("U0BEN")
    bench.slack.scopes.clear()
    with pytest.raises(SendError):
        await bench.members().away("U0BEN")


@pytest.mark.parametrize(
    ("user", "name"),
    [
        ({"profile": {"display_name": " ada ", "real_name": "Ada L."}}, "ada"),
        ({"profile": {"display_name": "", "real_name": "Ada L."}}, "Ada L."),
        ({"profile": None, "name": "ada.l"}, "ada.l"),
        ({}, ""),
    ],
)
def test_people_are_called_what_they_chose(user: dict[str, object], name: str) -> None:
    assert called(user) == name

"""Whole conversations on Telegram: updates as they come, through everything, to the calls that go out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from bot.domain.actions import Act
from bot.domain.messages import Event, EventKind, Message, MessageState
from bot.domain.outbox import OutboxRow
from bot.domain.ports import Later, Query, Request
from bot.queues.memory import MemoryPace
from connectors.telegram import Telegram
from tests.fakes.telegram_api import ME, TOKEN, TelegramApi, text_update
from tests.integration.test_telegram_api import Bench
from tests.world import World, until, world

GROUP = {"id": -100500, "type": "supergroup", "title": "Freunde"}
NAME = [{"type": "mention", "offset": 0, "length": 13}]


class Chat:
    """A server with one bot, and Mareike who writes to it."""

    def __init__(self, here: World, bench: Bench) -> None:
        self.here, self.api = here, bench.api
        self.telegram = bench.make(username="nordwind_bot")
        here.connectors[("telegram", "shop")] = self.telegram  # type: ignore[assignment]
        here.channel.capabilities = (
            self.telegram.capabilities
        )  # what agents may do is asked of the world's own
        self.number = 0

    def message(self, text: str, **changes: Any) -> dict[str, Any]:
        self.number += 1
        update = text_update(700, text, self.number)
        update["message"] |= {"date": int(self.here.clock().timestamp()), **changes}
        return update

    def press(self, label: str) -> dict[str, Any]:
        """Of the button with this label, under whichever message shows it."""
        for sent in reversed(self.api.sent):
            for row in (sent.data.get("reply_markup") or {}).get("inline_keyboard", ()):
                for button in row:
                    if button["text"] == label:
                        return self._press(sent.id, button["callback_data"])
        raise AssertionError(f"no button {label}")

    def _press(self, message: int, data: str) -> dict[str, Any]:
        self.number += 1
        chat = {"id": 700, "type": "private", "first_name": "Mareike"}
        shown = {"message_id": message, "from": ME, "chat": chat, "date": 1, "text": "?"}
        pressed = {"id": str(self.number), "from": {"id": 700, "is_bot": False, "first_name": "Mareike"}}
        return {"callback_query": {**pressed, "message": shown, "chat_instance": "1", "data": data}}

    async def tell(self, *updates: dict[str, Any]) -> None:
        for update in updates:
            body = json.dumps(self.api.numbered(update)).encode()
            request = Request(method="POST", path="/", query={}, headers={}, body=body)
            await self.here.receive(*self.telegram.parse(request))
        await self.here.answer()
        await self.here.send()

    @property
    def heard(self) -> list[str]:
        return self.api.said_to(700)


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[Chat]:
    async with (
        TelegramApi().serving() as api,
        aiohttp.ClientSession() as http,
        world(tmp_path) as here,
    ):
        yield Chat(here, Bench(api, http, tmp_path))


# ── Presses and messages, in any order ──────────────────────────────────────────────────────────


async def test_a_press_answers_its_question_and_is_acknowledged(chat: Chat) -> None:
    await chat.tell(chat.message("Hmm"))
    press = chat.press("A person")
    await chat.tell(press)
    assert (await chat.here.case()).handoff is not None

    async def acknowledged() -> bool:
        return chat.api.acknowledged == [press["callback_query"]["id"]]

    await until(acknowledged)


async def test_a_press_that_overtakes_a_message_leaves_both_answered(chat: Chat) -> None:
    await chat.tell(chat.message("Hmm"))
    before = len(chat.heard)
    written, pressed = chat.message("Can I return it?"), chat.press("A person")
    await chat.tell(pressed, written)
    assert (await chat.here.case()).handoff is not None
    assert len(chat.heard) > before
    assert [line.text for line in await chat.here.transcript() if line.external_id == "700/2"] == [
        "Can I return it?"
    ]


async def test_a_press_that_follows_late_is_told_so(chat: Chat) -> None:
    await chat.tell(chat.message("Hmm"))
    pressed = chat.press("Neither")
    await chat.tell(chat.message("Can I return it?"))
    await chat.tell(pressed)
    assert chat.heard[-2:] == ["About returns.", "That question is closed."]


async def test_the_same_press_twice_is_one(chat: Chat) -> None:
    await chat.tell(chat.message("Hmm"))
    press = chat.press("A person")
    await chat.tell(press, press)
    assert (
        len(await chat.here.store.find(Query(kind=Event, equals={"lane": (await chat.here.case()).customer})))
        == 2
    )


# ── Albums, quotes, files ───────────────────────────────────────────────────────────────────────


def photo(name: str) -> list[dict[str, Any]]:
    return [{"file_id": name, "file_unique_id": f"u{name}", "file_size": 9, "width": 9, "height": 9}]


async def test_an_album_of_one_picture_is_one_message(chat: Chat) -> None:
    chat.here.answering._patience = timedelta(seconds=1.5)
    update = chat.message("", photo=photo("p1"), media_group_id="g", caption="When are you open?")
    del update["message"]["text"]
    await chat.tell(update)
    (event,) = await chat.here.events("pending")
    assert isinstance(await chat.here.answering.work(event.lane), Later)
    chat.here.clock.forward(seconds=2)
    await chat.here.answer()
    await chat.here.send()
    assert chat.heard == ["About hours."]
    assert len((await chat.here.transcript())[0].attachments) == 1


async def test_an_agent_sees_what_the_customer_answers(chat: Chat) -> None:
    await chat.tell(chat.message("When are you open?"))
    ours = {
        "message_id": 101,
        "from": ME,
        "chat": {"id": 700, "type": "private"},
        "date": 1,
        "text": "About hours.",
    }
    await chat.tell(chat.message("Also on Sunday?", reply_to_message=ours))
    assert (await chat.here.transcript())[2].quote == "About hours."


async def test_nothing_that_is_kept_holds_the_token_or_an_address_of_a_file(chat: Chat) -> None:
    chat.api.files["p1"] = b"a picture"
    update = chat.message("", photo=photo("p1"))
    del update["message"]["text"]
    await chat.tell(update)
    await chat.here.fetch()
    (picture,) = (await chat.here.transcript())[0].attachments
    assert await chat.here.files.get(picture.file) == b"a picture"
    for kind in (Event, Message, OutboxRow):
        records = msgspec.json.encode(await chat.here.store.find(Query(kind=kind))).decode()
        assert TOKEN not in records
        assert chat.api.url not in records


# ── Our own brakes ──────────────────────────────────────────────────────────────────────────────


async def sent_at(telegram: Telegram, *chats: str) -> list[float]:
    """When each message to these chats would go out, as fast as the account's limits allow."""
    now, out = 0.0, []
    pace = MemoryPace(lambda: now)
    for chat in chats:
        now += await pace.reserve(telegram.rates(chat))
        out.append(now)
    return out


def most_within(seconds: float, times: list[float]) -> int:
    return max(sum(at <= other < at + seconds for other in times) for at in times)


async def test_a_group_never_gets_more_than_20_messages_in_a_minute(chat: Chat) -> None:
    times = await sent_at(chat.telegram, *["-100500"] * 70)
    assert most_within(60, times) <= 20
    assert times[-1] < 60 * 70 / 15  # and not much less either


async def test_a_chat_gets_one_message_a_second_and_the_bot_sends_thirty(chat: Chat) -> None:
    assert await sent_at(chat.telegram, "700", "700", "700") == [0, 1, 2]
    times = await sent_at(chat.telegram, *(str(number) for number in range(700, 800)))
    assert most_within(1, times) in {30, 31}  # what falls on both ends of a second


# ── Groups ──────────────────────────────────────────────────────────────────────────────────────


async def test_in_a_group_the_answer_quotes_the_question_and_an_edit_without_our_name_counts(
    chat: Chat,
) -> None:
    asked = chat.message("@nordwind_bot When are you open?", chat=GROUP, entities=NAME)
    await chat.tell(asked)
    (sent,) = chat.api.sent
    assert (sent.chat, sent.data["reply_parameters"]["message_id"]) == ("-100500", 1)
    edited = {**asked["message"], "text": "Never mind", "edit_date": asked["message"]["date"] + 5}
    del edited["entities"]
    await chat.tell({"edited_message": edited})
    assert (await chat.here.transcript())[0].text == "Never mind"


async def test_what_others_write_in_a_group_is_not_kept_when_they_edit_it(chat: Chat) -> None:
    chatter = chat.message("See you on Friday", chat=GROUP)
    await chat.tell(
        chatter, {"edited_message": {**chatter["message"], "text": "On Saturday", "edit_date": 2}}
    )
    events = await chat.here.store.find(Query(kind=Event))
    assert {event.inbound.kind for event in events} == {EventKind.UNKNOWN}
    assert not any(word in msgspec.json.encode(events).decode() for word in ("Friday", "Saturday", "700"))


async def test_a_change_of_what_was_said_before_a_group_moved_is_refused_at_once(chat: Chat) -> None:
    await chat.tell(chat.message("@nordwind_bot A person please", chat=GROUP, entities=NAME))
    await chat.here.act(Act.CLAIM)
    await chat.here.act(Act.REPLY, text="Here I am")
    await chat.here.send()
    reply = (await chat.here.transcript())[-1]
    await chat.tell(
        {"message": {**chat.message("")["message"], "chat": GROUP, "migrate_to_chat_id": -100777}}
    )
    chat.api.moved["-100500"] = -100777
    row = next(row for row in await chat.here.rows() if row.message == reply.id)
    await chat.here.act(Act.EDIT, message=reply.id, text="Here I am!")
    await chat.here.send()
    line = next(line for line in await chat.here.transcript() if line.id == reply.id)
    edits = [method for method, _ in chat.api.calls if method.startswith("edit")]
    assert (line.state, len(edits), row.receipts) == (MessageState.FAILED, 1, ("-100500/102",))
    assert "stayed behind" in line.reason
    await chat.here.act(Act.REPLY, text="Once more: here I am")
    await chat.here.send()
    assert chat.api.said_to(-100777) == ["Once more: here I am"]

"""What every desk must do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from bot.domain.desks import Card, Left, Story, ThreadPost
from bot.domain.messages import Author, AuthorKind, Direction, Message, MessageState
from bot.domain.outbox import Posting
from bot.domain.ports import Desk, Finds, Payload
from tests.builders import HERE, NOON, case

SECRET = "my card number is 4111"
HOSTILE = {
    "10,000 characters": "lang " * 2000,
    "one word of 10,000 characters": "x" * 10_000,
    "200 lines of emoji": "👩‍👩‍👧‍👦🏳️‍🌈\n" * 200,
    "HTML": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "mentions": "<!channel> <!here> <!everyone> <@U012AB3CD> <!subteam^S1> @channel",
    "a link that lies": "<https://evil.example|https://bank.example>",
    "markup": "*bold* _it_ `code` ```block``` >quote ~gone~ &lt;b&gt; &amp;",
    "right to left": "\u202eevil\u202c \u2066x\u2069",
    "control characters": "a\0b\x07c\x1b[31m",
    "half a character": "\ud83d",
    "nothing": "",
}
LIVE = (
    "<!channel",
    "<!here",
    "<!everyone",
    "<!subteam",
    "<@U012AB3CD",
    "<script",
    "<img",
    "|https://bank.example>",
)


def message(text: str = "Hello", direction: Direction = Direction.IN, **changes: Any) -> Message:
    known: dict[str, Any] = {
        "id": "m1",
        "case": "case1",
        "customer": "c1",
        "author": Author(kind=AuthorKind.CUSTOMER, id="c1"),
        "text": text,
        "address": HERE,
        "at": NOON,
    }
    return Message(direction=direction, **{**known, **changes})


def card(text: str = "Hello", receipt: str = "") -> Card:
    reply = message(text, Direction.OUT, id="m2", state=MessageState.FAILED, reason=text)
    return Card(
        case=case(slots={"order_number": text[:200]}, outcome=text[:200]),
        transcript=(message(text), reply),
        previous=(case(id="case0", number=1000),),
        receipt=receipt,
    )


def post(text: str = "Hello", under: str = "C1:1.1") -> ThreadPost:
    return ThreadPost(case=case(), message=message(text), card_receipt=under)


def story(text: str = "Hello", under: str = "C1:1.1") -> Story:
    return Story(case=case(), transcript=card(text).transcript, card_receipt=under)


def left(text: str = "Hello", under: str = "C1:1.1") -> Left:
    return Left(case=case(), receipt=under, card_receipt=under)


UNDER = (post, story)  # a card
EVERY = (card, *UNDER, left)


class DeskContract:
    """Inherit, and give a desk that posts to a stand-in; `longest` is what one text of a payload may hold."""

    longest = 3000

    @pytest.fixture
    def desk(self) -> Desk:
        raise NotImplementedError

    def test_it_has_a_name_and_says_whether_it_keeps_copies(self, desk: Desk) -> None:
        assert desk.name
        assert isinstance(desk.copies, bool)

    @pytest.mark.parametrize("make", EVERY)
    def test_rendering_is_pure(self, desk: Desk, make: Any) -> None:
        one, two = make("Hello"), make("Hello")
        assert desk.render(one) == desk.render(one) == desk.render(two)
        assert one == two

    @pytest.mark.parametrize("make", EVERY)
    def test_payloads_are_data(self, desk: Desk, make: Any) -> None:
        payloads = desk.render(make("Hello"))
        assert payloads
        for payload in payloads:
            assert msgspec.json.decode(msgspec.json.encode(payload)) == payload

    def test_a_case_is_one_card(self, desk: Desk) -> None:
        assert len(desk.render(card("lang " * 2000))) == 1

    @pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
    @pytest.mark.parametrize("make", EVERY)
    def test_what_customers_write_stays_text_within_the_limits(
        self, desk: Desk, make: Any, text: str
    ) -> None:
        for payload in desk.render(make(text)):
            msgspec.json.encode(payload)
            for found in texts(payload):
                assert len(found) <= self.longest
                assert not any(live in found for live in LIVE)

    async def standing(self, desk: Desk) -> str:
        """The receipt of a card that was posted."""
        (payload,) = desk.render(card("A card"))
        return (await desk.send(payload)).external_id

    async def test_sending_gives_a_receipt(self, desk: Desk) -> None:
        assert await self.standing(desk)

    @pytest.mark.parametrize("make", [*UNDER, left])
    async def test_what_belongs_to_a_card_gives_receipts_too(self, desk: Desk, make: Any) -> None:
        for payload in desk.render(make("Hello", await self.standing(desk))):
            assert (await desk.send(payload)).external_id

    async def test_an_updated_card_keeps_its_receipt(self, desk: Desk) -> None:
        (new,) = desk.render(card("Hello"))
        posted = await desk.send(new)
        (changed,) = desk.render(card("Hello again", receipt=posted.external_id))
        assert (await desk.send(changed)).external_id == posted.external_id

    @pytest.mark.parametrize("make", UNDER)
    async def test_a_line_in_doubt_is_found_or_harmless_to_send_again(self, desk: Desk, make: Any) -> None:
        await self.doubted(desk, *desk.render(make("Hello", await self.standing(desk))))

    async def test_a_card_in_doubt_is_found_or_harmless_to_send_again(self, desk: Desk) -> None:
        await self.doubted(desk, *desk.render(card("Hello")))

    async def doubted(self, desk: Desk, payload: Payload, *_: Payload) -> None:
        first = await desk.send(payload)
        again = await desk.find(payload) if isinstance(desk, Finds) else await desk.send(payload)
        assert again is not None
        assert again.external_id == first.external_id

    def test_rates_are_rates(self, desk: Desk) -> None:
        rates = [rate for posting in Posting for rate in desk.rates(case(), posting)]
        assert all(rate.key and rate.per_second > 0 and rate.burst >= 1 for rate in rates)

    async def test_no_repr_shows_what_was_written(self, desk: Desk) -> None:
        payload, *_ = desk.render(card(SECRET))
        receipt = await desk.send(payload)
        for shown in (desk, receipt, card(SECRET), post(SECRET), story(SECRET), left(SECRET)):
            assert SECRET not in repr(shown)


def texts(value: Payload | Any) -> Iterator[str]:
    """Every text of a payload, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from texts(part)

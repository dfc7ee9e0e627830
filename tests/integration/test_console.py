"""The console as agents use it, without a script: lists, one case, and what can be done with it."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import ClientTimeout

from bot.domain.accounts import User
from bot.domain.actions import Act, Label
from bot.domain.cases import CaseState, Handoff, Reason
from bot.domain.journal import Did
from bot.domain.messages import (
    SYSTEM,
    Attachment,
    AttachmentKind,
    Author,
    AuthorKind,
    Direction,
    MessageState,
    topic,
)
from bot.domain.ports import Changes, Delete, Query
from bot.domain.understanding import Level, Sentiment, Urgency
from bot.web.console import listing
from tests.builders import HERE, NOON, inbound
from tests.console import ADA, BEN, Desk, Viewer, desk

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)> \"'><b>\u202e</textarea>"
PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00\x90wS\xde"
    b"\x00\x00\x00\x0cIDATx\x9cc\xf8\xcf\xc0\x00\x00\x03\x01\x01\x00\xc9\xfe\x92\xef\x00\x00\x00\x00IEND\xaeB`\x82"
)
JSON = "application/json"


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as made:
        yield made


@pytest.fixture
async def ada(console: Desk) -> Viewer:
    return await console.viewer("Ada")


@pytest.fixture
async def ben(console: Desk) -> Viewer:
    return await console.viewer("Ben")


# ── The list ────────────────────────────────────────────────────────────────────────────────────


async def test_who_waits_is_listed_by_urgency_and_then_by_time(console: Desk, ada: Viewer) -> None:
    new = await console.waiting(minutes=1)
    old = await console.waiting(minutes=90)
    critical = await console.waiting(minutes=2, level="critical")
    low = await console.waiting(minutes=300, level="low")
    assert (await ada.get("/console")).cases == [critical.id, old.id, new.id, low.id]


async def test_a_row_says_what_an_agent_has_to_know(console: Desk, ada: Viewer) -> None:
    case = await console.waiting(
        "My parcel is lost!", minutes=42, level="high", intent="parcel", pseudonym="7F3A"
    )
    await console.message(case, "I get you somebody.", direction=Direction.OUT)
    words = (await ada.get("/console")).words
    row = f"My parcel is lost! #{case.number} · Customer 7F3A · Test parcel? High 42 min Service –"
    assert row in words


async def test_tabs_hold_their_cases_and_count_them(console: Desk, ada: Viewer) -> None:
    made = {
        "waiting": await console.waiting(),
        "bot": await console.case(),
        "claimed": await console.case(state=CaseState.CLAIMED, owner=BEN),
        "snoozed": await console.case(state=CaseState.SNOOZED, owner=ADA, due_at=NOON, snoozed_until=NOON),
        "resolved": await console.case(state=CaseState.RESOLVED, resolved_at=NOON),
    }
    for tab, case in made.items():
        page = await ada.get(f"/console?tab={tab}")
        assert page.cases == [case.id]
        assert "Waiting 1 Mine 1 Claimed 1 Bot 1 Snoozed 1 Resolved 1 All 5" in page.words
    assert (await ada.get("/console?tab=mine")).cases == [made["snoozed"].id]
    assert len((await ada.get("/console?tab=all")).cases) == 5


async def test_ones_own_list_starts_with_the_customers_who_wait(console: Desk, ada: Viewer) -> None:
    answered = await console.case(state=CaseState.CLAIMED, owner=ADA, urgency=Urgency(level=Level.HIGH))
    waits = await console.case(state=CaseState.CLAIMED, owner=ADA, waiting_since=NOON)
    assert (await ada.get("/console?tab=mine")).cases == [waits.id, answered.id]


async def test_the_filter_shows_one_department(console: Desk, ada: Viewer) -> None:
    press = await console.waiting(department="press")
    await console.waiting()
    page = await ada.get("/console?department=press")
    assert page.cases == [press.id]
    assert "Waiting 1" in page.words


async def test_a_department_nobody_knows_filters_nothing(console: Desk, ada: Viewer) -> None:
    case = await console.waiting()
    assert (await ada.get("/console?department=<b>")).cases == [case.id]


@pytest.mark.parametrize("typed", ["{}", "%23{}", " {} "])
async def test_a_number_leads_to_its_case(console: Desk, ada: Viewer, typed: str) -> None:
    case = await console.waiting()
    assert (await ada.get(f"/console?q={typed.format(case.number)}")).path == f"/console/cases/{case.id}"


@pytest.mark.parametrize("typed", ["99999", "7F3A", "<b>", "9" * 30, "١٢", "-1"])
async def test_a_search_that_finds_nothing_says_what_it_takes(console: Desk, ada: Viewer, typed: str) -> None:
    page = await ada.get(f"/console?q={typed}")
    assert page.status == 200
    assert "There is no case" in page.words
    assert "The search takes a case number" in page.words


@pytest.mark.parametrize(
    ("tab", "sentence"), [("waiting", "Nobody is waiting."), ("mine", "choose “Claim”"), ("all", "demo page")]
)
async def test_an_empty_list_says_what_to_do(console: Desk, ada: Viewer, tab: str, sentence: str) -> None:
    assert sentence in (await ada.get(f"/console?tab={tab}")).words


async def test_a_tab_nobody_knows_is_the_first_one(console: Desk, ada: Viewer) -> None:
    assert "Nobody is waiting." in (await ada.get("/console?tab=secrets&after=~~~")).words


async def pages(viewer: Viewer, tab: str) -> list[list[str]]:
    """All pages of a tab, by following the link."""
    found, path = [], f"/console?tab={tab}"
    while path:
        page = await viewer.get(path)
        found.append(page.cases)
        link = re.search(r'href="([^"]+)" rel="next"', page.html)
        path = html.unescape(link[1]) if link else ""
        assert len(found) < 10
    return found


@pytest.mark.parametrize("tab", ["waiting", "bot", "snoozed", "all"])
async def test_pages_hold_every_case_once_even_at_the_same_time(
    console: Desk, ada: Viewer, monkeypatch: pytest.MonkeyPatch, tab: str
) -> None:
    monkeypatch.setattr(listing, "PAGE", 3)
    states = {"waiting": CaseState.WAITING, "snoozed": CaseState.SNOOZED}
    made = {(await console.case(state=states.get(tab, CaseState.BOT), due_at=NOON)).id for _ in range(8)}
    found = await pages(ada, tab)
    assert [len(page) for page in found] == [3, 3, 2]
    assert {id for page in found for id in page} == made


@pytest.mark.parametrize("after", ["x", "~", "2026-01-01~y", "é~é", "9999999999999999~1"])
async def test_a_broken_link_to_a_page_starts_at_the_beginning(
    console: Desk, ada: Viewer, after: str
) -> None:
    case = await console.case()
    assert (await ada.get(f"/console?tab=all&after={after}")).cases == [case.id]


async def test_hostile_words_stay_words(console: Desk, ada: Viewer) -> None:
    case = await console.waiting(HOSTILE, intent=HOSTILE, slots={HOSTILE: HOSTILE}, outcome=HOSTILE)
    await console.message(
        case, HOSTILE, direction=Direction.NOTE, author=Author(kind=AuthorKind.AGENT, name=HOSTILE)
    )
    await console.sent(case, HOSTILE, MessageState.FAILED, reason=HOSTILE)
    for path in ("/console", f"/console/cases/{case.id}"):
        page = await ada.get(path)
        assert "alert(1)" in page.html
        assert "<script>alert" not in page.html
        assert "<img src=x" not in page.html


async def test_a_message_without_words_is_named(console: Desk, ada: Viewer) -> None:
    case = await console.waiting("")
    assert "No message yet" in (await ada.get("/console")).words
    await console.message(case, "", attachments=(Attachment(kind=AttachmentKind.VOICE),))
    assert "Voice message" in (await ada.get("/console")).words


# ── One case ────────────────────────────────────────────────────────────────────────────────────


async def test_what_a_message_answers_and_that_it_was_passed_on_is_shown(console: Desk, ada: Viewer) -> None:
    case = await console.waiting("")
    await console.message(case, "This one?", quote="<b>Seven</b> euros", forwarded=True)
    page = await ada.get(f"/console/cases/{case.id}")
    assert "Forwarded In reply to: <b>Seven</b> euros This one?" in page.words
    assert "<b>Seven" not in page.html


async def test_a_case_tells_its_story_in_order(console: Desk, ada: Viewer) -> None:
    await console.here.hear(inbound("A person please"))
    case = await console.here.case()
    await ada.act(case.id, "claim")
    await ada.act(case.id, "note", text="Looks honest.")
    words = (await ada.act(case.id, "reply", text="Here I am.")).words
    story = ["A person please", "Handed to a person: Asked for a person"]
    story += ["A colleague of Service answers", "Ada claimed the case", "Looks honest.", "Here I am."]
    places = [words.index(part) for part in story]
    assert places == sorted(places)


async def test_the_context_says_why_how_urgent_and_what_is_known(console: Desk, ada: Viewer) -> None:
    handoff = Handoff(reason=Reason.REPEATED, detail="parcel", at=NOON, promised=NOON + timedelta(minutes=30))
    old = await console.case(
        customer="same", state=CaseState.RESOLVED, outcome="solved", intent="returns", resolved_at=NOON
    )
    case = await console.waiting(
        customer="same",
        handoff=handoff,
        urgency=Urgency(level=Level.HIGH, reasons=("waits for days",)),
        sentiment=Sentiment(label="negative", score=-0.8),
        intent="parcel",
        confidence=0.72,
        slots={"order_number": "4711"},
        owners=("Ada", "Ben"),
        language="de",
    )
    words = (await ada.get(f"/console/cases/{case.id}")).words
    for part in (
        "The same question came again parcel?",
        "Promised to the customer 13:30",
        "High waits for days",
        "parcel? 72% sure",
        "Order number 4711",
        "nobody Before: Ada, Ben",
        "Mood upset",
        "Language German",
        "Pseudonymous: no profile, no links",
        f"#{old.number} returns? Resolved: Solved",
    ):
        assert part in words, part


@pytest.mark.parametrize(
    ("state", "sentence", "buttons"),
    [
        (MessageState.FAILED, "Not delivered: The chat is gone.", ["retry"]),
        (MessageState.IN_DOUBT, "May have arrived", ["retry", "arrived"]),
        (MessageState.DEFERRED, "Will be tried again by itself", []),
        (MessageState.CANCELLED, "Cancelled, not sent", []),
        (MessageState.READ, "Read", []),
    ],
)
async def test_the_state_of_a_message_is_told_in_words(
    console: Desk, ada: Viewer, state: MessageState, sentence: str, buttons: list[str]
) -> None:
    case = await console.waiting()
    await console.sent(
        case, "An answer", state, reason="The chat is gone." if state is MessageState.FAILED else ""
    )
    page = await ada.get(f"/console/cases/{case.id}")
    assert sentence in page.words
    assert [act for act in ("retry", "arrived") if f'data-act="{act}"' in page.html] == buttons


async def test_what_a_customer_took_back_is_not_shown(console: Desk, ada: Viewer) -> None:
    case = await console.waiting("")
    gone = await console.message(case, "my secret", deleted_at=NOON)
    page = await ada.get(f"/console/cases/{case.id}")
    assert "Deleted by the customer" in page.words
    assert "my secret" not in page.html
    assert (await ada.get(f"/console/cases/{case.id}/texts/{gone.id}")).status == 404


async def test_a_very_long_text_is_cut_and_can_be_read_whole(console: Desk, ada: Viewer) -> None:
    case = await console.waiting("")
    long = await console.message(case, "<b>" + "x" * 1_000_000)
    page = await ada.get(f"/console/cases/{case.id}")
    assert len(page.html) < 60_000
    assert "Show the whole text (1,000,003 characters)" in page.words
    whole = await ada.get(f"/console/cases/{case.id}/texts/{long.id}")
    assert whole.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert len(whole.html) == 1_000_003


async def test_a_long_story_starts_at_its_end(console: Desk, ada: Viewer) -> None:
    case = await console.waiting("the first words")
    for number in range(200):
        await console.message(case, f"message {number}")
    page = await ada.get(f"/console/cases/{case.id}")
    assert "Show 51 earlier entries" in page.words
    assert "the first words" not in page.part("timeline")
    assert "the first words" in (await ada.get(f"/console/cases/{case.id}?all=1")).words


async def test_a_timers_note_is_told_in_the_viewers_language(console: Desk) -> None:
    case = await console.waiting(minutes=60)
    await console.message(case, "No reply in time (English).", direction=Direction.NOTE, author=SYSTEM)
    await console.fact(case, Did.RELEASED, "system", why="lease")
    words = (await (await console.viewer("Ada", language="de")).get(f"/console/cases/{case.id}")).words
    assert "Keine Antwort in der vorgesehenen Zeit." in words
    assert "(English)" not in words


async def test_a_note_of_the_servers_is_said_in_the_viewers_language(console: Desk) -> None:
    case = await console.waiting(minutes=60)
    await console.message(case, "#7 is awake again.", direction=Direction.NOTE, author=SYSTEM)
    for language, words in (("de", "#7 ist wieder da."), ("en", "#7 is awake again.")):
        viewer = await console.viewer("Ada", language=language)
        assert words in (await viewer.get(f"/console/cases/{case.id}")).words


# ── Doing things ────────────────────────────────────────────────────────────────────────────────


async def test_claiming_comes_back_to_the_case(console: Desk, ada: Viewer) -> None:
    case = await console.waiting()
    page = await ada.act(case.id, "claim", follow=False)
    assert (page.status, page.headers["Location"]) == (303, f"/console/cases/{case.id}#latest")
    after = await console.now(case)
    assert (after.state, after.owner) == (CaseState.CLAIMED, ADA)


async def test_fifty_clicks_at_once_have_one_winner(console: Desk, ada: Viewer, ben: Viewer) -> None:
    case = await console.waiting()
    tokens = {viewer: await viewer.csrf() for viewer in (ada, ben)}
    clicks = [viewer.act(case.id, "claim", accept=JSON, csrf=tokens[viewer]) for viewer in (ada, ben) * 25]
    answers = await asyncio.gather(*clicks)
    owner = (await console.now(case)).owner_id
    assert sorted({page.status for page in answers}) == [200, 409]
    refused = {page.html for page in answers if page.status == 409}
    assert refused == {f'{{"error":{{"code":"409","message":"{owner} has this case.","offers_note":false}}}}'}


async def test_the_same_form_twice_is_one_action(console: Desk, ada: Viewer) -> None:
    case = await console.waiting()
    await ada.act(case.id, "claim")
    for _ in range(2):
        await ada.act(case.id, "reply", id="the-same-form", text="Hello!")
    await ada.act(case.id, "reply", id="the-same-form", text="Hello, changed!")
    assert await console.lines(case, Direction.OUT) == ["Hello!", "Hello, changed!"]


async def test_another_agent_cannot_use_up_an_id(console: Desk, ada: Viewer, ben: Viewer) -> None:
    case = await console.waiting()
    await ben.act(case.id, "note", id="the-same-form", text="a note")
    await ada.act(case.id, "note", id="the-same-form", text="a note")
    assert await console.lines(case, Direction.NOTE) == ["a note", "a note"]


async def test_who_has_not_claimed_is_told_so_and_keeps_the_text(console: Desk, ada: Viewer) -> None:
    case = await console.waiting()
    page = await ada.act(case.id, "reply", text="My answer </textarea>")
    assert page.status == 403
    assert "Only the person who has claimed a case speaks with the customer." in page.problem
    assert page.draft == "My answer </textarea>"
    assert "Claim and send" in page.words
    assert not await console.lines(case, Direction.OUT)


async def test_claim_and_send_does_both(console: Desk, ada: Viewer) -> None:
    case = await console.waiting()
    await ada.act(case.id, "reply", text="Here I am.", claim="1")
    assert (await console.now(case)).owner == ADA
    assert await console.lines(case, Direction.OUT) == ["Here I am."]


async def test_a_reply_that_came_too_late_can_become_a_note(console: Desk, ada: Viewer, ben: Viewer) -> None:
    case = await console.waiting()
    await ben.act(case.id, "claim")
    page = await ada.act(case.id, "reply", text="Mine!", claim="1")
    assert page.status == 409
    assert page.problem == "Ben has claimed this case. Your text is kept: add it as a note?"
    assert page.draft == "Mine!"
    assert 'id="rescue" >' in page.html
    await ada.act(case.id, "reply", text="Mine!", rescue="note")
    assert await console.lines(case, Direction.NOTE) == ["Mine!"]
    assert not await console.lines(case, Direction.OUT)


async def test_refusals_are_sentences_for_the_script_too(console: Desk, ada: Viewer, ben: Viewer) -> None:
    case = await console.waiting()
    await ben.act(case.id, "claim")
    page = await ada.act(case.id, "reply", text="Mine!", accept=JSON)
    error = msgspec.json.decode(page.html)["error"]
    assert page.status == 403
    assert error["offers_note"]
    assert error["message"].startswith("Ben has claimed this case.")


async def test_whoever_takes_over_has_the_case(console: Desk, ada: Viewer, ben: Viewer) -> None:
    case = await console.waiting()
    await ben.act(case.id, "claim")
    page = await ada.get(f"/console/cases/{case.id}")
    assert "Take over from Ben" in page.words
    await ada.act(case.id, "assign", to="Ada")
    after = await console.now(case)
    assert (after.owner, after.owners) == (ADA, ("Ben", "Ada"))


@pytest.mark.parametrize("text", ["", "  \n "])
@pytest.mark.parametrize("action", ["reply", "note"])
async def test_an_empty_text_goes_nowhere(console: Desk, ada: Viewer, action: str, text: str) -> None:
    case = await console.waiting()
    page = await ada.act(case.id, action, text=text, claim="1")
    assert page.status == 400
    assert page.problem == "There is no text yet."
    assert (await console.now(case)).owner is None


async def test_a_closed_case_takes_notes_only(console: Desk, ada: Viewer) -> None:
    case = await console.case(state=CaseState.RESOLVED, resolved_at=NOON)
    page = await ada.act(case.id, "reply", text="One more thing", claim="1")
    assert page.problem == f"Case #{case.number} is closed. It goes on when the customer writes again."
    await ada.act(case.id, "note", text="for the record")
    assert await console.lines(case, Direction.NOTE) == ["for the record"]


@pytest.mark.parametrize(
    ("fields", "until"),
    [
        ({"preset": "hour"}, NOON + timedelta(hours=1)),
        ({"preset": "tomorrow"}, datetime(2026, 11, 24, 8, 0, tzinfo=UTC)),  # nine in Berlin
        ({"until": "2026-11-25T10:30"}, datetime(2026, 11, 25, 9, 30, tzinfo=UTC)),
        (
            {"until": "2026-11-25T10:30", "until_exact": "2026-11-25T10:30:00.000Z"},
            datetime(2026, 11, 25, 10, 30, tzinfo=UTC),
        ),
    ],
)
async def test_a_case_can_be_snoozed(
    console: Desk, ada: Viewer, fields: dict[str, Any], until: datetime
) -> None:
    case = await console.waiting()
    await ada.act(case.id, "claim")
    page = await ada.act(case.id, "snooze", **fields)
    after = await console.now(case)
    assert (after.state, after.snoozed_until) == (CaseState.SNOOZED, until), page.problem


@pytest.mark.parametrize(
    "until", ["", "yesterday", "2026-11-22T10:00", "2099-01-01T00:00", "2026-13-45T99:99"]
)
async def test_a_time_that_makes_no_sense_is_refused(console: Desk, ada: Viewer, until: str) -> None:
    case = await console.waiting()
    await ada.act(case.id, "claim")
    page = await ada.act(case.id, "snooze", until=until)
    assert page.status == 400
    assert "Please choose a later one." in page.problem


async def test_a_case_is_released_moved_returned_and_resolved(console: Desk, ada: Viewer) -> None:
    case = await console.waiting()
    await ada.act(case.id, "claim")
    await ada.act(case.id, "move", department="press")
    moved = await console.now(case)
    assert (moved.department, moved.state) == ("press", CaseState.WAITING)
    await ada.act(case.id, "claim")
    await ada.act(case.id, "release")
    assert (await console.now(case)).state is CaseState.WAITING
    await ada.act(case.id, "return_to_bot")
    assert (await console.now(case)).state is CaseState.BOT
    page = await ada.act(case.id, "resolve", outcome="not_needed")
    assert (await console.now(case)).outcome == "not_needed"
    assert "Resolved: No answer needed" in page.words


async def test_a_correction_of_the_subject_becomes_a_label(console: Desk, ada: Viewer) -> None:
    case = await console.waiting(intent="parcel")
    await ada.act(case.id, "relabel", intent="returns")
    await ada.act(case.id, "set_urgency", level="high")
    labels = await console.here.store.find(Query(kind=Label, order="at"))
    assert {(label.intent, label.urgency, label.author) for label in labels} == {
        ("returns", "", "Ada"),
        ("", "high", "Ada"),
    }
    after = await console.now(case)
    assert (after.intent, after.urgency.level) == ("returns", Level.HIGH)


@pytest.mark.parametrize(
    ("action", "fields", "sentence"),
    [
        ("assign", {"to": "Nobody"}, "There is no such user."),
        ("assign", {"to": ""}, "There is no such user."),
        ("move", {"department": "<b>"}, "There is no such department."),
        ("relabel", {"intent": "made_up"}, "There is no such subject."),
        ("set_urgency", {"level": "panic"}, "There is no such urgency."),
    ],
)
async def test_what_does_not_exist_cannot_be_chosen(
    console: Desk, ada: Viewer, action: str, fields: dict[str, Any], sentence: str
) -> None:
    case = await console.waiting()
    page = await ada.act(case.id, action, **fields)
    assert (page.status, page.problem) == (400, sentence)


@pytest.mark.parametrize(
    "fields", [{"action": "explode"}, {"action": "claim", "id": ""}, {"action": "claim", "id": "a b"}]
)
async def test_what_no_page_of_ours_sends_is_malformed(
    console: Desk, ada: Viewer, fields: dict[str, str]
) -> None:
    case = await console.waiting()
    page = await ada.post(f"/console/cases/{case.id}/actions", {"csrf": await ada.csrf(), **fields})
    assert page.status == 400
    assert (await console.now(case)).owner is None


@pytest.mark.parametrize(
    ("language", "words"), [("en", "The customer's reaction: 👍"), ("de", "Reaktion des Kunden: 👍")]
)
async def test_a_reaction_stands_under_its_message(console: Desk, language: str, words: str) -> None:
    case = await console.waiting()
    await console.sent(case, "An answer", MessageState.SENT, reaction="👍")
    page = await (await console.viewer("Ada", language=language)).get(f"/console/cases/{case.id}")
    assert page.words.count(words) == 1


async def test_a_failed_message_is_really_sent_again(console: Desk, ada: Viewer) -> None:
    case = await console.waiting()
    failed = await console.sent(case, "An answer", MessageState.FAILED)
    await ada.act(case.id, "retry", message=failed.id)
    await console.here.send()
    assert console.here.channel.texts == ["An answer"]


async def test_a_message_in_doubt_can_be_confirmed(console: Desk, ada: Viewer) -> None:
    case = await console.waiting()
    doubted = await console.sent(case, "An answer", MessageState.IN_DOUBT)
    page = await ada.act(case.id, "arrived", message=doubted.id)
    assert "May have arrived" not in page.words
    assert console.here.channel.texts == []


@pytest.mark.parametrize("action", [Act.CLAIM, Act.REPLY, Act.NOTE])
async def test_a_case_that_is_not_there_is_not_found(console: Desk, ada: Viewer, action: Act) -> None:
    assert (await ada.act("unknown", action, text="x")).status == 404


# ── Files ───────────────────────────────────────────────────────────────────────────────────────


async def with_file(
    console: Desk, content: bytes, name: str, kind: AttachmentKind = AttachmentKind.IMAGE
) -> tuple[Any, str]:
    case = await console.waiting("")
    key = await console.context.files.put(content)
    attachment = Attachment(kind=kind, name=name, mime="text/html", size=len(content), file=key)
    message = await console.message(case, "Look", attachments=(attachment,))
    return case, f"/console/files/{key}?message={message.id}"


async def test_a_picture_is_shown_and_can_do_nothing(console: Desk, ada: Viewer) -> None:
    case, path = await with_file(console, PNG, "bowl.png")
    assert f'<img src="{path}"' in (await ada.get(f"/console/cases/{case.id}")).html
    page = await ada.get(path)
    assert page.headers["Content-Type"] == "image/png"
    assert page.headers["Content-Disposition"].startswith("inline")
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"<script>alert(1)</script>", "page.html"),
        (b"<svg onload=alert(1)>", "x.svg"),
        (b"%PDF-1.4\n1 0 obj\n%%EOF", "a.pdf"),
    ],
)
async def test_anything_but_a_picture_is_only_ever_saved(
    console: Desk, ada: Viewer, content: bytes, name: str
) -> None:
    _, path = await with_file(console, content, name)
    page = await ada.get(path)
    assert page.headers["Content-Type"] in {"application/octet-stream", "application/pdf"}
    assert page.headers["Content-Disposition"].startswith("attachment")


async def test_a_name_cannot_break_a_header(console: Desk, ada: Viewer) -> None:
    _, path = await with_file(console, PNG, 'a"\r\nSet-Cookie: x=y.png')
    page = await ada.get(path)
    assert page.status == 200
    assert "Set-Cookie" not in page.headers


async def test_a_file_is_found_only_with_its_message(console: Desk, ada: Viewer) -> None:
    _, path = await with_file(console, PNG, "bowl.png")
    other = await console.message(await console.waiting(), "no file here")
    file = path.partition("?")[0]
    for wrong in (file, f"{file}?message=unknown", f"{file}?message={other.id}"):
        assert (await ada.get(wrong)).status == 404
    stranger = await console.viewer()
    assert (await stranger.get(path, follow=False)).status == 303


async def test_a_file_that_is_gone_is_not_found(console: Desk, ada: Viewer) -> None:
    _, path = await with_file(console, PNG, "bowl.png")
    await console.context.files.delete(path.split("/files/")[1].partition("?")[0])
    assert (await ada.get(path)).status == 404


async def test_a_reply_can_carry_a_file(console: Desk, ada: Viewer) -> None:
    case = await console.waiting()
    await ada.act(case.id, "claim")
    page = await ada.reply_with(case.id, "Like this one?", "../../bowl.exe", PNG)
    assert page.status == 200, page.problem
    (message,) = [
        line for line in await console.here.reporting.transcript(case.id) if line.direction is Direction.OUT
    ]
    (attachment,) = message.attachments
    assert (attachment.kind, attachment.mime, attachment.size) == (
        AttachmentKind.IMAGE,
        "image/png",
        len(PNG),
    )
    assert attachment.name == "bowl.exe.png"
    assert await console.context.files.get(attachment.file) == PNG


async def test_a_file_alone_is_a_reply(console: Desk, ada: Viewer) -> None:
    case = await console.waiting()
    await ada.act(case.id, "claim")
    assert (await ada.reply_with(case.id, "", "bowl.png", PNG)).status == 200


@pytest.mark.parametrize("content", [b"MZ program", b"<html>", b"\x89PNG\r\n\x1a\nbroken"])
async def test_a_file_of_another_kind_is_refused_and_the_text_kept(
    console: Desk, ada: Viewer, content: bytes
) -> None:
    case = await console.waiting()
    await ada.act(case.id, "claim")
    page = await ada.reply_with(case.id, "See the file", "bowl.png", content)
    assert (page.status, page.draft) == (400, "See the file")
    assert "Only images (PNG, JPEG, GIF, WebP) and PDF can be sent." in page.problem


@pytest.mark.parametrize(("size", "status"), [(5 * 2**20, 200), (5 * 2**20 + 1, 413)])
async def test_a_file_may_have_five_mebibytes(console: Desk, ada: Viewer, size: int, status: int) -> None:
    case = await console.waiting()
    await ada.act(case.id, "claim")
    content = PNG[:-12] + b"\0" * (size - len(PNG)) + PNG[-12:]
    assert (await ada.reply_with(case.id, "Large", "large.png", content)).status == status


# ── Live ────────────────────────────────────────────────────────────────────────────────────────


async def hints(console: Desk, viewer: Viewer, do: Any, wanted: bytes) -> bytes:
    """What a page hears until it hears `wanted`."""
    heard = b""
    async with viewer.client.get("/console/stream", timeout=ClientTimeout(total=10)) as stream:
        assert stream.content_type == "text/event-stream"
        heard += await stream.content.readuntil(b"\n\n")
        await do()
        while wanted not in heard:
            heard += await stream.content.readuntil(b"\n\n")
    return heard


async def test_pages_hear_at_once_which_case_changed_and_nothing_else(console: Desk, ada: Viewer) -> None:
    case = await console.waiting()

    async def speak() -> None:
        await console.message(case, "my secret")

    heard = await hints(console, ada, speak, case.id.encode())
    assert heard.endswith(f'event: case\ndata: {{"case":"{case.id}"}}\n\n'.encode())
    assert b"secret" not in heard


async def test_a_page_of_a_removed_user_hears_the_end(console: Desk, ada: Viewer) -> None:
    case = await console.waiting()

    async def remove() -> None:
        await console.here.store.apply(Changes(writes=(Delete(kind=User, id="Ada"),)))
        await console.message(case, "not for Ada")

    heard = await hints(console, ada, remove, b"event: over")
    assert case.id.encode() not in heard


async def test_the_stream_needs_a_session(console: Desk) -> None:
    viewer = await console.viewer()
    page = await viewer.get("/console/stream", headers={"Accept": "text/event-stream"}, follow=False)
    assert page.status == 401


async def test_a_server_that_stops_does_not_wait_for_pages(console: Desk, ada: Viewer) -> None:
    async with ada.client.get("/console/stream") as stream:
        await stream.content.readuntil(b"\n\n")
        async with asyncio.timeout(5):
            await console.server.close()
            assert await stream.content.read() == b""


@pytest.mark.parametrize(("owner", "told"), [("Ada", '{"typing": "agent"}'), ("Ben", "end")])
async def test_the_customer_sees_that_their_agent_types(
    console: Desk, ada: Viewer, owner: str, told: str
) -> None:
    case = await console.case(state=CaseState.CLAIMED, owner={"Ada": ADA, "Ben": BEN}[owner])
    async with console.here.broadcast.subscribe(topic(HERE)) as heard:
        page = await ada.post(f"/console/cases/{case.id}/typing", {"csrf": await ada.csrf()})
        await console.here.broadcast.publish(topic(HERE), b"end")
        first = await anext(heard)
    assert page.status == 204
    assert first == told.encode()


async def test_what_an_operator_has_to_mend_is_on_every_page_until_it_works(
    console: Desk, ada: Viewer
) -> None:
    await console.here.alarms.sound("slack", "The token was revoked <b>.")
    page = await ada.get("/console")
    assert "Trouble: slack. The token was revoked <b>." in page.words
    assert "revoked &lt;b&gt;" in page.html
    await console.here.alarms.clear("slack")
    assert "Trouble" not in (await ada.get("/console/account")).words

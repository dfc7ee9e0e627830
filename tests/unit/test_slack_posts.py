"""What stands under a card: every line once, its fate, the story so far, and no mention that was not meant."""

from typing import Any

import pytest
from hypothesis import given
from msgspec.structs import replace

from bot.domain.desks import Left, Mark, Story
from bot.domain.messages import (
    SYSTEM,
    Attachment,
    AttachmentKind,
    Button,
    Direction,
    Message,
    MessageState,
    Role,
)
from handoff.desks.slack import posts
from handoff.desks.slack.look import Look
from handoff.words import LANGUAGES
from tests.builders import BEN, NOON
from tests.contracts.desk_contract import LIVE
from tests.unit import slack_scenes as scene
from tests.unit.slack_limits import called, shown, strings, wrong_payload
from tests.unit.slack_scenes import CARD, DE, EN, claimed, hostile_post, said, thread, waiting, written

LOOKS = pytest.mark.parametrize("look", [DE, EN], ids=LANGUAGES)
PHOTO = Attachment(kind=AttachmentKind.IMAGE, name="photo.jpg", mime="image/jpeg", size=120_000, file="f1")
NOT_OUR_OWN = "💥 <!channel> `rm` *x*"


def told(message: Message, look: Look = EN, **changes: Any) -> str:
    return shown(posts.line(thread(message, **changes), look)[0]["arguments"]["blocks"]).strip()


def pressed(message: Message, **changes: Any) -> list[str]:
    payloads = posts.line(thread(message, **changes), EN)
    rows = [block for block in payloads[0]["arguments"]["blocks"] if block["type"] == "actions"]
    assert all(one["value"] == "case1|m1" for row in rows for one in row["elements"])
    return [one["action_id"] for row in rows for one in row["elements"]]


# ── Lines ───────────────────────────────────────────────────────────────────────────────────────


def test_a_line_goes_under_its_card_and_says_who_when_and_what() -> None:
    (payload,) = posts.line(thread(said("Hello\nthere")), EN)
    assert (payload["do"], payload["channel"], payload["key"]) == ("post", "C0CARDS", "line:m1")
    assert payload["arguments"]["thread_ts"] == "1763900000.000100"
    assert told(said("Hello\nthere")) == "Customer 7F3A  Mon 23/11, 13:00\nHello\nthere"
    assert told(said("Hallo"), DE) == "Kunde 7F3A  Mo 23.11., 13:00\nHallo"


def test_a_line_that_was_posted_is_changed_in_its_place() -> None:
    changed, *_ = posts.line(thread(said("Hi!", edited_at=NOON), receipt="C0CARDS:17.9"), EN)
    assert (changed["do"], changed["arguments"]["ts"]) == ("update", "17.9")
    assert "edited" in shown(changed["arguments"]["blocks"])


def test_what_was_taken_back_is_gone_and_said_to_be() -> None:
    gone = said("My secret", deleted_at=NOON, attachments=(PHOTO,))
    (payload,) = posts.line(thread(gone, receipt="C0CARDS:17.9"), EN)
    assert "Deleted by the customer" in shown(payload["arguments"]["blocks"])
    assert "secret" not in str(payload)
    assert told(replace(gone, direction=Direction.OUT)).endswith("Taken back")


def test_quotes_reactions_offers_and_what_was_passed_on_are_shown() -> None:
    text = told(said("This one?", quote="Which size?", reaction="❤️", forwarded=True))
    assert "forwarded" in text
    assert text.index("Which size?") < text.index("This one?")
    assert text.endswith("The customer's reaction: ❤️")
    asked = said(
        "Which?", Direction.OUT, buttons=(Button(label="Yes", choice="y"), Button(label="No", choice="n"))
    )
    assert told(asked).endswith("Offered: Yes · No")


def test_a_very_long_message_is_cut_with_a_link_to_all_of_it() -> None:
    (payload,) = posts.line(thread(said("word " * 2000)), EN)
    assert wrong_payload(payload) == []
    links = [text for text in strings(payload) if "/texts/" in text]
    assert links == [
        "<https://desk.example/console/cases/case1/texts/m1|Show the whole text (9999 characters)>"
    ]
    assert "/texts/" not in str(posts.line(thread(said("short")), EN))


def test_a_note_says_that_it_is_one_and_the_bots_words_are_the_bots() -> None:
    assert told(said("Be kind", Direction.NOTE)).startswith(
        "Ada  Mon 23/11, 13:00  Note, for the team only\nBe kind"
    )
    assert told(said("Hi", Direction.OUT)).startswith("Bot  ")


# ── Files ───────────────────────────────────────────────────────────────────────────────────────


def test_a_file_is_uploaded_once_under_its_card() -> None:
    line, upload = posts.line(thread(said("Look", attachments=(PHOTO,))), EN)
    assert "📎 Image photo.jpg (117 kB)" in shown(line["arguments"]["blocks"])
    assert upload["arguments"] == {
        "file": "f1",
        "name": "photo.jpg",
        "size": 120_000,
        "mime": "image/jpeg",
        "thread_ts": "1763900000.000100",
    }
    assert len(posts.line(thread(said(attachments=(PHOTO,)), uploaded=("f1",)), EN)) == 1


def test_a_file_that_is_not_there_says_why() -> None:
    lost = Attachment(kind=AttachmentKind.VOICE, missing="larger than 20 MB")
    coming = Attachment(kind=AttachmentKind.VIDEO, remote="r1")
    text = told(said("", attachments=(lost, coming)))
    assert "📎 Voice message: File not available: larger than 20 MB" in text
    assert "📎 Video: being fetched" in text


def test_places_and_people_have_no_file_and_are_told() -> None:
    place = Attachment(kind=AttachmentKind.LOCATION, data={"latitude": 52.52, "longitude": 13.4})
    person = Attachment(kind=AttachmentKind.CONTACT, data={"name": "Eve", "phone": "+49 30 1"})
    text = told(said("", attachments=(place, person)))
    assert "📎 Location 52.52, 13.4" in text
    assert "📎 Contact Eve +49 30 1" in text


# ── Notes that call somebody ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("ping", "mention"),
    [("here", "!here"), ("owner", "@U012ADA"), ("S012GROUP", "!subteam^S012GROUP"), ("", ""), ("nobody", "")],
)
def test_only_a_ping_calls_somebody_and_only_whom_it_names(ping: str, mention: str) -> None:
    note = said(f"Look at {NOT_OUR_OWN}", Direction.NOTE, author=SYSTEM, ping=ping)
    (payload,) = posts.line(thread(note), EN)
    assert called(payload) == ([mention] if mention else [])
    assert wrong_payload(payload) == []


def test_an_owner_who_works_elsewhere_is_not_called_by_slacks_name() -> None:
    note = said("Still waiting", Direction.NOTE, author=SYSTEM, ping="owner")
    assert called(posts.line(thread(note, case=claimed(owner=BEN)), EN)[0]) == []


def test_the_servers_notes_are_in_the_desks_language() -> None:
    note = said(
        "Ada did not reply in time; the case waits for somebody again.", Direction.NOTE, author=SYSTEM
    )
    assert told(note, DE) == "Ada hat nicht rechtzeitig geantwortet; der Fall wartet wieder auf jemanden."


# ── What became of an agent's words ─────────────────────────────────────────────────────────────

FATES: list[tuple[dict[str, Any], str, list[str]]] = [
    (
        {"state": MessageState.FAILED, "reason": "They blocked us."},
        "Not delivered: They blocked us.",
        ["retry"],
    ),
    ({"state": MessageState.IN_DOUBT}, "May have arrived", ["retry", "arrived"]),
    ({"state": MessageState.DEFERRED, "reason": "Busy."}, "Will be tried again by itself: Busy.", []),
    ({"state": MessageState.QUEUED, "held": True}, "Not sent yet", ["send_now", "edit_held", "undo"]),
    ({"state": MessageState.QUEUED, "undo_until": NOON}, "Goes to the customer at", ["undo"]),
    ({"state": MessageState.CANCELLED}, "Cancelled, not sent", []),
]


@pytest.mark.parametrize(("changes", "sentence", "buttons"), FATES)
def test_trouble_is_told_with_what_can_be_done(
    changes: dict[str, Any], sentence: str, buttons: list[str]
) -> None:
    here, elsewhere = written(**changes), written(**changes, id="m1", written="")
    assert sentence in told(here)
    assert "We are on it." not in told(here)
    assert sentence in told(elsewhere)
    assert "We are on it." in told(elsewhere)
    assert pressed(here) == pressed(elsewhere) == buttons
    assert posts.line(thread(here), EN)[0]["key"] == "fate:m1"


@pytest.mark.parametrize(
    "state", [MessageState.QUEUED, MessageState.SENDING, MessageState.SENT, MessageState.READ]
)
def test_of_words_that_are_well_nothing_is_said(state: MessageState) -> None:
    assert posts.line(thread(written(state=state)), EN) == ()


def test_trouble_that_is_over_is_told_to_be_over_in_its_place() -> None:
    (payload,) = posts.line(thread(written(state=MessageState.SENT), receipt="C0CARDS:17.9"), EN)
    assert (payload["do"], payload["arguments"]["ts"]) == ("update", "17.9")
    assert shown(payload["arguments"]["blocks"]).strip() == "✅ Sent"
    gone = written(state=MessageState.CANCELLED, deleted_at=NOON)
    assert told(gone, receipt="C0CARDS:17.9") == "Taken back"


def test_where_the_window_is_closed_no_retry_is_offered_that_must_fail() -> None:
    assert pressed(written(state=MessageState.FAILED, reason="closed"), closed=True) == ["window"]


def test_a_bots_failed_answer_can_be_sent_again_from_the_thread() -> None:
    assert pressed(said("On its way", Direction.OUT, state=MessageState.FAILED, reason="x")) == ["retry"]


def test_marks_add_what_is_due_and_take_away_what_no_longer_holds() -> None:
    mark = Mark(case=claimed(), message=written(), due=("sent", "read"), shown=("sent", "waits"))
    told = [(one["do"], one["arguments"]["name"], one["channel"]) for one in posts.marks(mark)]
    assert told == [("react", "eyes", "C0CARDS"), ("unreact", "hourglass_flowing_sand", "C0CARDS")]
    assert {one["arguments"]["timestamp"] for one in posts.marks(mark)} == {"1763900001.000200"}
    assert not [complaint for one in posts.marks(mark) for complaint in wrong_payload(one)]
    assert posts.marks(replace(mark, shown=mark.due)) == ()


# ── The story ───────────────────────────────────────────────────────────────────────────────────


def story(*messages: Message, look: Look = EN) -> list[dict[str, Any]]:
    return [*posts.story(Story(case=waiting(), transcript=messages, card_receipt=CARD), look)]


def test_the_story_tells_who_said_what_in_order_with_a_link_to_all_of_it() -> None:
    (payload,) = story(*scene.TRANSCRIPT)
    text = shown(payload["arguments"]["blocks"])
    places = [text.index(message.text) for message in scene.TRANSCRIPT]
    assert places == sorted(places)
    assert "The whole story (5 messages)" in text
    assert "https://desk.example/console/cases/case1" in text


def test_a_long_story_tells_its_end_in_a_few_messages() -> None:
    payloads = story(*(said(f"line {number} " + "x" * 3000, id=f"m{number}") for number in range(100)))
    assert len(payloads) <= posts.STORY_PARTS
    assert [complaint for payload in payloads for complaint in wrong_payload(payload)] == []
    assert "line 99 " in str(payloads[-1])
    assert "line 5 " not in str(payloads)
    assert len({payload["key"] for payload in payloads}) == len(payloads)


def test_the_story_brings_the_customers_files_and_says_what_did_not_arrive() -> None:
    line, upload = story(
        said("See", attachments=(PHOTO,)), said("Ok", Direction.OUT, state=MessageState.FAILED, reason="x")
    )
    assert upload["do"] == "upload"
    assert "Not delivered: x" in shown(line["arguments"]["blocks"])


def test_a_story_of_nothing_is_nothing() -> None:
    assert story() == []
    assert story(said("")) == []


# ── Elsewhere, and to one person ────────────────────────────────────────────────────────────────


def test_a_card_that_was_left_says_where_it_goes_on_and_offers_nothing() -> None:
    payload = posts.left(Left(case=waiting(), receipt="C0CARDS:17.5", card_receipt="C0PRESS:18.000600"), EN)
    assert (payload["do"], payload["arguments"]["ts"]) == ("update", "17.5")
    assert "https://nordwind.slack.com/archives/C0PRESS/p18000600" in [*strings(payload)]
    assert wrong_payload(payload) == []


def test_a_hint_offers_to_claim_and_send_only_while_nobody_has_the_case() -> None:
    free = posts.hint(waiting(), EN, CARD, "U1", "m9")
    assert [one for one in strings(free) if one.startswith("case1|")] == ["case1|m9"]
    owned = posts.hint(claimed(), EN, CARD, "U1", "m9")
    assert "only Ada speaks with the customer" in owned["arguments"]["text"]
    assert not [block for block in owned["arguments"]["blocks"] if block["type"] == "actions"]
    assert wrong_payload(free) == wrong_payload(owned) == []
    assert free["arguments"]["thread_ts"] == "1763900000.000100"


# ── Whatever was written ────────────────────────────────────────────────────────────────────────


@LOOKS
@given(text=scene.TEXTS)
def test_whatever_was_written_stays_text_within_the_limits(look: Look, text: str) -> None:
    post = hostile_post(text)
    trouble = written(text, state=MessageState.FAILED, reason=text)
    note = said(text, Direction.NOTE, author=replace(SYSTEM, name=text))
    payloads = [
        *posts.line(post, look),
        *posts.line(thread(trouble), look),
        *posts.line(thread(replace(trouble, written="", role=Role.REPLY)), look),
        *posts.line(thread(note), look),
        *story(*[post.message] * 40, look=look),
        posts.hint(claimed(owner=replace(scene.ADA, name=text)), look, CARD, "U1"),
    ]
    for payload in payloads:
        assert wrong_payload(payload) == []
        assert called(payload) == []
        assert not [live for found in strings(payload) for live in LIVE if live in found]


@given(text=scene.TEXTS)
def test_a_note_that_calls_somebody_calls_nobody_else(text: str) -> None:
    note = said(text, Direction.NOTE, author=SYSTEM, ping="here")
    (payload,) = posts.line(thread(note), EN)
    assert called(payload) == ["!here"]
    assert wrong_payload(payload) == []


def test_rendering_twice_is_the_same() -> None:
    assert posts.line(hostile_post("Hello"), EN) == posts.line(hostile_post("Hello"), EN)

"""The Telegram connector: the contract of all connectors, and what is its own. Nothing here talks to anybody."""

import json
import random
from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec
import pytest

from bot.domain.errors import Misconfigured, SendRejected
from bot.domain.messages import Attachment, AttachmentKind, Button, EventKind, Inbound, Press
from bot.domain.ports import Connector, Request
from connectors.telegram import Telegram, TelegramSettings
from connectors.telegram.text import whole
from tests.contracts.connector_contract import PAYLOADS, ConnectorContract, Platform, said
from tests.fakes import telegram_rules as rules

TOKEN = "123456:AAFakeTokenForTests"
SECRET = "a-secret_of-ours"
HEADER = "x-telegram-bot-api-secret-token"
PATH = "/webhooks/telegram/shop"


def make(**changes: Any) -> Telegram:
    known: dict[str, Any] = {"account": "shop", "token": TOKEN, "secret": SECRET, "username": "nordwind_bot"}
    return Telegram(msgspec.convert({**known, **changes}, TelegramSettings), Platform().deps())


def request(body: bytes, **headers: str) -> Request:
    return Request(method="POST", path=PATH, query={}, headers=headers, body=body)


class TestTelegram(ConnectorContract):
    channel = "telegram"
    settings: ClassVar = {
        "account": "shop",
        "token": TOKEN,
        "secret": SECRET,
        "username": "nordwind_bot",
        "limits": {"per_second": 30, "per_chat": 1},
    }

    def genuine(self, connector: Connector, name: str, body: bytes) -> Request:
        return request(body, **{HEADER: SECRET})

    def forged(self, connector: Connector, name: str, body: bytes) -> Iterable[Request]:
        yield request(body)
        for wrong in ("", SECRET[:-1], SECRET + "x", SECRET.upper(), "another-accounts-secret", "ä", TOKEN):
            yield request(body, **{HEADER: wrong})

    def without_secret(self) -> Connector:
        return make(secret="")


@pytest.fixture
def telegram() -> Telegram:
    return make()


def recorded(name: str, telegram: Telegram | None = None) -> Inbound:
    body = (PAYLOADS / "telegram" / f"{name}.json").read_bytes()
    (event,) = (telegram or make()).parse(request(body))
    return event


# -- set up


@pytest.mark.parametrize("secret", ["", "with space", "ä", "x" * 257])
def test_a_secret_telegram_would_not_take_stops_the_start(secret: str) -> None:
    with pytest.raises(Misconfigured, match="telegram/shop: the secret"):
        make(secret=secret)


def test_polling_needs_no_secret_and_lets_no_webhook_in() -> None:
    polling = make(secret="", mode="polling")
    for headers in ({}, {HEADER: ""}, {HEADER: "None"}):
        with pytest.raises(Exception, match="secret"):
            polling.authenticate(request(b"{}", **headers))


@pytest.mark.parametrize("token", ["", "abc", "123456", "123456:", ":abc", "123456:a b"])
def test_a_token_that_is_none_stops_the_start(token: str) -> None:
    with pytest.raises(Misconfigured, match="BotFather"):
        make(token=token)


def test_the_secret_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(given: bytes, secret: bytes) -> bool:
        compared.append((given, secret))
        return given == secret

    monkeypatch.setattr("connectors.telegram.hmac.compare_digest", compare)
    make().authenticate(request(b"{}", **{HEADER: SECRET}))
    assert compared == [(SECRET.encode(), SECRET.encode())]


def test_settings_do_not_show_the_token() -> None:
    settings = msgspec.convert({"account": "shop", "token": TOKEN, "secret": SECRET}, TelegramSettings)
    assert TOKEN not in f"{settings!r}"
    assert SECRET not in f"{settings!r}"


# -- what comes in


KINDS = {
    **dict.fromkeys(("text", "caption", "photo", "voice", "audio", "video", "video-note"), EventKind.MESSAGE),
    **dict.fromkeys(("animation", "document", "sticker", "location", "venue"), EventKind.MESSAGE),
    **dict.fromkeys(("contact", "album-1", "reply", "forward", "dice", "command"), EventKind.MESSAGE),
    **dict.fromkeys(("text-formatted", "text-via-another-bot", "text-in-a-private-topic"), EventKind.MESSAGE),
    **dict.fromkeys(("forward-from-user", "forward-from-channel", "forward-from-group"), EventKind.MESSAGE),
    **dict.fromkeys(("reply-to-story", "reply-to-a-photo", "reply-with-quote"), EventKind.MESSAGE),
    **dict.fromkeys(("edit", "edit-caption", "edit-live-location"), EventKind.EDIT),
    **dict.fromkeys(("group-edit-that-drops-our-name", "group-edit-that-keeps-our-name"), EventKind.EDIT),
    "group-press": EventKind.PRESS,
    "group-reaction-of-a-channel": EventKind.REACTION,
    **dict.fromkeys(("press", "press-on-a-message-that-is-gone"), EventKind.PRESS),
    **dict.fromkeys(("start", "start-with-payload"), EventKind.STARTED),
    **dict.fromkeys(("reaction", "reaction-taken-back", "reaction-custom"), EventKind.REACTION),
    "blocked": EventKind.BLOCKED,
    "unblocked": EventKind.UNBLOCKED,
    "migrated": EventKind.MOVED,
}


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_every_kind_is_told(name: str, kind: EventKind) -> None:
    assert recorded(name).kind is kind


# A file's handle begins with its kind, so a thumbnail (AAMC) in its place would be seen.
ATTACHMENTS = {
    "photo": (AttachmentKind.IMAGE, "image/jpeg", "AgACAgI"),
    "voice": (AttachmentKind.VOICE, "audio/ogg", "AwACAgI"),
    "audio": (AttachmentKind.AUDIO, "audio/mpeg", "CQACAgI"),
    "video": (AttachmentKind.VIDEO, "video/mp4", "BAACAgI"),
    "video-note": (AttachmentKind.VIDEO, "video/mp4", "DQACAgI"),
    "animation": (AttachmentKind.VIDEO, "video/mp4", "CgACAgI"),
    "document": (AttachmentKind.DOCUMENT, "application/pdf", "BQACAgI"),
    "sticker": (AttachmentKind.STICKER, "", "CAACAgI"),
    "location": (AttachmentKind.LOCATION, "", ""),
    "venue": (AttachmentKind.LOCATION, "", ""),
    "contact": (AttachmentKind.CONTACT, "", ""),
    "dice": (AttachmentKind.UNKNOWN, "", ""),
    "story": (AttachmentKind.UNKNOWN, "", ""),
    "rich-message-of-a-later-version": (AttachmentKind.UNKNOWN, "", ""),
    "poll-from-a-customer": (AttachmentKind.UNKNOWN, "", ""),
    "paid-media": (AttachmentKind.UNKNOWN, "", ""),
    "web-app-data": (AttachmentKind.UNKNOWN, "", ""),
    "nothing-in-it": (AttachmentKind.UNKNOWN, "", ""),
    "voice-with-caption": (AttachmentKind.VOICE, "audio/ogg", "AwACAgI"),
    "video-with-spoiler": (AttachmentKind.VIDEO, "video/mp4", "BAACAgI"),
    "document-without-a-name": (AttachmentKind.DOCUMENT, "application/octet-stream", "BQACAgI"),
    "album-of-one-document": (AttachmentKind.DOCUMENT, "image/png", "BQACAgI"),
    "sticker-animated": (AttachmentKind.STICKER, "", "CAACAgI"),
    "venue-of-google": (AttachmentKind.LOCATION, "", ""),
}


@pytest.mark.parametrize("name", ATTACHMENTS)
def test_every_attachment_is_told_once(name: str) -> None:
    (one,) = recorded(name).attachments
    assert (one.kind, one.mime, one.remote[:7]) == ATTACHMENTS[name]


def test_of_a_photo_the_largest_is_taken() -> None:
    (one,) = recorded("photo").attachments
    assert (one.data["width"], one.data["height"], one.size) == (1280, 960, 98123)


def test_a_venue_has_a_name_and_a_contact_a_number() -> None:
    (venue,), (contact,) = recorded("venue").attachments, recorded("contact").attachments
    assert (venue.name, venue.data["latitude"]) == ("Nordwind Husum", 54.4767)
    assert (contact.name, contact.data["phone"]) == ("Ole Petersen", "+4948415550100")


def test_what_is_written_under_a_picture_is_the_text() -> None:
    assert recorded("caption").text == "So kam die Öljacke an"


def test_the_pictures_of_an_album_belong_together() -> None:
    groups = {recorded(f"album-{number}").group for number in (1, 2, 3)}
    assert len(groups) == 1
    assert groups != {""}


def test_an_edit_names_the_message_it_changes(telegram: Telegram) -> None:
    assert recorded("edit").refers_to == recorded("text").external_id


def test_a_reply_and_a_reaction_name_what_they_are_about() -> None:
    assert recorded("reply").refers_to == recorded("reaction").refers_to == "700100200/30"


QUOTES = {
    "reply": "Meinten Sie eine Rücksendung?",
    "reply-with-quote": "Rücksendung",
    "reply-elsewhere": "20 % auf Jacken",
    "reply-to-a-photo": "Meine Jacke",
    "group-reply-to-us": "Mo–Fr 8–20 Uhr",
    "reply-to-story": "",
    "text": "",
}


@pytest.mark.parametrize(("name", "quote"), QUOTES.items())
def test_the_words_a_message_answers_are_told(name: str, quote: str) -> None:
    assert recorded(name).quote == quote


def test_what_others_said_in_a_group_is_told_only_when_the_customer_picked_it_out(telegram: Telegram) -> None:
    update = json.loads((PAYLOADS / "telegram" / "group-reply-to-us.json").read_bytes())
    update["message"]["reply_to_message"]["from"]["id"] = 700100300
    update["message"] |= {"text": "@nordwind_bot stimmt das?", "entities": MENTION}
    (event,) = telegram.parse(request(json.dumps(update).encode()))
    assert (event.kind, event.quote) == (EventKind.MESSAGE, "")
    update["message"]["quote"] = {"text": "8–20 Uhr", "position": 6, "is_manual": True}
    (event,) = telegram.parse(request(json.dumps(update).encode()))
    assert event.quote == "8–20 Uhr"


FORWARDS = ("forward", "forward-from-user", "forward-from-channel", "forward-from-group")


@pytest.mark.parametrize("name", FORWARDS)
def test_a_forward_is_told_and_never_from_whom(name: str) -> None:
    event = recorded(name)
    read = msgspec.json.encode(msgspec.structs.replace(event, raw=msgspec.Raw(b"{}"))).decode()
    assert event.forwarded
    assert not [who for who in ("Ole", "Versand", "Inken", "Inhaberin") if who in read]


def test_a_reaction_is_all_that_stands_there_now() -> None:
    assert [recorded(name).text for name in ("reaction", "reaction-taken-back")] == ["👍", ""]


def test_a_reaction_without_a_sign_of_its_own_is_still_one() -> None:
    assert recorded("reaction-custom").text == "👍❔"
    assert recorded("reaction-custom").kind is EventKind.REACTION


def test_a_press_names_its_question_and_shows_what_stood_on_the_button() -> None:
    event = recorded("press")
    assert event.press == Press(question="01kan0m3t8q9h2c4v6x8z0b2d4", choice="return_item")
    assert event.text == "Rücksendung"


def test_what_a_button_holds_comes_back_as_the_same_press(telegram: Telegram) -> None:
    button = Button(label="Ja", choice="return:item")
    (payload,) = telegram.render(said(telegram, "Ja?", buttons=(button,), question="q1"))
    data = payload["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    update = json.loads((PAYLOADS / "telegram" / "press.json").read_bytes())
    update["callback_query"]["data"] = data
    (event,) = telegram.parse(request(json.dumps(update).encode()))
    assert event.press == Press(question="q1", choice="return:item")


def test_a_press_of_somebody_elses_button_is_no_answer_to_ours() -> None:
    assert recorded("press-of-another-bots-time").press == Press(question="", choice="buy_7")


def test_start_brings_what_its_link_said() -> None:
    assert recorded("start-with-payload").text == "herbst-katalog"
    assert recorded("start").text == "/start"


def test_the_language_of_the_app_is_a_hint() -> None:
    assert recorded("text").language == "de"


def test_the_same_message_is_the_same_event_whatever_number_its_update_has(telegram: Telegram) -> None:
    update = json.loads((PAYLOADS / "telegram" / "text.json").read_bytes())
    (again,) = telegram.parse(request(json.dumps({**update, "update_id": 1}).encode()))
    assert again.external_id == recorded("text").external_id


@pytest.mark.parametrize("number", [10**30, -(10**30)])
@pytest.mark.parametrize("name", ["video", "location", "text"])
def test_numbers_nobody_can_mean_break_nothing(telegram: Telegram, name: str, number: int) -> None:
    def huge(_: str) -> int:
        return number

    body = (PAYLOADS / "telegram" / f"{name}.json").read_text(encoding="utf-8")
    spoiled = json.loads(body, parse_int=huge, parse_float=huge)
    events = telegram.parse(request(json.dumps(spoiled).encode()))
    assert msgspec.json.decode(msgspec.json.encode(events), type=tuple[Inbound, ...]) == events


# -- groups

MENTION = [{"type": "mention", "offset": 0, "length": 13}]


@pytest.mark.parametrize(
    "name",
    [
        *("group-mention", "group-mention-after-emoji", "group-reply-to-us", "group-command", "group-topic"),
        *("group-text-mention", "group-mention-in-a-caption", "group-protected", "group-basic"),
        "group-spoken-as-a-channel",
    ],
)
def test_in_a_group_we_listen_when_we_are_spoken_to(name: str) -> None:
    event = recorded(name)
    assert event.kind in {EventKind.MESSAGE, EventKind.STARTED}
    assert event.address.public


def test_an_anonymous_administrator_is_heard_as_the_group_they_speak_for() -> None:
    event = recorded("group-anonymous-admin")
    assert event.kind is EventKind.MESSAGE
    assert event.address.user == f"{event.address.chat}/public"


def test_another_bot_is_not_heard() -> None:
    update = json.loads((PAYLOADS / "telegram" / "group-anonymous-admin.json").read_bytes())
    del update["message"]["sender_chat"]
    (event,) = make().parse(request(json.dumps(update).encode()))
    assert event.kind is EventKind.UNKNOWN


def test_an_edit_that_takes_our_name_away_counts_where_the_message_was_said_to_us() -> None:
    drops, keeps = (recorded(f"group-edit-that-{does}-our-name") for does in ("drops", "keeps"))
    assert drops.refers_to == keeps.refers_to == recorded("group-mention").external_id
    assert (drops.if_known, keeps.if_known) == (True, False)


def test_our_name_is_no_part_of_the_question() -> None:
    assert recorded("group-mention").text == "wann habt ihr auf?"


def test_what_people_say_among_themselves_is_not_kept() -> None:
    event = recorded("unknown-group-chatter")
    assert b"Freitag" not in bytes(event.raw)
    assert "700100200" not in msgspec.json.encode(event).decode()


def test_in_public_a_person_is_another_customer_than_in_private() -> None:
    public, private = recorded("group-mention").address, recorded("text").address
    assert public.user != private.user
    assert (public.chat, private.public) == ("-1001234567890", False)


def test_a_topic_is_a_conversation_of_its_own(telegram: Telegram) -> None:
    address = recorded("group-topic").address
    (payload,) = telegram.render(said(telegram, "Gern", address=address))
    assert (payload["chat_id"], payload["message_thread_id"]) == (-1001234567890, 77)


def test_what_is_pressed_in_a_topic_is_answered_there(telegram: Telegram) -> None:
    update = json.loads((PAYLOADS / "telegram" / "group-press.json").read_bytes())
    update["callback_query"]["message"] |= {"message_thread_id": 77, "is_topic_message": True}
    (event,) = telegram.parse(request(json.dumps(update).encode()))
    assert event.address == recorded("group-topic").address


def test_a_private_topic_is_answered_there_and_is_the_same_customers() -> None:
    topic, chat = recorded("text-in-a-private-topic").address, recorded("text").address
    assert (topic.chat, topic.user, topic.public) == (f"{chat.chat}/12", chat.user, False)


def test_a_name_nobody_told_us_yet_is_not_guessed() -> None:
    assert recorded("group-mention", make(username="")).kind is EventKind.UNKNOWN


def test_a_group_that_became_a_supergroup_says_where_it_is_now() -> None:
    event = recorded("migrated")
    assert (event.address.chat, event.refers_to) == ("-4567890", "-1001234567890")


# -- what goes out


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


@pytest.mark.parametrize(
    "text",
    [
        "wort " * 5000,
        "ä" * 9000,
        "👩‍👧" * 4000,
        "Satz eins. " * 900,
        "\n\n".join("x" * 900 for _ in range(9)),
    ],
)
def test_a_long_text_loses_nothing_and_breaks_no_pair(telegram: Telegram, text: str) -> None:
    parts = [payload["text"] for payload in telegram.render(said(telegram, text))]
    assert all(0 < units(part) <= 4096 for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())
    for part in parts:
        part.encode("utf-8")  # no half of a pair
        assert not part.startswith(("\u200d", "\ufe0f"))


@pytest.mark.parametrize("one", ["👍🏽", "🇩🇪", "1️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "👩🏽‍🚒", "é"])
def test_a_long_text_of_emoji_breaks_none(telegram: Telegram, one: str) -> None:
    text = "x" + one * (10_000 // len(one))
    parts = [payload["text"] for payload in telegram.render(said(telegram, text))]
    assert len(parts) > 2
    assert all(units(part) <= 4096 for part in parts)
    assert [part.removeprefix("x").replace(one, "") for part in parts] == [""] * len(parts)


def test_a_long_text_is_cut_at_the_end_of_a_sentence(telegram: Telegram) -> None:
    first, _ = telegram.render(said(telegram, "Das ist ein Satz. " * 300))
    assert first["text"].endswith("Satz.")


def test_plain_is_plain(telegram: Telegram) -> None:
    (payload,) = telegram.render(said(telegram, "<b>1 < 2</b> & so"))
    assert payload == {"method": "sendMessage", "chat_id": "7f3a", "text": "<b>1 < 2</b> & so"}


def test_the_safe_tags_become_entities() -> None:
    html = make(format="html")
    (payload,) = html.render(said(html, '👍 <b>Fett</b> &lt;3 <a href="https://shop.example/a?b=1">hier</a>'))
    assert payload["text"] == "👍 Fett <3 hier"
    assert payload["entities"] == [
        {"type": "bold", "offset": 3, "length": 4},
        {"type": "text_link", "offset": 11, "length": 4, "url": "https://shop.example/a?b=1"},
    ]


@pytest.mark.parametrize(
    "text",
    [
        "<b>offen",
        "zu</b>",
        "<script>x</script>",
        '<a href="javascript:x">x</a>',
        "a < b > c",
        "<b><i>x</b></i>",
        "<img src=x>",
    ],
)
def test_what_is_no_safe_tag_stays_as_it_is_written(text: str) -> None:
    html = make(format="html")
    (payload,) = html.render(said(html, text))
    for part in ("<script>", "javascript", "<img", "offen", "zu"):
        assert (part in payload["text"]) == (part in text)
    assert all(entity["type"] in {"bold", "italic"} for entity in payload.get("entities", ()))


def test_an_entity_goes_on_in_the_next_message() -> None:
    html = make(format="html")
    first, second = html.render(said(html, f"Los: <b>{'wort ' * 1000}</b>"))
    for payload in (first, second):
        (entity,) = payload["entities"]
        assert entity["offset"] + entity["length"] <= units(payload["text"])
    assert first["entities"][0]["offset"] == 5
    assert second["entities"][0] == {"type": "bold", "offset": 0, "length": units(second["text"])}


PIECES = (
    "wort ",
    "👩‍👧",
    "ä",
    "\n\n",
    "Satz. ",
    "<b>",
    "</b>",
    "<i>",
    "</i>",
    "<a href='x'>",
    "&lt;",
    "🇩🇪",
    " " * 40,
    "x" * 900,
)


@pytest.mark.parametrize("seed", range(60))
def test_whatever_is_written_telegram_takes_every_part_and_nothing_is_lost(seed: int) -> None:
    chance = random.Random(seed)
    written = "a" + "".join(chance.choice(PIECES) for _ in range(chance.randrange(1, 120)))
    html = make(format="html")
    payloads = html.render(said(html, written))
    shown = "".join(rules.check_text(payload) for payload in payloads)
    assert "".join(shown.split()) == "".join(whole(written, html=True).text.split())


def test_what_it_answers_is_quoted_if_it_is_still_there(telegram: Telegram) -> None:
    where = recorded("group-mention")
    message = said(telegram, "Bis 20 Uhr", address=where.address, reply_to=where.external_id)
    (payload,) = telegram.render(message)
    number = int(where.external_id.partition("/")[2])
    assert payload["reply_parameters"] == {"message_id": number, "allow_sending_without_reply": True}


@pytest.mark.parametrize("reply_to", ["callback/7", "update/9", "-5/7", "", "7f3a/x"])
def test_what_is_no_message_of_this_chat_is_not_quoted(telegram: Telegram, reply_to: str) -> None:
    (payload,) = telegram.render(said(telegram, "Ja", reply_to=reply_to))
    assert "reply_parameters" not in payload


def test_buttons_stand_under_the_last_message(telegram: Telegram) -> None:
    buttons = (Button(label="Ja", choice="yes"),)
    first, last = telegram.render(said(telegram, "wort " * 1200, buttons=buttons, question="q"))
    assert "reply_markup" not in first
    assert last["reply_markup"]["inline_keyboard"] == [[{"text": "Ja", "callback_data": "q:yes"}]]


@pytest.mark.parametrize(("number", "width"), [(10, 1), (11, 2), (100, 2)])
def test_all_buttons_are_there(telegram: Telegram, number: int, width: int) -> None:
    buttons = tuple(Button(label=f"Knopf {at}", choice=f"c{at}") for at in range(number))
    (payload,) = telegram.render(said(telegram, "Was?", buttons=buttons, question="q"))
    rows = payload["reply_markup"]["inline_keyboard"]
    assert [one["text"] for row in rows for one in row] == [button.label for button in buttons]
    assert max(len(row) for row in rows) == width


def test_what_no_keyboard_has_room_for_is_offered_in_words(telegram: Telegram) -> None:
    buttons = tuple(Button(label=f"Knopf {at}", choice=f"c{at}") for at in range(102))
    (payload,) = telegram.render(said(telegram, "Was?", buttons=buttons, question="q"))
    assert payload["text"].endswith("• Knopf 100\n• Knopf 101")


def test_a_button_without_a_label_shows_its_choice(telegram: Telegram) -> None:
    (payload,) = telegram.render(
        said(telegram, "?", buttons=(Button(label=" ", choice="yes"),), question="q")
    )
    assert payload["reply_markup"]["inline_keyboard"][0][0]["text"] == "yes"


def test_a_choice_too_long_for_a_button_is_offered_in_words(telegram: Telegram) -> None:
    buttons = (Button(label="Kurz", choice="k"), Button(label="Lang", choice="ä" * 40))
    (payload,) = telegram.render(said(telegram, "Was?", buttons=buttons, question="q"))
    assert payload["text"].endswith("• Lang")
    assert len(payload["reply_markup"]["inline_keyboard"]) == 1


PICTURE = Attachment(kind=AttachmentKind.IMAGE, name="a.jpg", mime="image/jpeg", size=1000, file="f1")


def test_a_short_text_is_the_caption_of_a_file(telegram: Telegram) -> None:
    (payload,) = telegram.render(said(telegram, "Hier", attachments=(PICTURE,)))
    assert (payload["method"], payload["caption"], payload["file"]) == ("sendPhoto", "Hier", "f1")


def test_a_long_text_comes_before_its_file(telegram: Telegram) -> None:
    text, file = telegram.render(said(telegram, "wort " * 300, attachments=(PICTURE,)))
    assert (text["method"], file["method"]) == ("sendMessage", "sendPhoto")
    assert "caption" not in file


@pytest.mark.parametrize(
    "change", [{"mime": "image/gif"}, {"size": 11 * 1024 * 1024}, {"kind": AttachmentKind.DOCUMENT}]
)
def test_what_is_no_photo_for_telegram_goes_as_a_document(telegram: Telegram, change: dict[str, Any]) -> None:
    file = msgspec.structs.replace(PICTURE, **change)
    assert telegram.render(said(telegram, "", attachments=(file,)))[0]["method"] == "sendDocument"


@pytest.mark.parametrize("change", [{"file": ""}, {"size": 51 * 1024 * 1024}])
def test_a_file_that_cannot_be_sent_says_why(telegram: Telegram, change: dict[str, Any]) -> None:
    with pytest.raises(SendRejected):
        telegram.render(said(telegram, "", attachments=(msgspec.structs.replace(PICTURE, **change),)))


def test_an_empty_message_is_no_message(telegram: Telegram) -> None:
    with pytest.raises(SendRejected, match="empty"):
        telegram.render(said(telegram, " \n "))


def test_a_group_has_its_own_limit_beside_the_bots_and_the_chats() -> None:
    bot = make(limits={"per_second": 25, "per_chat": 2, "per_group": 20})
    assert {rate.key: rate.per_second for rate in bot.rates("7")} == {
        "telegram:shop": 25,
        "telegram:shop:7": 2,
    }
    group = bot.rates("-100/77")[-1]
    assert group.key == "telegram:shop:-100:minute"
    assert group.burst + group.per_second * 60 == pytest.approx(20)

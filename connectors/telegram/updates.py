"""What Telegram tells, in our words; pure. https://core.telegram.org/bots/api#update

Read from the raw JSON: the library's classes raise on shapes they do not know, and a refused update would come again
for a day and hold up its chat.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Raw, Struct

from bot.domain.errors import MalformedPayload
from bot.domain.messages import Address, Attachment, AttachmentKind, EventKind, Inbound, Press
from connectors.base import storable
from connectors.telegram.text import slice_units

CHANNEL = "telegram"
Fields = Mapping[str, Any]

START = re.compile(r"/start(?:@\w+)?(?:\s+(?P<payload>.*))?", re.DOTALL)
COMMAND = re.compile(r"(/\w+)@(\w+)")
LANGUAGE = re.compile(r"([A-Za-z]{2,3})([_-].*)?")
CALLBACK = re.compile(r"(?P<question>[^:]*):(?P<choice>.+)", re.DOTALL)
IDS = (int, str)
MOST = 1 << 53  # what JSON carries faithfully everywhere
QUOTED = 300  # characters of what a message answers: enough to know which one it is

# Attachments by the key they come under, https://core.telegram.org/bots/api#message. An animation comes as a document
# too, a venue as a location.
FILES: Mapping[str, tuple[AttachmentKind, str]] = {
    "photo": (AttachmentKind.IMAGE, "image/jpeg"),
    "voice": (AttachmentKind.VOICE, "audio/ogg"),
    "audio": (AttachmentKind.AUDIO, ""),
    "video": (AttachmentKind.VIDEO, "video/mp4"),
    "video_note": (AttachmentKind.VIDEO, "video/mp4"),
    "animation": (AttachmentKind.VIDEO, "video/mp4"),
    "document": (AttachmentKind.DOCUMENT, ""),
    "sticker": (AttachmentKind.STICKER, ""),
}
# What a chat says about itself, and nobody to us.
SERVICE = re.compile(
    r"new_chat_.*|left_chat_.*|delete_chat_photo|.*_chat_created|message_auto_delete_.*|migrate_from_chat_id|pinned_message"
    r"|chat_.*|forum_topic_.*|general_forum_.*|video_chat_.*|giveaway_c.*|boost_added|users_shared|write_access_allowed"
    r"|connected_website|proximity_alert_triggered|successful_payment|refunded_payment|passport_data"
    r"|left_chat_participant|voice_chat_.*|user_shared|checklist_tasks_.*|.*_price_changed|suggested_post_.*"
)
# Keys of a message that are no content.
FRAME = frozenset(
    "message_id message_thread_id from sender_chat sender_boost_count sender_business_bot sender_tag date "
    "business_connection_id chat forward_origin is_topic_message is_automatic_forward reply_to_message external_reply "
    "quote reply_to_story reply_to_checklist_task_id via_bot edit_date has_protected_content is_from_offline "
    "is_paid_post media_group_id author_signature paid_star_count text entities link_preview_options effect_id "
    "caption caption_entities show_caption_above_media has_media_spoiler reply_markup direct_messages_topic "
    "suggested_post_info forward_date forward_from forward_from_chat forward_from_message_id forward_signature "
    "forward_sender_name".split()
)


class Me(Struct, frozen=True, kw_only=True):
    """The bot, as others write to it."""

    account: str
    id: int
    username: str = ""  # without @; empty until Telegram was asked


def read(update: dict[str, Any], me: Me) -> Inbound:
    """One update. What we do not know becomes `EventKind.UNKNOWN`; raises `MalformedPayload` without an id."""
    number = update.get("update_id")
    if not isinstance(number, int) or isinstance(number, bool):
        raise MalformedPayload("The update has no update_id.")
    event = f"update/{number}"
    for key, reader in READERS.items():
        body = update.get(key)
        if isinstance(body, dict):
            found = reader(body, me, event)
            if found is not None:
                return msgspec.structs.replace(found, raw=Raw(storable(update)))
            return _ignored(body, me, event)
    return _unknown(update, me, event)


# ── Messages ────────────────────────────────────────────────────────────────────────────────────


def _message(body: Fields, me: Me, event: str) -> Inbound | None:
    address, id = _address(body, me), _message_id(body)
    if address is None or not id:
        return None
    if "migrate_to_chat_id" in body:
        return _moved(body, address, event)
    if any(SERVICE.fullmatch(key) for key in body if key not in FRAME) or not _addressed(body, me):
        return None
    text = _text(body, me)
    start = START.fullmatch(text)
    return Inbound(
        external_id=id,
        kind=EventKind.STARTED if start else EventKind.MESSAGE,
        address=address,
        text=(start["payload"] or text) if start else text,
        attachments=() if start else _attachments(body),
        refers_to=_message_id(_dict(body, "reply_to_message"), _dict(body, "chat")),
        quote=_quote(body, me),
        forwarded=bool(_dict(body, "forward_origin") or body.get("forward_date")),
        group=_id(body, "media_group_id"),
        sent_at=time_of(body.get("date")),
        language=_language(_dict(body, "from")),
    )


def _edited(body: Fields, me: Me, event: str) -> Inbound | None:
    """In a group an edit may take our name away: it counts all the same where the message was said to us."""
    address, id = _address(body, me), _message_id(body)
    if address is None or not id or _by_a_bot(body):
        return None
    return Inbound(
        external_id=event,
        kind=EventKind.EDIT,
        address=address,
        text=_text(body, me),
        attachments=_attachments(body),
        refers_to=id,
        if_known=not _addressed(body, me),
        sent_at=time_of(body.get("edit_date")),
    )


def _moved(body: Fields, address: Address, event: str) -> Inbound | None:
    chat = _id(body, "migrate_to_chat_id")
    if not chat:
        return None
    return Inbound(external_id=event, kind=EventKind.MOVED, address=address, refers_to=chat)


def _text(body: Fields, me: Me) -> str:
    """Text or caption, without what only says that it is for us."""
    text = _str(body, "text") or _str(body, "caption")
    text = text.replace("\0", "").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if me.username:
        name = re.escape(me.username)
        text = re.sub(rf"^\s*@{name}\b[\s,:]*|\s*@{name}\s*$", "", text, flags=re.IGNORECASE)
        text = COMMAND.sub(lambda found: found[1] if _is_me(found[2], me) else found[0], text, count=1)
    return text


def _quote(body: Fields, me: Me) -> str:
    """The words a message answers. In a group those of others are theirs, unless the customer picked them out."""
    picked, answered = _dict(body, "quote"), _dict(body, "reply_to_message")
    ours = _dict(answered, "from").get("id") == me.id or _dict(body, "chat").get("type") == "private"
    words = _str(picked, "text") or (_str(answered, "text") or _str(answered, "caption") if ours else "")
    words = words.replace("\0", "")
    return words if len(words) <= QUOTED else f"{words[: QUOTED - 1]}…"


def _by_a_bot(body: Fields) -> bool:
    """An administrator who stays anonymous, or who speaks as a channel, comes as a bot with a `sender_chat`."""
    return _dict(body, "from").get("is_bot") is True and not _dict(body, "sender_chat")


def _addressed(body: Fields, me: Me) -> bool:
    """In a group only what is said to us is for us; other bots never are."""
    if _by_a_bot(body):
        return False
    if _dict(body, "chat").get("type") == "private":
        return True
    if _dict(_dict(body, "reply_to_message"), "from").get("id") == me.id:
        return True
    pairs = (("text", "entities"), ("caption", "caption_entities"))
    return any(_names_me(_str(body, text), one, me) for text, key in pairs for one in _list(body, key))


def _names_me(text: str, entity: Any, me: Me) -> bool:
    if not isinstance(entity, dict):
        return False
    kind, offset, length = _str(entity, "type"), entity.get("offset"), entity.get("length")
    if kind == "text_mention":
        return bool(_dict(entity, "user").get("id") == me.id)
    if kind not in {"mention", "bot_command"} or not isinstance(offset, int) or not isinstance(length, int):
        return False
    return _is_me(slice_units(text, max(offset, 0), max(length, 0)).rpartition("@")[2], me)


def _is_me(name: str, me: Me) -> bool:
    return bool(me.username) and name.lower() == me.username.lower()


# ── What else people do ─────────────────────────────────────────────────────────────────────────


def _pressed(body: Fields, me: Me, event: str) -> Inbound | None:
    """https://core.telegram.org/bots/api#callbackquery: the message may be gone, or too old to be shown."""
    id, data, message = _id(body, "id"), _str(body, "data"), _dict(body, "message")
    sender = _dict(body, "from")
    address = _address({**message, "sender_chat": None, "from": sender}, me) or _private(sender, me)
    if not id or not data or address is None:
        return None
    ours = CALLBACK.fullmatch(data)
    press = (
        Press(question=ours["question"], choice=ours["choice"]) if ours else Press(question="", choice=data)
    )
    return Inbound(
        external_id=f"callback/{id}",
        kind=EventKind.PRESS,
        address=address,
        text=_label(message, data),
        press=press,
        refers_to=_message_id(message),
        language=_language(sender),
    )


def _label(message: Fields, data: str) -> str:
    """What stands on the button that was pressed."""
    rows = _list(_dict(message, "reply_markup"), "inline_keyboard")
    buttons = (button for row in rows if isinstance(row, list) for button in row if isinstance(button, dict))
    return next((_str(button, "text") for button in buttons if button.get("callback_data") == data), "")


NO_EMOJI = "❔"  # a picture of their own, or stars: there is no sign for it that we could show


def _reacted(body: Fields, me: Me, event: str) -> Inbound | None:
    who = _dict(body, "user") or _dict(body, "actor_chat")
    address = _address({"chat": body.get("chat"), "from": who}, me)
    if address is None:
        return None
    reactions = [one for one in _list(body, "new_reaction") if isinstance(one, dict)]
    return Inbound(
        external_id=event,
        kind=EventKind.REACTION,
        address=address,
        text="".join(_str(one, "emoji") or NO_EMOJI for one in reactions),
        refers_to=_message_id(body),
        sent_at=time_of(body.get("date")),
    )


PRESENCE = {"kicked": EventKind.BLOCKED, "member": EventKind.UNBLOCKED}


def _member(body: Fields, me: Me, event: str) -> Inbound | None:
    """A customer blocks or unblocks us; in groups it says that we came or went, which concerns no customer."""
    status = _dict(body, "new_chat_member").get("status")
    kind = PRESENCE.get(status) if isinstance(status, str) else None
    address = _address(body, me)
    if address is None or kind is None or address.public:
        return None
    return Inbound(external_id=event, kind=kind, address=address, sent_at=time_of(body.get("date")))


READERS: Mapping[str, Callable[[Fields, Me, str], Inbound | None]] = {
    "message": _message,
    "edited_message": _edited,
    "callback_query": _pressed,
    "message_reaction": _reacted,
    "my_chat_member": _member,
    "channel_post": lambda *_: None,
    "edited_channel_post": lambda *_: None,
}


def _unknown(update: dict[str, Any], me: Me, event: str) -> Inbound:
    bodies = [body for body in update.values() if isinstance(body, dict)]
    address = next(filter(None, (_somebody(body, me) for body in bodies)), None)
    return Inbound(
        external_id=event,
        kind=EventKind.UNKNOWN,
        address=address or Address(channel=CHANNEL, account=me.account, user="nobody", chat="nobody"),
        raw=Raw(storable(update)),
    )


def _ignored(body: Fields, me: Me, event: str) -> Inbound:
    """Counted and remembered, so that it comes once; what people say among themselves is not kept."""
    somebody = _somebody(body, me)
    if somebody is not None and somebody.public:
        somebody = msgspec.structs.replace(somebody, user=somebody.chat)
    return Inbound(
        external_id=event,
        kind=EventKind.UNKNOWN,
        address=somebody or Address(channel=CHANNEL, account=me.account, user="nobody", chat="nobody"),
        raw=Raw(msgspec.json.encode({"update_id": int(event.rpartition("/")[2]), "ignored": sorted(body)})),
    )


# ── Attachments ─────────────────────────────────────────────────────────────────────────────────


def _attachments(body: Fields) -> tuple[Attachment, ...]:
    found = [_file(key, body[key]) for key in FILES if body.get(key) and not _comes_twice(key, body)]
    found += [
        read(_dict(body, key))
        for key, read in CARDS.items()
        if _dict(body, key) and not _comes_twice(key, body)
    ]
    known = tuple(one for one in found if one is not None)
    if known or _str(body, "text") or _str(body, "caption"):
        return known
    strange = sorted(key for key in body if key not in FRAME)
    return (Attachment(kind=AttachmentKind.UNKNOWN, name=strange[0] if strange else ""),)


def _comes_twice(key: str, body: Fields) -> bool:
    return (key == "document" and "animation" in body) or (key == "location" and "venue" in body)


def _file(key: str, value: Any) -> Attachment | None:
    """Sizes of a photo ascend: the last is the whole."""
    body = value[-1] if isinstance(value, list) and value else value
    if not isinstance(body, dict) or not _str(body, "file_id"):
        return None
    kind, mime = FILES[key]
    facts = {name: _count(body, name) for name in ("duration", "width", "height") if _count(body, name)}
    return Attachment(
        kind=kind,
        name=_str(body, "file_name") or _str(body, "title") or _str(body, "emoji"),
        mime=_str(body, "mime_type") or mime,
        size=_count(body, "file_size"),
        remote=_str(body, "file_id"),
        data=facts,
    )


def _place(body: Fields) -> Attachment | None:
    numbers = {name: body.get(name) for name in ("latitude", "longitude")}
    if not all(isinstance(value, int | float) and abs(value) <= 180 for value in numbers.values()):
        return None
    return Attachment(kind=AttachmentKind.LOCATION, data=numbers)


def _venue(body: Fields) -> Attachment | None:
    place = _place(_dict(body, "location"))
    words = {name: _str(body, name) for name in ("title", "address")}
    return (
        msgspec.structs.replace(place, name=words["title"], data={**place.data, **words}) if place else None
    )


def _contact(body: Fields) -> Attachment | None:
    name = " ".join(filter(None, (_str(body, "first_name"), _str(body, "last_name"))))
    return Attachment(kind=AttachmentKind.CONTACT, name=name, data={"phone": _str(body, "phone_number")})


CARDS: Mapping[str, Callable[[Fields], Attachment | None]] = {
    "location": _place,
    "venue": _venue,
    "contact": _contact,
}


# ── Small parts ─────────────────────────────────────────────────────────────────────────────────


def _address(body: Fields, me: Me) -> Address | None:
    """Who said it, and where. In public a person is another customer than in private: what they told us there must
    not be said here. A topic of a forum is a conversation of its own.
    """
    chat, sender = _dict(body, "chat"), _dict(body, "from")
    place, person = _id(chat, "id"), _id(sender, "id")
    if not place:
        return None
    topic = _id(body, "message_thread_id") if body.get("is_topic_message") is True else ""
    where = f"{place}/{topic}" if topic else place
    if chat.get("type") == "private":
        return _at(me, person or place, where)
    # For whoever speaks as a chat, `from` is one bot of Telegram's, the same everywhere.
    person = _id(_dict(body, "sender_chat"), "id") or person
    return _at(me, f"{person}/public" if person else place, where, public=True)


def _private(sender: Fields, me: Me) -> Address | None:
    person = _id(sender, "id")
    return _at(me, person, person) if person else None


def _somebody(body: Fields, me: Me) -> Address | None:
    for key in ("from", "user"):
        if address := _address({"chat": body.get("chat"), "from": body.get(key)}, me):
            return address
        if address := _private(_dict(body, key), me):
            return address
    return None


def _at(me: Me, user: str, chat: str, *, public: bool = False) -> Address:
    return Address(channel=CHANNEL, account=me.account, user=user, chat=chat, public=public)


def _message_id(message: Fields, chat: Fields | None = None) -> str:
    """A message's number counts within its chat; a quoted one may come without naming it."""
    place, number = _id(_dict(message, "chat") or chat or {}, "id"), _id(message, "message_id")
    return f"{place}/{number}" if place and number else ""


def _dict(body: Fields, key: str) -> Fields:
    value = body.get(key)
    return value if isinstance(value, dict) else {}


def _list(body: Fields, key: str) -> list[Any]:
    value = body.get(key)
    return value if isinstance(value, list) else []


def _str(body: Fields, key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str):
        return ""
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _id(body: Fields, key: str) -> str:
    value = body.get(key)
    if not isinstance(value, IDS) or isinstance(value, bool):
        return ""
    return str(value).encode("ascii", "replace").decode()[:64]


def _count(body: Fields, key: str) -> int:
    value = body.get(key)
    return value if isinstance(value, int) and 0 <= value <= MOST else 0


def time_of(value: Any) -> datetime | None:
    """Seconds since 1970; None for what is no time."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 1 << 35:
        return None
    return datetime.fromtimestamp(value, UTC)


def _language(sender: Fields) -> str:
    known = LANGUAGE.fullmatch(_str(sender, "language_code"))
    return known[1].lower() if known else ""

"""What the Bot API refuses, in its own words: texts, captions, entities, keyboards and files; pure.

The limits are those of https://core.telegram.org/bots/api, the words what github.com/tdlib/telegram-bot-api and tdlib
answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

TEXT_LIMIT, CAPTION_LIMIT = 4096, 1024  # after entities were parsed
CALLBACK_LIMIT = 64  # bytes
BUTTONS = 100
ALERT_LIMIT = 200
DOWNLOAD_LIMIT, UPLOAD_LIMIT, PHOTO_LIMIT = (size * 1024 * 1024 for size in (20, 50, 10))
DELETABLE = 48  # hours
PORTS = {None, 80, 88, 443, 8443}
SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
ACTIONS = {"typing", "upload_photo", "upload_document", "record_voice", "upload_voice", "choose_sticker"}
ENTITIES = {
    *(
        "mention",
        "hashtag",
        "cashtag",
        "bot_command",
        "url",
        "email",
        "phone_number",
        "bold",
        "italic",
        "underline",
    ),
    *(
        "strikethrough",
        "spoiler",
        "blockquote",
        "expandable_blockquote",
        "code",
        "pre",
        "text_link",
        "text_mention",
    ),
    "custom_emoji",
}
TAGS = {
    "b",
    "strong",
    "i",
    "em",
    "u",
    "ins",
    "s",
    "strike",
    "del",
    "code",
    "pre",
    "blockquote",
    "a",
    "tg-spoiler",
}
TAG = re.compile(r"<(?P<close>/)?(?P<name>[a-zA-Z][\w-]*)[^>]*>")
NO_DATA = "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"
NO_LABEL = "can't parse inline keyboard button: Can't find field \"text\""


class Refusal(Exception):
    """An answer that is none: code, description, parameters."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code, self.description, self.parameters = code, description, parameters


def bad(words: str, **parameters: int) -> Refusal:
    return Refusal(400, f"Bad Request: {words}", **parameters)


def units(text: str) -> int:
    """UTF-16 code units, in which entities are measured."""
    return len(text.encode("utf-16-le")) // 2


def check_text(data: Mapping[str, Any]) -> str:
    """The text as it will be shown."""
    text = _parsed(str(data.get("text") or ""), data)
    if not text:
        raise bad("message text is empty")
    if not text.strip():
        raise bad("text must be non-empty")
    if units(text) > TEXT_LIMIT:
        raise bad("message is too long")
    _check_entities(text, data.get("entities"))
    return text


def check_caption(data: Mapping[str, Any]) -> str:
    caption = _parsed(str(data.get("caption") or ""), data)
    if units(caption) > CAPTION_LIMIT:
        raise bad("message caption is too long")
    _check_entities(caption, data.get("caption_entities"))
    return caption


def _parsed(text: str, data: Mapping[str, Any]) -> str:
    mode = str(data.get("parse_mode") or "").lower()
    if not mode:
        return text
    if mode != "html":
        raise bad("unsupported parse_mode")
    _check_tags(text)
    return TAG.sub("", text)


def _check_tags(text: str) -> None:
    opened: list[str] = []
    for tag in TAG.finditer(text):
        at, name = len(text[: tag.start()].encode()), tag["name"].lower()
        if tag["close"]:
            if not opened or opened.pop() != name:
                raise bad(f"can't parse entities: Unmatched end tag at byte offset {at}")
        elif name not in TAGS:
            raise bad(f'can\'t parse entities: Unsupported start tag "{name}" at byte offset {at}')
        else:
            opened.append(name)
    if opened:
        raise bad(f"can't parse entities: Can't find end tag corresponding to start tag \"{opened[-1]}\"")


def _check_entities(text: str, entities: Any) -> None:
    encoded = text.encode("utf-16-le")
    for one in entities or ():
        offset, end = one["offset"], one["offset"] + one["length"]
        if one["type"] not in ENTITIES:
            raise bad("can't parse MessageEntity: Unsupported type specified")
        if offset < 0:
            raise bad(f"receive an entity with incorrect offset {offset}")
        if one["length"] <= 0:
            raise bad(f"receive an entity with incorrect length {one['length']}")
        if offset >= units(text):
            raise bad(f"entity begins after the end of the text at UTF-16 offset {offset}")
        if end > units(text):
            words = f"entity beginning at UTF-16 offset {offset} ends after the end of the text at UTF-16 offset {end}"
            raise bad(words)
        for place, verb in ((offset, "begins"), (end, "ends")):
            if _halves_a_pair(encoded, place):
                raise bad(
                    f"entity {verb} in a middle of a UTF-16 symbol at byte offset {_bytes(encoded, place)}"
                )
        if one["type"] == "text_link" and not re.match(r"(https?|tg)://[^\s/]+", one.get("url", "")):
            raise bad(f"entity URL '{one.get('url', '')}' is invalid: Wrong HTTP URL")


def _halves_a_pair(encoded: bytes, place: int) -> bool:
    return 0xDC <= int.from_bytes(encoded[2 * place : 2 * place + 2], "little") >> 8 <= 0xDF


def _bytes(encoded: bytes, place: int) -> int:
    return len(encoded[: 2 * place - 2].decode("utf-16-le", "replace").encode())


def check_keyboard(data: Mapping[str, Any]) -> None:
    buttons = list(_buttons(data.get("reply_markup")))
    for button in buttons:
        if "text" not in button:
            raise bad(NO_LABEL)
        if not button.get("callback_data"):
            raise bad(NO_DATA)
        if len(button["callback_data"].encode()) > CALLBACK_LIMIT:
            raise bad("BUTTON_DATA_INVALID")
    if len(buttons) > BUTTONS:
        raise bad("REPLY_MARKUP_TOO_LONG")


def _buttons(markup: Any) -> Iterator[Mapping[str, Any]]:
    rows = (markup or {}).get("inline_keyboard", ())
    if not isinstance(rows, list | tuple):
        raise bad('field "inline_keyboard" must be of type Array')
    for row in rows:
        yield from row


def check_upload(method: str, content: Any) -> bytes:
    if not isinstance(content, bytes):
        raise bad("wrong file identifier/HTTP URL specified")
    if len(content) > UPLOAD_LIMIT:
        raise Refusal(413, "Request Entity Too Large")
    if not content:
        raise bad("file must be non-empty")
    if method == "sendPhoto" and len(content) > PHOTO_LIMIT:
        raise bad("file is too big")
    return content

"""Our messages as calls of the Bot API; pure. https://core.telegram.org/bots/api#available-methods"""

from __future__ import annotations

import re
from typing import Any

from bot.domain.errors import SendRejected
from bot.domain.messages import Attachment, AttachmentKind, Button, Message
from bot.domain.ports import Payload
from connectors.telegram.text import CAPTION_LIMIT, Piece, split, units, whole

CALLBACK_LIMIT = 64  # bytes of callback_data
LABEL_LIMIT = 64  # characters; longer ones are cut off by the apps anyway
BUTTONS = 100  # of one message; beyond that Telegram refuses all of it
ONE_A_ROW = 10  # more stand in pairs, or nobody sees the last
PHOTO_LIMIT = 10 * 1024 * 1024
UPLOAD_LIMIT = 50 * 1024 * 1024
PHOTOS = {"image/jpeg", "image/png", "image/webp"}
OURS = re.compile(r"(?P<chat>-?\d+)/(?P<message>\d+)")


def render(message: Message, *, html: bool) -> tuple[Payload, ...]:
    """Text first, then files; a short text is the caption of the first. Raises `SendRejected`."""
    piece, buttons = whole(message.text, html=html), message.buttons
    fit = [button for button in buttons if _fits(message.question, button)][:BUTTONS]
    unfit = [button for button in buttons if button not in fit]
    if unfit:  # answering in words works as well
        labels = "\n".join(f"• {button.label}" for button in unfit)
        piece = Piece(text=f"{piece.text}\n\n{labels}", entities=piece.entities)
    as_caption = bool(message.attachments) and units(piece.text) <= CAPTION_LIMIT
    payloads = [] if as_caption else [_text(one) for one in split(piece)]
    payloads += [_file(one) for one in message.attachments]
    if as_caption and (caption := split(piece, CAPTION_LIMIT)):
        payloads[0] |= _marked("caption", caption[0])
    if not payloads:
        raise SendRejected("The message is empty.")
    payloads[0] |= _quoting(message)
    payloads[-1] |= _keyboard(message.question, fit)
    where = _where(message.address.chat)
    return tuple({**payload, **where} for payload in payloads)


def _where(chat: str) -> Payload:
    place, _, topic = chat.partition("/")
    known: Payload = {"chat_id": int(place) if re.fullmatch(r"-?\d+", place) else place}
    return {**known, "message_thread_id": int(topic)} if topic.isdecimal() else known


def _text(piece: Piece) -> Payload:
    return {"method": "sendMessage", **_marked("text", piece)}


def _marked(key: str, piece: Piece) -> Payload:
    """With its entities by their places: nothing has to be escaped, nothing can be parsed wrongly."""
    entities = [one.as_payload() for one in piece.entities]
    name = "entities" if key == "text" else f"{key}_entities"
    return {key: piece.text, name: entities} if entities else {key: piece.text}


def _file(attachment: Attachment) -> Payload:
    if not attachment.file:
        raise SendRejected("The file is not in our store; attach it again.")
    if attachment.size > UPLOAD_LIMIT:
        raise SendRejected("The file is larger than 50 MB; Telegram takes no more from a bot.")
    picture = attachment.kind is AttachmentKind.IMAGE and attachment.mime in PHOTOS
    photo = picture and attachment.size <= PHOTO_LIMIT
    method, field = ("sendPhoto", "photo") if photo else ("sendDocument", "document")
    return {"method": method, "file": attachment.file, "field": field, "name": attachment.name or "file"}


def _quoting(message: Message) -> Payload:
    """What it answers, if that is still there; in another chat's words nothing is quoted."""
    quoted = OURS.fullmatch(message.reply_to)
    if not quoted or quoted["chat"] != message.address.chat.partition("/")[0]:
        return {}
    parameters = {"message_id": int(quoted["message"]), "allow_sending_without_reply": True}
    return {"reply_parameters": parameters}


def _keyboard(question: str, buttons: list[Button]) -> Payload:
    if not buttons:
        return {}
    shown = [{"text": _label(one), "callback_data": _data(question, one)} for one in buttons]
    width = 1 if len(shown) <= ONE_A_ROW else 2
    rows = [shown[at : at + width] for at in range(0, len(shown), width)]
    return {"reply_markup": {"inline_keyboard": rows}}


def _label(button: Button) -> str:
    label = button.label.strip() or button.choice
    return label if len(label) <= LABEL_LIMIT else f"{label[: LABEL_LIMIT - 1]}…"


def _data(question: str, button: Button) -> str:
    return f"{question}:{button.choice}"


def _fits(question: str, button: Button) -> bool:
    return len(_data(question, button).encode()) <= CALLBACK_LIMIT


# ── Changing what was sent ──────────────────────────────────────────────────────────────────────


def edits(receipts: tuple[str, ...], message: Message, *, html: bool) -> tuple[Payload, ...]:
    """The calls that make what was sent say this; `receipts` are ours, one per part. Raises `SendRejected`."""
    payloads = render(message, html=html)
    if len(payloads) > len(receipts):
        raise SendRejected("The new text needs more messages than were sent; write another one.")
    calls = [_edit(receipt, payload) for receipt, payload in zip(receipts, payloads, strict=False)]
    return (*calls, *deletions(receipts[len(payloads) :]))


def _edit(receipt: str, payload: Payload) -> Payload:
    keys = ("text", "entities") if "text" in payload else ("caption", "caption_entities")
    method = "editMessageText" if "text" in payload else "editMessageCaption"
    shown: dict[str, Any] = {key: payload[key] for key in (*keys, "reply_markup") if key in payload}
    return {"method": method, **_message(receipt), **shown}


def deletions(receipts: tuple[str, ...]) -> tuple[Payload, ...]:
    return tuple({"method": "deleteMessage", **_message(receipt)} for receipt in receipts)


def _message(receipt: str) -> Payload:
    known = OURS.fullmatch(receipt)
    if not known:
        raise SendRejected("It is not known which message this is at Telegram.")
    return {"chat_id": int(known["chat"]), "message_id": int(known["message"])}

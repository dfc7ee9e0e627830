"""What stands under a card: the story so far, every line that follows, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from bot.domain.cases import Case
from bot.domain.desks import Left, Mark, Story, ThreadPost
from bot.domain.messages import (
    Attachment,
    AttachmentKind,
    AuthorKind,
    Direction,
    Message,
    MessageState,
)
from bot.domain.ports import Payload
from handoff.desks.slack.api import permalink
from handoff.desks.slack.blocks import (
    ELLIPSIS,
    MESSAGE_BYTES,
    Part,
    actions,
    button,
    clean,
    context,
    cut_bytes,
    joined,
    link,
    linked,
    marked,
    moment,
    one_line,
    pieces,
    place,
    posted,
    quote,
    rich,
    section,
    words,
)
from handoff.desks.slack.look import DESK, GROUP, Look, user_of
from handoff.desks.slack.markup import escape

LINE_BYTES, LINE_LINES = 6_500, 60
TOLD = 400  # of each line of a story
STORY_LINES, STORY_PARTS, STORY_FILES = 30, 3, 10
QUOTED, NAME, WHY = 200, 80, 300
FILES = 10
HERE = "here"  # whoever is active in the channel

MARKS: Mapping[str, str] = {
    "note": "memo",
    "waits": "hourglass_flowing_sand",
    "sent": "white_check_mark",
    "read": "eyes",
    "failed": "warning",
}
ARRIVED = (MessageState.SENT, MessageState.DELIVERED, MessageState.READ)


# ── One line ────────────────────────────────────────────────────────────────────────────────────


def line(post: ThreadPost, look: Look) -> tuple[Payload, ...]:
    """A message under its card; of one that was written in this channel, what became of it."""
    message = post.message
    channel, _ = place(post.card_receipt)
    if message.written.startswith(f"{DESK}:{channel}:"):
        return _fate(post, look)
    said = posted(
        channel,
        f"line:{message.id}",
        _notified(post.case, message, look),
        [*_line(post.case, message, look), *_settled(message, look), *_buttons(post, look)],
        thread=post.card_receipt,
        receipt=post.receipt,
    )
    if message.ping == HERE and said["do"] == "post":
        said["arguments"]["broadcast"] = (
            True  # in a thread alone, whoever does not follow it may not hear of it
        )
    if owner := _reminded(post.case, message):  # who sends it knows whether they are there
        said |= {"calls": owner, "quiet": _line(post.case, replace(message, ping=""), look)}
    return said, *_uploads(message, post.card_receipt, look, post.uploaded)


def _line(case: Case, message: Message, look: Look) -> list[Part]:
    if message.author.kind is AuthorKind.SYSTEM and message.direction is Direction.NOTE:
        return _system_note(case, message, look)
    return [*rich(*_said(case, message, look)), *_rest(case, message, look)]


def _said(case: Case, message: Message, look: Look) -> list[Part]:
    author = words(f"{one_line(look.author(message.author, case), NAME)}  ", bold=True)
    head = [author, moment(message.at, look), *_flags(message, look)]
    if message.deleted_at:
        return [section(*head, words(f"\n{_taken_back(message, look)}", italic=True))]
    ours = quote if message.direction is Direction.OUT else section
    about = [quote(words(one_line(message.quote, QUOTED), italic=True))] if message.quote else []
    text = [words(piece) for piece in pieces(_readable(message.text))]
    return [section(*head), *about, ours(*text), section(*_after(message, look))]


def _readable(text: str) -> str:
    """What has room in one message; all of it is a click away."""
    rows = clean(text).strip().split("\n")
    shown = "\n".join(rows[:LINE_LINES]) + ("…" if len(rows) > LINE_LINES else "")
    return cut_bytes(shown, LINE_BYTES)


def _rest(case: Case, message: Message, look: Look) -> list[Part]:
    text = clean(message.text).strip()
    if message.deleted_at or _readable(message.text) == text:
        return []
    label = look("case.whole_text", n=len(text))
    return context(linked(look.text_url(case, message.id), label))


def _flags(message: Message, look: Look) -> list[Part]:
    flags = (
        ("line.note", message.direction is Direction.NOTE),
        ("line.forwarded", message.forwarded),
        ("case.edited", message.edited_at is not None and message.deleted_at is None),
    )
    return [words(f"  {look(key)}", italic=True) for key, holds in flags if holds]


def _taken_back(message: Message, look: Look) -> str:
    return look("case.deleted" if message.direction is Direction.IN else "case.taken_back")


def _after(message: Message, look: Look) -> list[Part]:
    """Files, offered buttons, the customer's reaction: a line each."""
    offered = " · ".join(one_line(one.label, NAME) for one in message.buttons[:FILES])
    reaction = one_line(message.reaction, NAME)
    return joined(
        [
            *([words(f"📎 {_file(one, look)}")] for one in message.attachments[:FILES]),
            [words(f"{look('case.offered')}: {offered}", italic=True)] if offered else [],
            [words(f"{look('case.reaction')}: {reaction}")] if reaction else [],
        ],
        "\n",
    )


def _file(file: Attachment, look: Look) -> str:
    name = one_line(file.name, NAME)
    told = [look.known("attachment", file.kind), name, *_facts(file)]
    size = f" ({look.size(file.size)})" if file.size else ""
    shown = " ".join(part for part in told if part) + size
    if file.missing:
        return f"{shown}: {look('case.no_file')}: {one_line(file.missing, WHY)}"
    return shown if file.file or not file.remote else f"{shown}: {look('line.fetching')}"


def _facts(file: Attachment) -> list[str]:
    """A place or a person has no file."""
    if file.kind is AttachmentKind.LOCATION:
        told = (file.data.get("latitude"), file.data.get("longitude"))
        return [", ".join(one_line(str(one), NAME) for one in told if one is not None)]
    if file.kind is AttachmentKind.CONTACT:
        return [one_line(str(one), NAME) for one in file.data.values() if isinstance(one, str)][:3]
    return []


def _notified(case: Case, message: Message, look: Look) -> str:
    said = _taken_back(message, look) if message.deleted_at else message.text
    files = ", ".join(look.known("attachment", one.kind) for one in message.attachments[:FILES])
    return f"{look.author(message.author, case)}: {said or files}"


def _system_note(case: Case, message: Message, look: Look) -> list[Part]:
    """The only words that call somebody, and only whom they were made for."""
    called = _called(case, message.ping)
    if not called:
        told = pieces(_readable(look.note(message.text)) or ELLIPSIS)
        return rich(section(*(words(piece, italic=True) for piece in told)))
    text = escape(one_line(look.note(message.text), 2 * WHY))
    return [{"type": "section", "text": marked(f"{called} {text}")}]


def _reminded(case: Case, message: Message) -> str:
    """The owner whom a note calls by name."""
    return user_of(case.owner) if message.author.kind is AuthorKind.SYSTEM and message.ping == "owner" else ""


def _called(case: Case, ping: str) -> str:
    owner = user_of(case.owner)
    if ping == "owner":
        return f"<@{owner}>" if owner else ""
    if ping == HERE:
        return "<!here>"
    return f"<!subteam^{ping}>" if GROUP.fullmatch(ping) else ""


# ── What became of words to a customer ──────────────────────────────────────────────────────────


def _fate(post: ThreadPost, look: Look) -> tuple[Payload, ...]:
    """Nothing where a mark says all; what was told once is told again when it changes."""
    message = post.message
    if post.receipt and _went_out(message):
        return (_removed(post),)
    told = _settled(message, look) or ([] if not post.receipt else _well(message, look))
    if not told:
        return ()
    channel, _ = place(post.card_receipt)
    key = f"fate:{message.id}"
    text = _fate_words(message, look) or look.known("message_state", message.state)
    blocks = [*told, *_buttons(post, look)]
    return (posted(channel, key, text, blocks, thread=post.card_receipt, receipt=post.receipt),)


def _went_out(message: Message) -> bool:
    """Its time for Undo is over, and the mark says that the customer has it."""
    return bool(message.undo_until) and message.state in ARRIVED and not message.deleted_at


def _removed(post: ThreadPost) -> Payload:
    channel, ts = place(post.receipt)
    return {"do": "remove", "channel": channel, "key": f"fate:{post.message.id}", "arguments": {"ts": ts}}


def _settled(message: Message, look: Look) -> list[Part]:
    if message.direction is not Direction.OUT:
        return []
    if _can_undo(message) and message.undo_until:
        goes = (words(f"{look('fate.goes')} "), moment(message.undo_until, look, "{time_secs}"))
        return rich(section(*goes))
    told = _fate_words(message, look)
    return rich(section(words(told))) if told else []


def _fate_words(message: Message, look: Look) -> str:
    """What has to be told of it; nothing when all is well."""
    if message.direction is not Direction.OUT or message.deleted_at:
        return ""
    why = one_line(look.note(message.reason), WHY)
    if message.held and message.state in (MessageState.QUEUED, MessageState.DEFERRED):
        return look("fate.held")
    told = {
        MessageState.FAILED: f"⚠️ {look('message_state.failed')}{f': {why}' if why else ''}",
        MessageState.IN_DOUBT: f"⚠️ {look('fate.in_doubt')}",
        MessageState.DEFERRED: f"⏳ {look('message_state.deferred')}{f': {why}' if why else ''}",
        MessageState.CANCELLED: look("message_state.cancelled"),
    }
    return told.get(message.state, "")


def _well(message: Message, look: Look) -> list[Part]:
    """A line that told of trouble tells how it ended."""
    if message.direction is Direction.NOTE:
        return rich(section(words(look("line.note"))))
    if message.deleted_at:
        return rich(section(words(look("case.taken_back"))))
    mark = "✅ " if message.state in ARRIVED else ""
    return rich(section(words(mark + look.known("message_state", message.state))))


def _can_undo(message: Message) -> bool:
    return message.undo_until is not None and message.state is MessageState.QUEUED and not message.held


def _buttons(post: ThreadPost, look: Look) -> list[Part]:
    """What can still be done about it; the value names case and message."""
    value = f"{post.case.id}|{post.message.id}"
    return actions(*(button(look(key), name, value) for name, key in _mending(post)))


def _mending(post: ThreadPost) -> tuple[tuple[str, str], ...]:
    message = post.message
    if message.direction is not Direction.OUT or message.deleted_at:
        return ()
    by_agent = message.author.kind is AuthorKind.AGENT
    if by_agent and _can_undo(message):
        return (("undo", "fate.undo"),)
    if by_agent and message.held and message.state in (MessageState.QUEUED, MessageState.DEFERRED):
        return ("send_now", "fate.send_anyway"), ("edit_held", "fate.edit"), ("undo", "fate.not_at_all")
    if message.state is MessageState.FAILED:
        return (("window", "fate.what_else"),) if post.closed else (("retry", "act.retry"),)
    if message.state is MessageState.IN_DOUBT:
        return ("retry", "act.retry"), ("arrived", "act.arrived")
    return ()


def marks(mark: Mark) -> tuple[Payload, ...]:
    """Reactions on an agent's own words; one that is there already, or gone already, is as it should be."""
    channel, ts = place(mark.message.written.removeprefix(f"{DESK}:"))
    changes = [("react", name) for name in mark.due if name not in mark.shown]
    changes += [("unreact", name) for name in mark.shown if name not in mark.due]
    return tuple(
        {
            "do": do,
            "channel": channel,
            "key": f"mark:{mark.message.id}:{name}",
            "arguments": {"name": MARKS[name], "timestamp": ts},
        }
        for do, name in changes
    )


# ── Files ───────────────────────────────────────────────────────────────────────────────────────


def _uploads(message: Message, card_receipt: str, look: Look, uploaded: Sequence[str] = ()) -> list[Payload]:
    """The files that we have and Slack has not."""
    if message.deleted_at:
        return []
    channel, ts = place(card_receipt)
    return [
        {
            "do": "upload",
            "channel": channel,
            "key": f"file:{message.id}:{index}",
            "arguments": {
                "file": file.file,
                "name": one_line(file.name, NAME) or look.known("attachment", file.kind),
                "size": file.size,
                "mime": file.mime,
                "thread_ts": ts,
            },
        }
        for index, file in enumerate(message.attachments[:FILES])
        if file.file and file.file not in uploaded
    ]


def no_file(upload: Payload, why: str, look: Look) -> Payload:
    """In place of a file that could not be put under the card."""
    channel, told = upload["channel"], upload["arguments"]
    text = f"📎 {one_line(told['name'], NAME)}: {look('case.no_file')}: {one_line(look.note(why), WHY)}"
    card = f"{channel}:{told['thread_ts']}"
    return posted(channel, upload["key"], text, rich(section(words(text, italic=True))), thread=card)


# ── The story so far ────────────────────────────────────────────────────────────────────────────


def story(story: Story, look: Look) -> tuple[Payload, ...]:
    """The last lines of the transcript in one message or a few, and the customer's files."""
    case, shown = story.case, story.transcript[-STORY_LINES:]
    told = [_told(case, message, look) for message in shown]
    parts = _packed([one for one in told if one])
    channel, _ = place(story.card_receipt)
    last = len(parts) - 1
    said = tuple(
        posted(
            channel,
            f"story:{case.id}:{story.card_receipt}:{index}",
            look("story.title"),
            [*rich(*lines), *(_whole(story, look) if index == last else [])],
            thread=story.card_receipt,
        )
        for index, lines in enumerate(parts)
    )
    incoming = (one for one in shown if one.direction is Direction.IN)
    files = [upload for message in incoming for upload in _uploads(message, story.card_receipt, look)]
    return *said, *files[-STORY_FILES:]


def _told(case: Case, message: Message, look: Look) -> list[Part]:
    said = [section(*_story_head(case, message, look))]
    text = one_line(message.text, TOLD)
    files = [words(f"{' ' if text else ''}📎 {_file(one, look)}") for one in message.attachments[:FILES]]
    if message.deleted_at:
        return [*said, section(words(_taken_back(message, look), italic=True))]
    ours = quote if message.direction is Direction.OUT else section
    return [*said, ours(words(text), *files)] if text or files else []


def _story_head(case: Case, message: Message, look: Look) -> list[Part]:
    author = words(f"{one_line(look.author(message.author, case), NAME)}  ", bold=True)
    trouble = _fate_words(message, look)
    told = [words(f"  {trouble}", italic=True)] if trouble else []
    return [author, moment(message.at, look), *_flags(message, look), *told]


def _packed(told: Iterable[list[Part]]) -> list[list[Part]]:
    """Into as few messages as they fit in; what has no room is what is oldest."""
    parts: list[list[Part]] = []
    for lines in reversed([*told]):
        if parts and _bytes([*lines, *parts[0]]) <= MESSAGE_BYTES - 2 * TOLD:
            parts[0] = [*lines, *parts[0]]
        elif len(parts) < STORY_PARTS:
            parts.insert(0, lines)
        else:
            break
    return parts


def _bytes(parts: list[Part]) -> int:
    return len(msgspec.json.encode(parts))


def _whole(story: Story, look: Look) -> list[Part]:
    label = look.counted("story.whole", len(story.transcript))
    return context(linked(look.case_url(story.case), label))


# ── A card that was left ────────────────────────────────────────────────────────────────────────


def left(left: Left, look: Look) -> Payload:
    """An earlier card says where it goes on, and offers nothing any more."""
    channel, _ = place(left.receipt)
    on = link(permalink(look.workspace, *place(left.card_receipt)), look("left.there"))
    blocks = rich(
        section(words(f"{look.title(left.case)}\n", bold=True), words(f"{look('left.goes_on')} "), on)
    )
    text = f"{look.title(left.case)}: {look('left.goes_on')}"
    return posted(channel, f"left:{left.case.id}:{left.receipt}", text, blocks, receipt=left.receipt)


# ── A word to one person ────────────────────────────────────────────────────────────────────────


def hint(case: Case, look: Look, card_receipt: str, user: str, offered: str = "") -> Payload:
    """Their words stayed internal; `offered` is the note they could still send by claiming the case."""
    channel, _ = place(card_receipt)
    if case.owner and case.state in ("claimed", "snoozed"):
        return whisper(channel, card_receipt, user, look("hint.owned", owner=one_line(case.owner.name, NAME)))
    key = "hint.free" if case.is_open else "hint.closed"
    if not case.is_open:
        return whisper(channel, card_receipt, user, look(key, number=case.number))
    can = [("claim_and_send", "hint.claim_and_send", f"{case.id}|{offered}")] if offered else []
    buttons = can or [("claim", "act.claim", case.id)]
    pressed = [button(look(label), name, value, "primary") for name, label, value in buttons]
    return whisper(channel, card_receipt, user, look(key), *pressed)


def kept(
    case: Case, look: Look, card_receipt: str, user: str, sentence: str, offered: str, *, closed: bool
) -> Payload:
    """Words that stayed internal in a case that somebody has: its owner is offered what is possible instead."""
    channel, _ = place(card_receipt)
    name, label = ("window", "fate.what_else") if closed else ("claim_and_send", "hint.send")
    mine = case.owner is not None and case.owner.id == user
    buttons = [button(look(label), name, f"{case.id}|{offered}")] if mine else []
    return whisper(channel, card_receipt, user, sentence, *buttons)


def whisper(channel: str, card_receipt: str, user: str, sentence: str, *buttons: Part) -> Payload:
    """A sentence that nobody else sees, in the thread where it belongs or in the channel."""
    thread = {"thread_ts": place(card_receipt)[1]} if card_receipt else {}
    text = one_line(sentence, 2 * WHY)
    return {
        "do": "ephemeral",
        "channel": channel,
        "key": f"hint:{card_receipt}:{user}",
        "arguments": {
            "user": user,
            "text": escape(text),
            "blocks": [*rich(section(words(text))), *actions(*buttons)],
            **thread,
        },
    }

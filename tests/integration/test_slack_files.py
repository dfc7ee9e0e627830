"""Files both ways: agents' uploads into our store, customers' files into the thread."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from msgspec.structs import replace

from bot.domain.errors import Misconfigured, SendDeferred, SendInDoubt, SendRejected
from bot.domain.messages import Attachment, AttachmentKind, EventKind, Message
from bot.domain.ports import Payload
from bot.stores.files import LocalFiles
from handoff.desks.slack.api import SlackApi
from handoff.desks.slack.files import LIMIT, SlackFiles, described, named
from tests.fakes.channel import FilesChannel
from tests.fakes.slack_api import TOKEN
from tests.fakes.slack_api import SlackApi as Fake
from tests.fakes.slack_workspace import BOT_ID, File, Post
from tests.slack import ADA, BEN, Office, office

HERE = "C0DEFAULT"
PICTURE = File(id="F1", name="damage.png", mime="image/png", content=b"a picture", user="U0ADA")


class Bench:
    def __init__(self, slack: Fake, api: SlackApi, folder: Path) -> None:
        self.slack, self.api = slack, api
        self.store = LocalFiles(folder)
        self.files = SlackFiles(api, self.store)

    def told(self, file: File = PICTURE, **changes: Any) -> dict[str, Any]:
        """What an event says of a file."""
        file = replace(file, **changes)
        self.slack.workspace.files[file.id] = file
        return self.slack.workspace.file(file)

    async def root(self) -> Post:
        ts = await self.api.post(HERE, text="A case")
        return next(one for one in self.slack.posted() if one.ts == ts)

    async def kept(self, content: bytes = b"%PDF", name: str = "Rechnung.pdf") -> Attachment:
        key = await self.store.put(content)
        return Attachment(kind=AttachmentKind.DOCUMENT, name=name, file=key, size=len(content))


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with Fake().serving() as slack, aiohttp.ClientSession() as http:
        yield Bench(slack, SlackApi(TOKEN, slack.api_url, http), tmp_path)


# ── From agents ─────────────────────────────────────────────────────────────────────────────────


async def test_an_agents_picture_comes_into_our_store(bench: Bench) -> None:
    found = await bench.files.fetched(described(bench.told()))
    assert (found.kind, found.name, found.mime, found.size) == (
        AttachmentKind.IMAGE,
        "damage.png",
        "image/png",
        9,
    )
    assert await bench.store.get(found.file) == b"a picture"


async def test_a_file_of_another_company_is_asked_for(bench: Bench) -> None:
    found = await bench.files.fetched(described(bench.told(check_info=True)))
    assert (found.name, await bench.store.get(found.file)) == ("damage.png", b"a picture")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"mode": "tombstone"}, "deleted"),
        ({"mode": "external", "url": "https://docs.example/x"}, "elsewhere"),
        ({"mode": "hidden_by_limit"}, "plan"),
        ({"mode": "canvas"}, "canvas"),
        ({"length": LIMIT + 1}, "larger than 25 MB"),
        ({"url": "https://docs.example/x"}, "not kept at Slack"),
        ({"content": b""}, "empty"),
        ({"check_info": True, "mode": "tombstone"}, "deleted"),
    ],
)
async def test_what_cannot_be_had_says_why(bench: Bench, changes: dict[str, Any], why: str) -> None:
    found = await bench.files.fetched(described(bench.told(**changes)))
    assert why in found.missing
    assert not found.file


async def test_a_file_that_is_gone_says_so(bench: Bench) -> None:
    known = described(bench.told())
    bench.slack.workspace.files.clear()
    assert "not there any more" in (await bench.files.fetched(known)).missing


async def test_without_the_scope_an_operator_has_to_know(bench: Bench) -> None:
    bench.slack.scopes.discard("files:read")
    with pytest.raises(Misconfigured, match="files:read"):
        await bench.files.fetched(described(bench.told()))


@pytest.mark.parametrize("trouble", [{"status": 503}, {"drop": True}])
async def test_a_download_that_fails_is_worth_another_try(bench: Bench, trouble: dict[str, Any]) -> None:
    bench.slack.breaks("download", times=2, **trouble)  # aiohttp asks twice for what it may ask twice
    with pytest.raises(SendDeferred):
        await bench.files.fetched(described(bench.told()))
    bench.slack.trouble.clear()
    assert (await bench.files.fetched(described(bench.told()))).file


async def test_half_a_file_is_no_file(bench: Bench) -> None:
    with pytest.raises(SendDeferred, match="whole"):
        await bench.files.fetched(described(bench.told(length=20)))


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ({"mimetype": "audio/mp4"}, AttachmentKind.AUDIO),
        ({"mimetype": "audio/webm", "subtype": "slack_audio"}, AttachmentKind.VOICE),
        ({"mimetype": "video/mp4"}, AttachmentKind.VIDEO),
        ({"mimetype": "application/pdf"}, AttachmentKind.DOCUMENT),
        ({}, AttachmentKind.DOCUMENT),
    ],
)
def test_a_file_is_what_its_type_says(told: dict[str, Any], kind: AttachmentKind) -> None:
    assert described({"id": "F1", **told}).kind is kind


def test_odd_file_objects_are_described_all_the_same() -> None:
    for told in ({}, {"size": "7", "name": None}, {"size": -1, "id": 5}, {"mode": ["x"]}):
        described(told)


@pytest.mark.parametrize(
    ("name", "becomes"), [("a/b\\c.txt", "a_b_c.txt"), ("x\r\ny", "x__y"), ("", "file"), ("ä.pdf", "ä.pdf")]
)
def test_a_name_is_one_line_and_no_path(name: str, becomes: str) -> None:
    assert named(name) == becomes


# ── From customers ──────────────────────────────────────────────────────────────────────────────


async def test_a_customers_file_appears_in_the_thread(bench: Bench) -> None:
    root = await bench.root()
    id = await bench.files.share(HERE, root.ts, await bench.kept(), "Rechnung.pdf (1)")
    (reply,) = bench.slack.thread(root)
    (file,) = reply.files
    assert (file.id, file.title, file.content) == (id, "Rechnung.pdf (1)", b"%PDF")


async def test_what_was_shared_and_lost_is_found_by_its_title(bench: Bench) -> None:
    root = await bench.root()
    bench.slack.breaks("files.completeUploadExternal", lose=True)
    with pytest.raises(SendInDoubt):
        await bench.files.share(HERE, root.ts, await bench.kept(), "Rechnung.pdf (1)")
    (reply,) = bench.slack.thread(root)
    assert await bench.files.find(HERE, root.ts, "Rechnung.pdf (1)", BOT_ID) == reply.files[0].id
    assert await bench.files.find(HERE, root.ts, "Rechnung.pdf (2)", BOT_ID) == ""


@pytest.mark.parametrize("step", ["files.getUploadURLExternal", "upload"])
async def test_steps_before_the_last_leave_no_doubt(bench: Bench, step: str) -> None:
    root = await bench.root()
    bench.slack.breaks(step, drop=True)
    with pytest.raises(SendDeferred):
        await bench.files.share(HERE, root.ts, await bench.kept(), "x")
    assert bench.slack.thread(root) == []


async def test_what_is_not_there_cannot_be_shared(bench: Bench) -> None:
    root = await bench.root()
    gone = Attachment(kind=AttachmentKind.IMAGE, missing="It was too large.")
    with pytest.raises(SendRejected, match="too large"):
        await bench.files.share(HERE, root.ts, gone, "x")
    with pytest.raises(SendRejected, match="empty"):
        await bench.files.share(HERE, root.ts, await bench.kept(b""), "x")


# ── In a case ───────────────────────────────────────────────────────────────────────────────────


class Carrying(FilesChannel):
    """A channel that shows which files came with which words."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[tuple[str, list[str]]] = []

    def render(self, message: Message) -> tuple[Payload, ...]:
        keys = [one.file for one in message.attachments]
        return tuple(payload | {"files": keys} for payload in super().render(message))

    def _keep(self, payload: Payload) -> None:
        super()._keep(payload)
        if payload["files"]:
            self.files.append((payload["text"], payload["files"]))


@pytest.fixture
def channel() -> Carrying:
    return Carrying()


@pytest.fixture
async def desk(tmp_path: Path, channel: Carrying) -> AsyncIterator[Office]:
    async with office(tmp_path, channel=channel) as made:
        await made.claimed(ADA)
        yield made


def upload(id: str = "F1", **changes: Any) -> File:
    return replace(PICTURE, id=id, **changes)


def shared(desk: Office) -> list[bytes]:
    """What the thread holds of customers' files."""
    return [file.content for post in desk.slack.thread(desk.card) if post.bot_id for file in post.files]


async def sends(
    desk: Office, channel: Carrying, content: bytes | SendDeferred = b"%PDF", **changes: Any
) -> None:
    """The customer sends a file, which is still at their platform."""
    name = changes.pop("name", "Rechnung.pdf")
    channel.remote[name] = content
    told = Attachment(kind=AttachmentKind.DOCUMENT, name=name, remote=name)
    await desk.customer(changes.pop("text", "Here"), attachments=(told,), **changes)


async def test_an_agents_files_reach_the_customer_with_their_words(desk: Office, channel: Carrying) -> None:
    said = await desk.say(ADA, "The label", files=[upload(), upload("F2", name="b.pdf", content=b"%PDF")])
    ((text, keys),) = channel.files
    assert text == "The label"
    assert [await desk.here.files.get(key) for key in keys] == [b"a picture", b"%PDF"]
    assert desk.slack.reactions(said) == {"white_check_mark"}


async def test_a_file_without_a_word_is_a_reply(desk: Office, channel: Carrying) -> None:
    await desk.say(ADA, "", files=[upload()])
    assert [text for text, _ in channel.files] == [""]


async def test_a_colleagues_file_stays_with_their_note(desk: Office, channel: Carrying) -> None:
    note = await desk.say(BEN, "Her last order", files=[upload()])
    assert (channel.files, desk.slack.reactions(note)) == ([], {"memo"})
    assert [file.name for file in (await desk.line(note)).attachments] == ["damage.png"]


async def test_where_the_app_may_not_read_files_the_words_go_and_both_are_told(
    desk: Office, channel: Carrying
) -> None:
    desk.slack.scopes.discard("files:read")
    said = await desk.say(ADA, "The label", files=[upload()])
    assert (channel.texts[-1], channel.files) == ("The label", [])
    assert "damage.png did not come along" in desk.whispers(ADA)[-1]
    assert desk.slack.reactions(said) == {"white_check_mark"}
    assert [alarm.id for alarm in await desk.here.alarms.sounding()] == ["slack files"]
    desk.slack.scopes.add("files:read")
    await desk.say(ADA, "Again", files=[upload()])
    assert [text for text, _ in channel.files] == ["Again"]
    assert await desk.here.alarms.sounding() == []


async def test_a_file_alone_that_cannot_be_had_sends_nothing_and_says_why(
    desk: Office, channel: Carrying
) -> None:
    before = list(channel.texts)
    await desk.say(ADA, "", files=[upload(mode="external", url="https://docs.example/x")])
    assert channel.texts == before
    assert "attach it itself" in desk.whispers(ADA)[-1]


async def test_of_two_files_the_one_that_can_be_had_goes(desk: Office, channel: Carrying) -> None:
    await desk.say(ADA, "Both", files=[upload(content=b""), upload("F2", name="b.pdf", content=b"%PDF")])
    ((_, keys),) = channel.files
    assert [await desk.here.files.get(key) for key in keys] == [b"%PDF"]
    assert "empty" in desk.whispers(ADA)[-1]


async def test_a_file_that_slack_hands_over_later_comes_with_its_words(
    desk: Office, channel: Carrying
) -> None:
    desk.slack.breaks("download", times=2, status=503)
    await desk.say(ADA, "The label", files=[upload()])
    await desk.say(ADA, "And a word")
    assert channel.texts[-1] != "And a word", "in the order it was said"
    for _ in range(3):
        await desk.later(seconds=10)
    assert channel.texts[-2:] == ["The label", "And a word"]
    assert len(channel.files) == 1


async def test_words_do_not_wait_for_ever_for_a_file(desk: Office, channel: Carrying) -> None:
    desk.slack.breaks("download", times=50, status=503)
    await desk.say(ADA, "The label", files=[upload()])
    for _ in range(10):
        await desk.later(minutes=1)
    assert (channel.texts.count("The label"), channel.files) == (1, [])
    assert "did not come along" in desk.whispers(ADA)[-1]


async def test_a_file_of_another_company_is_sent_as_well(desk: Office, channel: Carrying) -> None:
    await desk.say(ADA, "Theirs", files=[upload(check_info=True)])
    ((_, keys),) = channel.files
    assert await desk.here.files.get(keys[0]) == b"a picture"


async def test_a_customers_file_is_in_the_thread_once_when_it_has_been_fetched(
    desk: Office, channel: Carrying
) -> None:
    await sends(desk, channel)
    assert shared(desk) == []
    assert "being fetched" in desk.thread()[-1]
    for _ in range(2):
        await desk.here.fetch()
        await desk.settle()
    assert shared(desk) == [b"%PDF"]
    await desk.customer(
        "👍", kind=EventKind.REACTION, refers_to=(await desk.here.transcript())[-1].external_id
    )
    assert shared(desk) == [b"%PDF"]


async def test_a_customers_file_from_before_the_handoff_is_in_the_thread_once(
    tmp_path: Path, channel: Carrying
) -> None:
    async with office(tmp_path, channel=channel) as desk:
        await sends(desk, channel, text="Can I return it?")
        await desk.here.fetch()
        await desk.customer("A person please")
        await desk.click(ADA, "claim")
        await desk.here.fetch()
        await desk.settle()
        assert shared(desk) == [b"%PDF"]


async def test_a_customers_file_whose_upload_lost_its_answer_is_there_once(
    desk: Office, channel: Carrying
) -> None:
    desk.slack.breaks("files.completeUploadExternal", lose=True)
    await sends(desk, channel)
    await desk.here.fetch()
    for _ in range(3):
        await desk.settle()
        await desk.later(seconds=30)
    assert shared(desk) == [b"%PDF"]


async def test_two_files_of_one_name_are_two_files(desk: Office, channel: Carrying) -> None:
    desk.slack.breaks("files.completeUploadExternal", lose=True)
    await sends(desk, channel, b"one", name="photo.jpg")
    await desk.here.fetch()
    await desk.settle()
    channel.remote["photo.jpg"] = b"two"
    await sends(desk, channel, b"two", name="photo.jpg")
    await desk.here.fetch()
    for _ in range(3):
        await desk.later(seconds=30)
    assert shared(desk) == [b"one", b"two"]


async def test_a_customers_file_that_cannot_be_had_says_why_in_the_thread(
    desk: Office, channel: Carrying
) -> None:
    name = "film.mp4"
    channel.remote[name] = Misconfigured("The platform does not hand it out.")
    told = Attachment(kind=AttachmentKind.VIDEO, name=name, remote=name)
    await desk.customer("Look", attachments=(told,))
    for _ in range(12):
        await desk.here.fetch()
        await desk.later(minutes=10)
    assert shared(desk) == []
    line = next(one for one in desk.thread() if "Look" in one)
    assert "File not available" in line


async def test_a_file_does_not_hold_up_the_words_after_it_for_long(desk: Office, channel: Carrying) -> None:
    desk.slack.breaks("upload", times=2, status=503)
    await sends(desk, channel)
    await desk.here.fetch()
    await desk.settle()
    await desk.customer("Hello?")
    for _ in range(4):
        await desk.later(seconds=30)
    assert shared(desk) == [b"%PDF"]
    assert sum("Hello?" in one for one in desk.thread()) == 1


async def test_where_the_app_may_not_upload_the_thread_goes_on_and_says_so(
    desk: Office, channel: Carrying
) -> None:
    desk.slack.scopes.discard("files:write")
    await sends(desk, channel)
    await desk.here.fetch()
    await desk.settle()
    await desk.customer("Hello?")
    assert ["Rechnung.pdf" in one and "File not available" in one for one in desk.thread()[-2:]] == [
        True,
        False,
    ]
    assert "Hello?" in desk.thread()[-1]
    assert [alarm.id for alarm in await desk.here.alarms.sounding()] == ["slack uploads"]


async def test_a_file_that_slack_does_not_take_keeps_its_line_in_place(
    desk: Office, channel: Carrying
) -> None:
    await sends(desk, channel)
    desk.slack.breaks("files.completeUploadExternal", error="file_type_not_allowed")
    await desk.here.fetch()
    await desk.settle()
    line = next(one for one in await desk.here.transcript() if one.text == "Here")
    await desk.customer("👍", kind=EventKind.REACTION, refers_to=line.external_id)
    assert sum("Here" in one for one in desk.thread()) == 1
    assert "File not available" in " ".join(desk.thread())

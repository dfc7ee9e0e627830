"""Files both ways: agents' uploads into our store, customers' files into the thread."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from msgspec.structs import replace

from bot.domain.errors import SendDeferred, SendInDoubt, SendRejected
from bot.domain.messages import Attachment, AttachmentKind
from bot.stores.files import LocalFiles
from handoff.desks.slack.api import SlackApi
from handoff.desks.slack.files import LIMIT, SlackFiles, described, named
from tests.fakes.slack_api import TOKEN
from tests.fakes.slack_api import SlackApi as Fake
from tests.fakes.slack_workspace import BOT_ID, File, Post

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


async def test_without_the_scope_it_says_which(bench: Bench) -> None:
    bench.slack.scopes.discard("files:read")
    assert "files:read" in (await bench.files.fetched(described(bench.told()))).missing


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

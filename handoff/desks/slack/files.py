"""Files both ways: what agents attach comes into our store, what customers sent goes into the thread.

https://docs.slack.dev/reference/objects/file-object, https://docs.slack.dev/messaging/working-with-files
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from bot.domain.errors import Misconfigured, SendDeferred, SendRejected
from bot.domain.messages import Attachment, AttachmentKind
from bot.domain.ports import Files
from handoff.desks.slack.api import SlackApi

LIMIT = 25 * 1024 * 1024  # bytes
CHECK = "check_file_info"
NOT_THERE = {
    "tombstone": "The file was deleted.",
    "external": "The file is not kept at Slack but elsewhere; attach it itself.",
    "hidden_by_limit": "The file is older than this workspace's plan keeps.",
    "post": "It is a post of Slack's, not a file; copy its text.",
    "space": "It is a post of Slack's, not a file; copy its text.",
    "quip": "It is a canvas of Slack's, not a file; copy its text.",
    "canvas": "It is a canvas of Slack's, not a file; copy its text.",
    "list": "It is a list of Slack's, not a file.",
}
TOO_LARGE = f"It is larger than {LIMIT // 1024 // 1024} MB."
KINDS = {"image": AttachmentKind.IMAGE, "audio": AttachmentKind.AUDIO, "video": AttachmentKind.VIDEO}
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f/\\\ud800-\udfff]")
LONGEST_NAME = 200


def described(file: Mapping[str, Any]) -> Attachment:
    """A file object of an event: `remote` says where it is, or `missing` why it cannot be had. Pure."""
    mode, url = str(file.get("mode") or ""), _url(file)
    mime, size = str(file.get("mimetype") or ""), file.get("size")
    voice = file.get("subtype") == "slack_audio"
    found = Attachment(
        kind=AttachmentKind.VOICE if voice else KINDS.get(mime.partition("/")[0], AttachmentKind.DOCUMENT),
        name=named(str(file.get("name") or file.get("title") or "")),
        mime=mime,
        size=size if type(size) is int and size > 0 else 0,
    )
    if mode in NOT_THERE or file.get("is_external") is True:
        return replace(found, missing=NOT_THERE.get(mode, NOT_THERE["external"]))
    if found.size > LIMIT:
        return replace(found, missing=TOO_LARGE)
    id = str(file.get("id") or "")
    remote = id if file.get("file_access") == CHECK or not url else url
    return (
        replace(found, remote=remote) if remote else replace(found, missing="Slack does not say where it is.")
    )


def _url(file: Mapping[str, Any]) -> str:
    return str(file.get("url_private_download") or file.get("url_private") or "")


def named(name: str) -> str:
    """A name that is one line and no path."""
    return UNPRINTABLE.sub("_", name).strip()[:LONGEST_NAME] or "file"


class SlackFiles:
    """Every method raises a `SendError`, and `StoreUnavailable` when our own files are out of reach."""

    def __init__(self, api: SlackApi, files: Files) -> None:
        self._api = api
        self._files = files

    # ── From agents ─────────────────────────────────────────────────────────────────────────────

    async def fetched(self, attachment: Attachment) -> Attachment:
        """Kept in our store, or with the reason why it could not be had.

        Raises `SendDeferred` when it is worth another try, `Misconfigured` when the app may not read files.
        """
        if attachment.missing:
            return attachment
        try:
            known, content = await self._content(attachment)
        except Misconfigured:
            raise
        except SendRejected as error:
            return replace(attachment, missing=error.reason)
        if not content:
            return replace(known, missing=known.missing or "The file is empty.")
        key = await self._files.put(content)
        return replace(known, file=key, size=len(content), remote="")

    async def _content(self, attachment: Attachment) -> tuple[Attachment, bytes]:
        known = attachment
        if not known.remote.startswith(("https://", "http://")):  # shared with us by another company
            known = described({**await self._api.file(known.remote), "file_access": "visible"})
        if known.missing:
            return known, b""
        content, kind = await self._api.download(known.remote, LIMIT)
        if known.size not in {0, len(content)}:
            raise SendDeferred("What came is not the whole file.")
        return replace(known, mime=known.mime or kind), content

    # ── From customers ──────────────────────────────────────────────────────────────────────────

    async def share(self, channel: str, thread_ts: str, attachment: Attachment, title: str) -> str:
        """The three steps; its id at Slack. Raises `SendInDoubt` when only the last one may have been done.

        `title` is how `find` knows it again: make it unique within the thread.
        """
        content = await self._files.get(attachment.file) if attachment.file else None
        if content is None:
            raise SendRejected(attachment.missing or "The file is not in our store any more.")
        if not content:
            raise SendRejected("The file is empty; Slack takes none.")
        upload = await self._api.upload_url(named(attachment.name), len(content))
        await self._api.upload(upload, content)
        await self._api.share(upload.file, title, channel, thread_ts)
        return upload.file

    async def find(self, channel: str, thread_ts: str, title: str, bot: str = "") -> str:
        """The id of what was shared under this title, by `bot` (its bot or user id); empty when there is none."""
        for message in await self._api.replies(channel, thread_ts):
            if bot and bot not in {message.get("bot_id"), message.get("user")}:
                continue
            files = message.get("files")
            for file in files if isinstance(files, list) else ():
                if isinstance(file, Mapping) and file.get("title") == title:
                    return str(file.get("id") or "")
        return ""

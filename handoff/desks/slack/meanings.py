"""What Slack's refusals mean to us: https://docs.slack.dev/reference/methods/chat.postMessage#errors and its like."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from bot.domain.errors import (
    Misconfigured,
    RecipientUnreachable,
    SendDeferred,
    SendError,
    SendInDoubt,
    SendRejected,
)
from handoff.desks.slack.transport import Refused


class Rejected(SendRejected):
    """Slack's no to this one call; `code` is its word for it."""

    def __init__(self, reason: str, code: str) -> None:
        super().__init__(reason)
        self.code = code


class Unpermitted(Misconfigured):
    """The app lacks a scope: what needs it waits for an operator or is left out, the rest goes on."""


ACCOUNT = {
    "invalid_auth": "Slack does not accept the token; copy the current one from OAuth & Permissions.",
    "not_authed": "Slack saw no token; set desks.slack.token.",
    "account_inactive": "The app was removed from the workspace; install it again.",
    "token_revoked": "The token was revoked; install the app again and copy the new one.",
    "token_expired": "The token has expired; turn token rotation off and install the app again.",
    "missing_scope": "The app may not do this; add the scope and install it again",
    "not_allowed_token_type": "This token is of the wrong kind; the bot's begins with xoxb-, the app's with xapp-.",
    "org_login_required": "The workspace is being moved to another organization; try again when that is done.",
    "ekm_access_denied": "The workspace's administrators have suspended the app's access.",
    "enterprise_is_restricted": "The organization does not let the app do this; ask an administrator of Slack.",
    "access_denied": "The app has no access; ask an administrator of Slack.",
    "no_permission": "The app may not do this here; ask an administrator of Slack.",
}
CHANNELS = {
    "channel_not_found": "Slack does not know this channel, or it is private and the app is not in it; invite the app.",
    "not_in_channel": "The app is not in this channel; invite it.",
    "is_archived": "This channel is archived; name another one, or bring it back.",
    "is_inactive": "This channel is frozen; name another one.",
    "restricted_action": "The app may not write in this channel; ask an administrator of Slack.",
    "restricted_action_read_only_channel": "Only some may write in this channel; let the app do so.",
}
MESSAGES = {
    "msg_too_long": "It is too long for Slack.",
    "msg_blocks_too_long": "It is too long for Slack.",
    "no_text": "There is nothing in it to be shown.",
    "invalid_blocks": "Slack cannot show it",
    "invalid_blocks_format": "Slack cannot show it.",
    "invalid_arguments": "Slack cannot show it",
    "metadata_too_large": "What is stored with it is too large for Slack.",
    "message_not_found": "The message is not there any more.",
    "thread_not_found": "The thread is not there any more.",
    "cannot_reply_to_message": "Nobody can reply to that message.",
    "cant_update_message": "It is not the app's own message.",
    "edit_window_closed": "It is too old to be changed in this workspace.",
    "restricted_action_thread_locked": "The thread is locked.",
    "user_not_found": "Slack does not know this person.",
    "user_not_in_channel": "This person is not in the channel.",
    "file_not_found": "The file is not there any more.",
    "expired_trigger_id": "That took too long; click once more.",
    "exchanged_trigger_id": "That was a second try; click once more.",
    "hash_conflict": "Somebody else was faster; open it once more.",
    "push_limit_reached": "Too many windows are open on top of each other.",
}
BUSY = {"ratelimited", "rate_limited", "service_unavailable", "team_added_to_org", "accesslimited"}
HALF_DONE = {"internal_error", "fatal_error", "request_timeout"}  # "some aspect may have succeeded" before it
GATEWAY = {HTTPStatus.GATEWAY_TIMEOUT, HTTPStatus.REQUEST_TIMEOUT}


def meaning(answer: Mapping[str, Any], *, repeatable: bool) -> SendError:
    """Our error for an answer that says no."""
    code = str(answer.get("error") or "unknown_error")[:80]
    if code in ACCOUNT:
        if code != "missing_scope":
            return Misconfigured(ACCOUNT[code])
        needed = answer.get("needed")
        return Unpermitted(ACCOUNT[code] + (f": {needed}." if needed else "."))
    if code in CHANNELS:
        return RecipientUnreachable(CHANNELS[code])
    if code in BUSY or (code in HALF_DONE and repeatable):
        return SendDeferred("Slack has trouble just now.")
    if code in HALF_DONE:
        return SendInDoubt("Slack broke off; it may be there.")
    words = MESSAGES.get(code, f"Slack refuses it ({code}).")
    return Rejected(words if words.endswith(".") else f"{words}{_places(answer)}.", code)


def _places(answer: Mapping[str, Any]) -> str:
    """Where Slack sees what is wrong: the rule and the place, never the text."""
    told = answer.get("response_metadata")
    lines = told.get("messages") if isinstance(told, dict) else None
    found = [str(line)[:200] for line in lines if isinstance(line, str)] if isinstance(lines, list) else []
    return f": {'; '.join(found[:3])}" if found else ""


def refusal(error: Refused, *, repeatable: bool) -> SendError:
    if error.status == HTTPStatus.TOO_MANY_REQUESTS:
        return SendDeferred("Slack asks to slow down.", error.wait)
    if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return Rejected("It is too long for Slack.", "too_large")
    if error.status in GATEWAY and not repeatable:
        return SendInDoubt("Slack's answer did not come.")
    return SendDeferred(f"Slack has trouble just now (status {error.status}).")

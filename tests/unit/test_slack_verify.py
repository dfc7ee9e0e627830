"""Only what Slack signed within five minutes is looked at."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime

import pytest

from bot.domain.errors import BadSignature, Misconfigured
from bot.domain.ports import Request
from handoff.desks.slack.verify import Verifier

SECRET = "5f2b7c1e9a3d4c6f8b0e1d2a3c4b5e6f"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
BODY = '{"type":"event_callback","text":"Grüße 🙂"}'.encode()


def sign(body: bytes = BODY, stamp: str = STAMP, secret: str = SECRET) -> str:
    base = b"v0:" + stamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


def verify(body: bytes = BODY, stamp: str = STAMP, signature: str | None = None) -> None:
    signature = sign(body, stamp) if signature is None else signature
    headers = {"x-slack-request-timestamp": stamp, "x-slack-signature": signature}
    request = Request(method="POST", path="/slack/events", query={}, headers=headers, body=body)
    Verifier(SECRET, lambda: NOW)(request)


def test_what_slack_signed_is_let_in() -> None:
    verify()


def test_an_example_whose_digest_was_worked_out_elsewhere_is_let_in() -> None:
    # printf 'v0:1795348800:{}' | openssl dgst -sha256 -hmac 5f2b7c1e9a3d4c6f8b0e1d2a3c4b5e6f
    digest = "09c12aa6cdd64decfb4a7254b5efde20d0ca010a6f304de13fa7179094252169"
    verify(b"{}", signature=f"v0={digest}")


@pytest.mark.parametrize("seconds", [-299, 0, 299])
def test_within_five_minutes_clocks_may_differ(seconds: int) -> None:
    verify(stamp=str(int(STAMP) + seconds))


@pytest.mark.parametrize("seconds", [-301, 301, -86_400])
def test_what_is_older_or_from_ahead_is_refused(seconds: int) -> None:
    with pytest.raises(BadSignature):
        verify(stamp=str(int(STAMP) + seconds))


@pytest.mark.parametrize("stamp", ["", "now", "12e9", "-5", "1.5", "٣", " 1", "9" * 400, "0x10", "1_0"])
def test_a_time_that_is_no_number_is_refused(stamp: str) -> None:
    with pytest.raises(BadSignature):
        verify(stamp=stamp)


@pytest.mark.parametrize(
    "signature", ["", "v0=", "v0=00", sign(secret="another"), sign(b"{}"), sign()[3:], sign().upper(), "v0=ü"]
)
def test_a_wrong_signature_is_refused(signature: str) -> None:
    with pytest.raises(BadSignature):
        verify(signature=signature)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(BadSignature):
        verify(b"\xff\xfe")


def test_an_unsigned_request_is_refused() -> None:
    request = Request(method="POST", path="/slack/events", query={}, headers={}, body=BODY)
    with pytest.raises(BadSignature):
        Verifier(SECRET, lambda: NOW)(request)


@pytest.mark.parametrize("secret", ["", "  "])
def test_without_a_secret_nobody_starts(secret: str) -> None:
    with pytest.raises(Misconfigured, match="signing_secret"):
        Verifier(secret, lambda: NOW)

"""Whether a request comes from Slack: https://docs.slack.dev/authentication/verifying-requests-from-slack."""

from __future__ import annotations

import re

from slack_sdk.signature import Clock as SlackClock
from slack_sdk.signature import SignatureVerifier

from bot.domain.errors import BadSignature, Misconfigured
from bot.domain.ports import Clock, Request

TIMESTAMP = "x-slack-request-timestamp"
SIGNATURE = "x-slack-signature"
SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)  # the verifier's own reading breaks on what is no number


class _Ours(SlackClock):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> float:
        return self._clock().timestamp()


class Verifier:
    """The v0 signature over the raw bytes, in constant time, five minutes at most."""

    def __init__(self, signing_secret: str, clock: Clock) -> None:
        """Raises `Misconfigured`: without a secret anybody could speak for any agent."""
        if not signing_secret.strip():
            raise Misconfigured(
                "slack: signing_secret is empty; copy it from the app's Basic Information page."
            )
        self._verifier = SignatureVerifier(signing_secret, _Ours(clock))

    def __call__(self, request: Request) -> None:
        """Raises `BadSignature`; nothing is parsed before."""
        stamp, signature = request.headers.get(TIMESTAMP, ""), request.headers.get(SIGNATURE, "")
        if not SECONDS.fullmatch(stamp) or not signature.isascii():
            raise BadSignature("The signature or its time is missing or is none.")
        try:
            fits = self._verifier.is_valid(request.body, stamp, signature)
        except UnicodeDecodeError as exc:  # Slack signs text
            raise BadSignature("What was signed is no text.") from exc
        if not fits:
            raise BadSignature("The signature is wrong or too old; compare the signing secret and the clock.")

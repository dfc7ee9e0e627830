"""Errors carry the decision: whoever catches one looks at its type, never at its text."""

from __future__ import annotations

from datetime import timedelta


class SwitchboardError(Exception):
    """Anything we raise on purpose; the message is one sentence that says what to do."""


# Sending: what the outbox does next is decided by the type alone.


class SendError(SwitchboardError):
    """A message could not be handed to its channel or desk."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SendDeferred(SendError):
    """Not now: try again after `retry_after` (or after our own backoff when it is None)."""

    def __init__(self, reason: str, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class SendInDoubt(SendError):
    """The request was written and its answer was lost: it may or may not have arrived."""


class SendRejected(SendError):
    """The platform will never accept this message; show the reason, offer Retry after a change."""


class RecipientUnreachable(SendRejected):
    """The customer blocked the account or is gone: stop sending to this identity."""


class ChatMoved(SendRejected):
    """The conversation goes by another id now: send it there."""

    def __init__(self, reason: str, chat: str) -> None:
        super().__init__(reason)
        self.chat = chat


class WindowClosed(SendRejected):
    """The platform's reply window is over: use a template or another channel."""


class Misconfigured(SendRejected):
    """A token, a scope or a setting is wrong: an operator has to mend it before a retry helps."""


# Receiving: what the web layer answers is decided by the type alone.


class BadSignature(SwitchboardError):
    """The request is not proven to come from its platform: 401, nothing is read."""


class MalformedPayload(SwitchboardError):
    """The body is not what the platform documents: 400, nothing is stored."""


class PayloadTooLarge(SwitchboardError):
    """The body is over its documented limit: 413, nothing is stored."""


class TooManyRequests(SwitchboardError):
    """The caller is over its rate: 429, come again after `retry_after`."""

    def __init__(self, message: str, retry_after: timedelta) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StoreUnavailable(SwitchboardError):
    """Nothing was written: 503, the sender should come again."""


# Working


class NotAllowed(SwitchboardError):
    """This agent may not do this with this case in its present state: 403."""


class NotYet(NotAllowed):
    """It is being handed over this very moment: whoever can wait tries again."""


class TooLate(SwitchboardError):
    """Somebody else was faster: 409, look at the case again."""


class Unknown(SwitchboardError):
    """There is no such case, message, model or user: 404."""


class LookupFailed(SwitchboardError):
    """A configured lookup did not answer in time or not with what was promised: hand off."""


class TemplateFailed(SwitchboardError):
    """An answer's text names a value that is not there: hand off rather than send a broken answer."""


class EngineUnavailable(SwitchboardError):
    """The NLU engine has no usable model or does not answer."""


class BadData(SwitchboardError):
    """A file (training data, answers, model) cannot be used; the message names file, place and remedy."""

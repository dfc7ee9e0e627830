"""A Rasa 3.6 server as its HTTP API shows it: https://rasa.com/docs/rasa/pages/http-api

Errors name the server and what went wrong, never a text, a token or a whole answer.
"""

from __future__ import annotations

import base64
import hmac
import re
import time
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout
from msgspec import Struct, field

from bot.domain.errors import BadData, EngineUnavailable

PARSE, ASK, LOAD, LEARN = 1.0, 3.0, 120.0, 3600.0  # seconds; Rasa itself ends an answer after an hour
SMALL, LARGE = 1024 * 1024, 512 * 1024 * 1024  # bytes of an answer; a model of DIET has about 50 MB
TRAINING_YAML, TEST_YAML = "application/yaml", "application/x-yaml"  # the test route knows the second alone
SAID = 300  # characters of Rasa's own words in an error
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+"
)  # a terminal obeys some
VALID = 300  # seconds a token of ours lives
FOLDER = "models"  # where the server keeps what it trained, seen from where it was started

T = TypeVar("T")


class Access(Struct, frozen=True, kw_only=True):
    """How the server knows us: its `--auth-token`, or its `--jwt-secret`, with which we sign as an admin."""

    token: str = ""
    jwt_secret: str = ""

    def __repr__(self) -> str:
        return "<Access>"


class NoModel(EngineUnavailable):
    """The server is there and has no model at work; hand it one."""


class Guess(Struct, frozen=True):
    name: str | None = None
    confidence: float = 0.0


class Heard(Struct, frozen=True):
    """What /model/parse answers, as far as we read it."""

    intent: Guess
    intent_ranking: list[Guess] = []
    entities: list[dict[str, Any]] = []


class Status(Struct, frozen=True):
    model_id: str | None = None  # None: no model is loaded
    model_file: str | None = None


class Prediction(Struct, frozen=True):
    """One example of a test, as judged by a model."""

    text: str
    intent: str
    predicted: str | None = None
    confidence: float = 0.0


class _Intents(Struct, frozen=True):
    predictions: list[Prediction]


class _Evaluation(Struct, frozen=True):
    intent_evaluation: _Intents | None = None


class _Failure(Struct, frozen=True):
    message: str = ""
    reason: str = ""


class _Answer(Struct, frozen=True):
    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"<answer {self.status}>"


class _Call(Struct, frozen=True, kw_only=True):
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    kind: str = "application/json"
    timeout: float = ASK
    limit: int = SMALL

    def __repr__(self) -> str:
        return f"<{self.method} {self.path}>"


class RasaServer:
    """Every method raises `EngineUnavailable`."""

    def __init__(
        self,
        url: str,
        session: ClientSession,
        access: Access = Access(),  # noqa: B008 - it is frozen
        *,
        timeout: float = PARSE,
    ) -> None:
        self._url = url.rstrip("/")
        self._session = session
        self._access = access
        self.patience = timeout  # seconds a message waits
        where = urlsplit(url)
        self.name = f"Rasa at {where.hostname}:{where.port or (443 if where.scheme == 'https' else 80)}"

    async def parse(self, text: str) -> Heard:
        """`text` must not begin with "/": Rasa would take it for a command that names an intent."""
        body = msgspec.json.encode({"text": text})
        answer = await self._ask(_Call(method="POST", path="/model/parse", body=body, timeout=self.patience))
        return self._read(self._fine(answer), Heard)

    async def version(self) -> str:
        answer = self._fine(await self._ask(_Call(method="GET", path="/version")))
        return printable(self._read(answer, dict[str, Any]).get("version"), SAID)

    async def status(self) -> Status:
        answer = await self._ask(_Call(method="GET", path="/status"))
        return Status() if answer.status == 409 else self._read(self._fine(answer), Status)

    async def load(self, file: str) -> None:
        """Put a model from the server's own folder to work. Raises `BadData` when it is not there."""
        body = msgspec.json.encode({"model_file": f"{FOLDER}/{file}"})
        answer = await self._ask(_Call(method="PUT", path="/model", body=body, timeout=LOAD))
        if answer.status == 400:
            raise BadData(
                f"{self.name} does not have {file} any more. Let us reach its folder of models (nlu.rasa_models), "
                "or train again with `switchboard train --engine rasa`."
            )
        self._fine(answer)

    async def train(self, document: bytes) -> tuple[str, bytes]:
        """The new model's name in the server's folder, and the model. Raises `BadData` with Rasa's complaint.

        It is not put to work by that, and the server goes on answering.
        """
        call = _Call(
            method="POST",
            path="/model/train",
            body=document,
            kind=TRAINING_YAML,
            timeout=LEARN,
            limit=LARGE,
        )
        answer = await self._ask(call)
        failure = self._failure(answer)
        if answer.status in {400, 500} and failure.message:
            raise BadData(f"{self.name} could not train: {printable(failure.message, SAID)}")
        file = self._fine(answer).headers.get("filename", "")
        if not file.endswith(".tar.gz") or "/" in file:
            raise EngineUnavailable(f"{self.name} trained and did not say where the model is.")
        return file, answer.body

    async def judge(self, file: str, document: bytes) -> list[Prediction]:
        """What another model than the one at work says about examples; the one at work stays."""
        call = _Call(
            method="POST",
            path="/model/test/intents",
            query={"model": f"{FOLDER}/{file}"},
            body=document,
            kind=TEST_YAML,
            timeout=LEARN,
            limit=LARGE,
        )
        answer = await self._ask(call)
        if answer.status == 500:
            raise EngineUnavailable(f"{self.name} could not test {file}; it may be gone from its folder.")
        found = self._read(self._fine(answer), _Evaluation).intent_evaluation
        return found.predictions if found else []

    # ── One exchange ────────────────────────────────────────────────────────────────────────────

    async def _ask(self, call: _Call) -> _Answer:
        query = dict(call.query)
        headers = {"Content-Type": call.kind, "Accept-Encoding": "identity"}
        if self._access.jwt_secret:
            headers["Authorization"] = f"Bearer {signed(self._access.jwt_secret, time.time())}"
        elif self._access.token:
            query["token"] = self._access.token  # the only place Rasa looks for it
        try:
            async with self._session.request(
                call.method,
                self._url + call.path,
                params=query,
                data=call.body,
                headers=headers,
                timeout=ClientTimeout(total=call.timeout),
                allow_redirects=False,
            ) as response:
                return _Answer(response.status, response.headers, await self._body(response, call.limit))
        except TimeoutError:
            raise EngineUnavailable(f"{self.name} did not answer within {call.timeout:g} s.") from None
        except (ClientError, OSError) as exc:  # from None: the library's message can hold the whole address
            raise EngineUnavailable(
                f"{self.name} cannot be reached ({type(exc).__name__}); start it with `make rasa`, or correct "
                "nlu.rasa_url."
            ) from None

    async def _body(self, response: ClientResponse, limit: int) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > limit:
                raise EngineUnavailable(f"{self.name} answered with more than {limit // 1024} KiB.")
        return bytes(body)

    def _fine(self, answer: _Answer) -> _Answer:
        if answer.status in {401, 403}:
            raise EngineUnavailable(
                f"{self.name} does not let us in; nlu.rasa_token has to be its --auth-token, or nlu.rasa_jwt_secret "
                "its --jwt-secret."
            )
        if answer.status == 409:
            raise NoModel(f"{self.name} has no model loaded.")
        if answer.status not in {200, 204}:
            raise EngineUnavailable(f"{self.name} answered with status {answer.status}.")
        return answer

    def _failure(self, answer: _Answer) -> _Failure:
        try:
            return msgspec.json.decode(answer.body, type=_Failure) if answer.status != 200 else _Failure()
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return _Failure()

    def _read(self, answer: _Answer, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):  # from None: it quotes the answer
            raise EngineUnavailable(f"{self.name} answered with something that is not Rasa's JSON.") from None


def printable(said: object, most: int) -> str:
    """A text or a number of Rasa's on one line, at most so long; anything else is an empty text."""
    text = str(said) if isinstance(said, str | int | float) else ""
    return _UNPRINTABLE.sub(" ", text).strip()[:most]


def signed(secret: str, now: float) -> str:
    """A token of JSON Web (HS256) that makes us an admin for five minutes; RFC 7519."""
    claims = {"user": {"username": "switchboard", "role": "admin"}, "exp": int(now) + VALID}
    parts = [_url(msgspec.json.encode(part)) for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
    seal = hmac.digest(secret.encode(), ".".join(parts).encode(), "sha256")
    return ".".join([*parts, _url(seal)])


def _url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

"""Rasa 3.6's HTTP API on 127.0.0.1, as far as an NLU client meets it, with its error bodies and its traps.

Follows https://rasa.com/docs/rasa/pages/http-api and what a server of 3.6.21 was seen to answer. It does learn:
naive Bayes over words and pieces of words.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import io
import json
import math
import re
import tarfile
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from aiohttp import web
from msgspec import Struct
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

VERSION = "3.6.21"
TOKEN = "sesame"
SECRET = "a secret of thirty-two characters"
MARK = re.compile(r"\[([^\]]+?)\](\([^)]+\)|\{[^}]+?\})")
COMMAND = re.compile(r"/(?P<name>[^{@]+)(?:@(?P<confidence>[0-9.]+))?")
COMPONENTS = ("WhitespaceTokenizer", "CountVectorsFeaturizer", "LogisticRegressionClassifier")

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Refusal(Exception):
    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


class Trained(Struct):
    id: str
    counts: dict[str, Counter[str]]
    entities: dict[str, str] = {}  # words as marked → entity

    def ranking(self, text: str) -> list[dict[str, Any]]:
        found = pieces(text)
        vocabulary = len({piece for counts in self.counts.values() for piece in counts}) + 1
        scores = {
            intent: sum(
                math.log((counts[piece] + 0.1) / (counts.total() + 0.1 * vocabulary)) for piece in found
            )
            for intent, counts in self.counts.items()
        }
        best = max(scores.values())
        shares = {intent: math.exp((score - best) / 4) for intent, score in scores.items()}
        total = sum(shares.values())
        ranked = sorted(shares.items(), key=lambda item: -item[1])
        return [{"name": intent, "confidence": share / total} for intent, share in ranked[:10]]


def pieces(text: str) -> list[str]:
    words = re.findall(r"\w+", text[:500].lower())
    padded = [f" {word} " for word in words]
    return [*words, *(word[start : start + 4] for word in padded for start in range(max(len(word) - 3, 1)))]


class RasaApi:
    def __init__(self, *, token: str = TOKEN, secret: str = SECRET) -> None:
        self.models: dict[str, Trained] = {}  # the folder
        self.loaded = ""
        self.trouble: deque[Answer | None] = deque()  # for one call each; None: that one goes well
        self.calls: list[tuple[str, str]] = []
        self.asked: list[str] = []
        self.documents: list[str] = []
        self.port = 0
        self._token, self._secret = token, secret
        self._loop: asyncio.AbstractEventLoop

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def next_file(self) -> str:
        """The name of the next model that is trained."""
        return f"nlu-20261122-{len(self.models):06}-quiet-river.tar.gz"

    # ── Serving, beside the test: tests have loops of their own ─────────────────────────────────

    @contextmanager
    def running(self) -> Iterator[RasaApi]:
        """Again on the same port, when it ran before."""
        self._loop = asyncio.new_event_loop()
        thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        thread.start()
        runner = self._soon(self._open())
        try:
            yield self
        finally:
            self._soon(self._close(runner))
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(5)
            self._loop.close()

    def _soon(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _open(self) -> web.AppRunner:
        app = web.Application(client_max_size=100_000_000)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port)
        await site.start()
        self.port = runner.addresses[0][1]
        return runner

    async def _close(self, runner: web.AppRunner) -> None:
        """With what is still silent."""
        await runner.cleanup()
        waiting = asyncio.all_tasks() - {asyncio.current_task()}
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.calls.append((request.method, request.path))
        going_wrong = self.trouble.popleft() if self.trouble else None
        if going_wrong:
            return await going_wrong(request)
        routes: Mapping[tuple[str, str], Answer] = {
            ("GET", "/version"): self._version,
            ("GET", "/status"): self._status,
            ("POST", "/model/parse"): self._parse,
            ("POST", "/model/train"): self._train,
            ("POST", "/model/test/intents"): self._test,
            ("PUT", "/model"): self._load,
        }
        route = routes.get((request.method, request.path))
        if route is None:
            return web.json_response({"description": "Not Found", "status": 404}, status=404)
        try:
            if request.path != "/version":
                self._authenticate(request)
            return await route(request)
        except Refusal as refused:
            return refusal(refused.status, refused.reason, str(refused))

    def _authenticate(self, request: web.Request) -> None:
        if not self._token and not self._secret:
            return
        if self._token and request.query.get("token") == self._token:
            return
        kind, _, bearer = request.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer" or not self._secret:
            raise Refusal(401, "NotAuthenticated", "User is not authenticated.")
        if self._claims(bearer).get("user", {}).get("role") != "admin":
            raise Refusal(403, "NotAuthorized", "User has insufficient permissions.")

    def _claims(self, bearer: str) -> dict[str, Any]:
        head, _, seal = bearer.rpartition(".")
        right = hmac.digest(self._secret.encode(), head.encode(), "sha256")
        if not hmac.compare_digest(base64.urlsafe_b64encode(right).rstrip(b"=").decode(), seal):
            raise Refusal(401, "NotAuthenticated", "User is not authenticated.")
        body = head.split(".")[1]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        if claims["exp"] < time.time():
            raise Refusal(401, "NotAuthenticated", "User is not authenticated.")
        return claims

    # ── Routes ──────────────────────────────────────────────────────────────────────────────────

    def _ready(self) -> Trained:
        if not self.loaded:
            raise Refusal(
                409,
                "Conflict",
                "No agent loaded. To continue processing, a model of a trained agent needs to be loaded.",
            )
        return self.models[self.loaded]

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response({"version": VERSION, "minimum_compatible_version": VERSION})

    async def _status(self, _: web.Request) -> web.Response:
        model = self._ready()
        return web.json_response(
            {"model_file": self.loaded, "model_id": model.id, "num_active_training_jobs": 0}
        )

    async def _parse(self, request: web.Request) -> web.Response:
        model = self._ready()
        try:
            text = json.loads(await request.read())["text"]
        except (ValueError, KeyError) as exc:
            raise Refusal(500, "ParsingError", f"An unexpected error occurred. Error: {exc}") from exc
        self.asked.append(text)
        command = COMMAND.match(text.strip())
        if command:
            named = {"name": command["name"], "confidence": float(command["confidence"] or 1.0)}
            return web.json_response(
                {"text": text.strip(), "intent": named, "entities": [], "intent_ranking": [named]}
            )
        ranking = model.ranking(text)
        return web.json_response(
            {
                "text": text,
                "intent": ranking[0],
                "entities": list(_entities(model, text)),
                "text_tokens": [list(match.span()) for match in re.finditer(r"\w+", text)],
                "intent_ranking": ranking,
            }
        )

    async def _train(self, request: web.Request) -> web.Response:
        document = (await request.read()).decode()
        self.documents.append(document)
        content = _read(document)
        unknown = [one["name"] for one in content.get("pipeline", []) if one["name"] not in COMPONENTS]
        if unknown:
            raise Refusal(
                500,
                "TrainingError",
                "An unexpected error occurred during training. Error: Can't load class for name "
                f"'{unknown[0]}'. Please make sure to provide a valid name or module path.",
            )
        model = Trained(uuid.uuid4().hex, {})
        for intent, text, marked in _examples(content):
            model.counts.setdefault(intent, Counter()).update(pieces(text))
            model.entities.update(marked)
        file = self.next_file
        self.models[file] = model
        return web.Response(
            body=_archive(model), content_type="application/x-tar", headers={"filename": file}
        )

    async def _test(self, request: web.Request) -> web.Response:
        if request.headers.get("Content-Type") != "application/x-yaml":
            return web.Response(status=400, text="⚠️ 400 — Bad Request\nFailed when parsing body as json\n")
        model = self.models.get(request.query.get("model", "").removeprefix("models/"))
        if model is None:
            raise Refusal(500, "TestingError", "An unexpected error occurred during evaluation. Error: ")
        predictions = []
        for intent, text, _ in _examples(_read((await request.read()).decode())):
            best = model.ranking(text)[0]
            predictions.append(
                {"text": text, "intent": intent, "predicted": best["name"], "confidence": best["confidence"]}
            )
        known = any(one["intent"] in model.counts for one in predictions)
        evaluation = {"predictions": predictions, "report": {}, "errors": []} if known else None
        return web.json_response({"intent_evaluation": evaluation, "entity_evaluation": None})

    async def _load(self, request: web.Request) -> web.Response:
        path = str((await request.json()).get("model_file"))
        file = path.removeprefix("models/")
        if file == path or file not in self.models:
            raise Refusal(400, "BadRequest", f"Agent with name '{path}' could not be loaded.")
        self.loaded = file
        return web.Response(status=204)


def refusal(status: int, reason: str, message: str) -> web.Response:
    body: dict[str, Any] = {
        "version": VERSION,
        "status": "failure",
        "message": message,
        "reason": reason,
        "details": {},
        "help": None,
    }
    return web.json_response({**body, "code": status}, status=status)


def _read(document: str) -> dict[str, Any]:
    try:
        content = YAML(typ="safe", pure=True).load(document)
    except YAMLError as exc:
        raise Refusal(
            400, "BadRequest", f"The request body does not contain valid YAML. Error: {exc}"
        ) from exc
    if not isinstance(content, dict) or not isinstance(content.get("nlu"), list):
        raise Refusal(
            400, "BadRequest", "The request body does not contain valid YAML. Error: '/nlu' is not a list."
        )
    return content


def _examples(content: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Intent, text, and what is marked in it; a name ends at its first slash, as for a response selector."""
    for entry in content["nlu"]:
        for line in entry["examples"].splitlines() if "intent" in entry else ():
            marked = dict(map(_mark, MARK.finditer(line)))
            yield entry["intent"].split("/")[0], MARK.sub(r"\1", line[1:].strip("\n\r ")), marked


def _mark(match: re.Match[str]) -> tuple[str, str]:
    inside = match[2]
    return match[1], json.loads(inside)["entity"] if inside.startswith("{") else inside[1:-1]


def _entities(model: Trained, text: str) -> Iterator[dict[str, Any]]:
    for words, entity in model.entities.items():
        for match in re.finditer(rf"\b{re.escape(words)}\b", text):
            start, end = match.span()
            yield {
                "entity": entity,
                "start": start,
                "end": end,
                "confidence_entity": 0.97,
                "value": words,
                "extractor": "DIETClassifier",
            }


def _archive(model: Trained) -> bytes:
    buffer = io.BytesIO()
    metadata = json.dumps({"model_id": model.id, "rasa_open_source_version": VERSION}).encode()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo("metadata.json")
        member.size = len(metadata)
        archive.addfile(member, io.BytesIO(metadata))
    return buffer.getvalue()


# ── What can go wrong ───────────────────────────────────────────────────────────────────────────


async def page_of_a_proxy(_: web.Request) -> web.Response:
    return web.Response(status=200, text="<html><body>Welcome</body></html>", content_type="text/html")


async def other_json(_: web.Request) -> web.Response:
    return web.json_response({"intent": ["greeting", 0.9]})


async def no_intent_of_ours(_: web.Request) -> web.Response:
    unknown = {"name": "mood_great", "confidence": 0.99}
    return web.json_response({"text": "", "intent": unknown, "entities": [], "intent_ranking": [unknown]})


async def nothing_to_say(_: web.Request) -> web.Response:
    """As DIET answers a text of which it knows no word; no trouble."""
    nothing = {"name": None, "confidence": 0.0}
    return web.json_response({"text": "", "intent": nothing, "entities": [], "intent_ranking": []})


def guessing(entity: Mapping[str, Any]) -> Answer:
    """A greeting with this entity; no trouble."""

    async def guessed(_: web.Request) -> web.Response:
        guess = {"name": "greeting", "confidence": 0.9}
        return web.json_response(
            {"text": "", "intent": guess, "entities": [entity], "intent_ranking": [guess]}
        )

    return guessed


def speechless_about(intent: str) -> Answer:
    """A test of examples where everything else is right; no trouble."""

    async def judged(request: web.Request) -> web.Response:
        predictions = [
            {
                "text": text,
                "intent": name,
                "predicted": None if name == intent else name,
                "confidence": 0.0 if name == intent else 0.9,
            }
            for name, text, _ in _examples(_read((await request.read()).decode()))
        ]
        return web.json_response({"intent_evaluation": {"predictions": predictions}})

    return judged


async def not_ready(_: web.Request) -> web.Response:
    return refusal(409, "Conflict", "No agent loaded.")


async def overloaded(_: web.Request) -> web.Response:
    return web.Response(status=503, text="Service Unavailable")


async def broken_off(request: web.Request) -> web.Response:
    assert request.transport
    request.transport.abort()
    return web.Response()


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(64):
        await response.write(b" " * 65536)
    return response


async def dripping(request: web.Request) -> web.StreamResponse:
    """A byte now and then, so that no single read takes too long."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.05)


async def elsewhere(request: web.Request) -> web.Response:
    """Sends whoever asks, and the token with them, to another place."""
    return web.Response(status=307, headers={"Location": f"/elsewhere?{request.query_string}"})


async def nested(_: web.Request) -> web.Response:
    body = '{"intent": {"name": "greeting", "confidence": 1}, "entities": ' + "[" * 100_000
    return web.Response(text=body, content_type="application/json")


async def swollen(_: web.Request) -> web.Response:
    """Sound JSON of nearly a megabyte: an entity for every letter, again and again, and numbers that fit nowhere."""
    guess = {"name": "where_is_parcel", "confidence": 0.9}
    entities = [
        {
            "entity": "x",
            "start": place % 20,
            "end": place % 20 + 1,
            "confidence_entity": 10**400,
            "value": "y" * 900,
        }
        for place in range(600)
    ]
    return web.json_response({"text": "", "intent": guess, "entities": entities, "intent_ranking": [guess]})


async def silent(_: web.Request) -> web.Response:
    await asyncio.sleep(3600)
    return web.Response()


TROUBLE: Mapping[str, Answer] = {
    "a proxy's page": page_of_a_proxy,
    "other JSON": other_json,
    "intents of another model": no_intent_of_ours,
    "no model loaded": not_ready,
    "503": overloaded,
    "a broken connection": broken_off,
    "an endless answer": endless,
    "silence": silent,
    "one byte after the other": dripping,
    "the way to another place": elsewhere,
    "brackets without end": nested,
}

"""Understands with a Rasa server; what is not Rasa's job, and everything while it is away, is the stand-in's."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path

import structlog
from msgspec.structs import replace

from bot.domain.errors import BadData, EngineUnavailable, SwitchboardError
from bot.domain.ports import Finding
from bot.domain.understanding import Context, Entity, Intent, Understanding
from nlu.features import is_spoken
from nlu.models import Model
from nlu.rasa import wording
from nlu.rasa.breaker import Breaker
from nlu.rasa.remote import ENGINE, Archive, remote_of, stand_in_of
from nlu.rasa.server import Guess, Heard, NoModel, RasaServer, printable
from nlu.rasa.trust import Said, evidence
from nlu.reading import Example

log = structlog.get_logger()

SETTLING = 2.0  # seconds: who loaded another model may be about to say that it is live
HAND_AGAIN = 30.0  # seconds until a model that could not be handed over is handed over again
RANKED = 10
MOST_ENTITIES = 50  # of one message; more is no answer of a classifier
LONGEST = 200  # characters of a value, or of a name


async def always() -> bool:
    return True


class Rasa:
    """Fulfils `bot.domain.ports.Understander`; another model means another `Rasa`.

    What Rasa answers does not say by which model, and anybody may load another at any time. So the server is asked
    after each answer which one it has, and only with ours the answer counts.
    """

    def __init__(
        self,
        model: Model,
        server: RasaServer,
        *,
        archive: Archive | None = None,
        folder: Path | None = None,
        is_live: Callable[[], Awaitable[bool]] = always,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`folder`: the server's folder of models, where we can reach it; what is gone from there is put back from
        `archive`. `is_live`: whether the server shall have this model; may raise `StoreUnavailable`. Raises `BadData`.
        """
        self._id = model.id
        self._remote = remote_of(model)
        self._stand_in = stand_in_of(model)
        self._names = {wording.sent(name): name for name in model.facts.intents}
        self._intents = model.facts.intents
        self._server = server
        self._archive = archive
        self._folder = folder
        self._clock = clock
        self._breaker = Breaker(clock)
        self._is_live = is_live
        self._is_at_work = False  # when we last looked
        self._is_retired = False
        self._hand_at = 0.0
        self._handing: asyncio.Task[None] | None = None
        self._foreseen: dict[str, Heard] | None = None
        self._alone = False
        self._each = 0.0

    @property
    def model(self) -> str:
        return self._id

    @property
    def intents(self) -> tuple[str, ...]:
        return self._intents

    async def understand(self, text: str, context: Context) -> Understanding:
        """By Rasa, or by the stand-in; `engine` and `model` say by whom. Waits for Rasa as long as its server may."""
        started = time.perf_counter()
        own = self._stand_in.parse(text, context)
        question = wording.asked(text)
        heard = await self._heard(text, question) if is_spoken(question) else None
        found = self._joined(own, heard, context) if heard else own
        return replace(found, ms=(time.perf_counter() - started + self._each) * 1000)

    # ── Asking ──────────────────────────────────────────────────────────────────────────────────

    async def _heard(self, text: str, question: str) -> Heard | None:
        """None when the stand-in has to do."""
        if self._alone:
            return self._known(await self._alone_heard(text, question))
        was_away = self._breaker.is_open
        try:
            with self._breaker.attempt():
                heard = await self._in_time(question)
        except EngineUnavailable as error:
            if self._breaker.is_open and not was_away:
                log.warning("rasa.away", why=str(error))
            return None
        if was_away:
            log.info("rasa.back")
        return heard

    async def _in_time(self, question: str) -> Heard:
        try:
            async with asyncio.timeout(self._server.patience):
                return self._known(await self._by_ours(question))
        except TimeoutError:
            raise EngineUnavailable(f"{self._server.name} took too long.") from None

    def _known(self, heard: Heard) -> Heard:
        """With our names, and only those; a fallback classifier puts one of its own in front.

        No name at all is an answer too: some classifiers say nothing to a text of which they know no word.
        """
        if not heard.intent.name and not heard.intent_ranking:
            return Heard(Guess(), [], heard.entities)
        ranking = [
            Guess(self._names[guess.name], min(max(guess.confidence, 0.0), 1.0))
            for guess in heard.intent_ranking or [heard.intent]
            if guess.name in self._names
        ]
        if not ranking:
            raise EngineUnavailable(
                f"{self._server.name} answers with intents that {self._id} does not have."
            )
        ranking.sort(key=lambda guess: -guess.confidence)
        return Heard(ranking[0], ranking, heard.entities)

    async def _by_ours(self, question: str) -> Heard:
        """Where another model may have answered, ours is handed over: until then Rasa is as good as away."""
        heard = None
        if self._is_at_work or await self._look():
            with suppress(NoModel):
                heard = await self._server.parse(question)
            if await self._look() and heard:
                return heard
        raise EngineUnavailable(f"{self._server.name} has another model at work, or none.")

    async def _look(self) -> bool:
        """Is our model at work?"""
        has = (await self._server.status()).model_id
        self._is_at_work = has == self._remote.model
        if not self._is_at_work and not self._is_retired and not self._is_handing:
            self._hand_at = self._clock() + HAND_AGAIN
            self._handing = asyncio.create_task(self._hand_over_aside(SETTLING if has else 0.0))
        return self._is_at_work

    @property
    def _is_handing(self) -> bool:
        """Or has just done so."""
        return bool(self._handing and not self._handing.done()) or self._clock() < self._hand_at

    # ── Handing the model over ──────────────────────────────────────────────────────────────────

    async def prepare(self) -> None:
        """Have the model put to work before it goes live. Raises `BadData` when Rasa does not have it.

        While Rasa is away nothing is raised: the stand-in answers, and the model is handed over when it is back.
        """
        try:
            await self._hand_over()
        except EngineUnavailable as error:
            log.warning("rasa.away", why=str(error))

    def retire(self) -> None:
        """Another engine took over: what the server has is its business now."""
        self._is_retired = True
        if self._handing:
            self._handing.cancel()

    async def _hand_over_aside(self, settling: float) -> None:
        """Unless the other model is there because it is the live one now, here or in another process."""
        await asyncio.sleep(settling)
        try:
            if not await self._is_live():
                return
            await self._hand_over()
        except SwitchboardError as error:
            log.error("rasa.model_missing", model=self._id, why=str(error))  # noqa: TRY400  it says it all
        else:
            self._breaker.close()
            log.info("rasa.model_loaded", model=self._id)

    async def _hand_over(self) -> None:
        if (await self._server.status()).model_id == self._remote.model:
            return
        await asyncio.to_thread(self._put_back)
        await self._server.load(self._remote.file)
        if (await self._server.status()).model_id != self._remote.model:
            raise BadData(
                f"{self._server.name} has another model under the name {self._remote.file}; train again with "
                "`switchboard train --engine rasa`."
            )

    def _put_back(self) -> None:
        if self._folder is None or self._archive is None or not self._folder.is_dir():
            return
        path = self._folder / self._remote.file
        try:
            if path.exists():
                return
        except PermissionError:
            return  # the server can see for itself, and says so if it is not there
        draft = path.with_name(f".{path.name}.{os.urandom(4).hex()}.draft")  # others may put it back just now
        try:
            draft.write_bytes(self._archive())
            draft.replace(path)
        except OSError as exc:
            raise BadData(f"{path} cannot be written ({exc.strerror}); check nlu.rasa_models.") from exc
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)

    # ── Evaluating ──────────────────────────────────────────────────────────────────────────────

    async def stand_alone(self, examples: Sequence[Example]) -> None:
        """For an evaluation of these: no stand-in, so `understand` raises `EngineUnavailable`.

        A model that is not at work is asked about all of them at once, since loading it would take the live one away.
        """
        self._alone = True
        if (await self._server.status()).model_id == self._remote.model:
            return
        await asyncio.to_thread(self._put_back)
        started = time.perf_counter()
        found = await self._server.judge(self._remote.file, wording.questions(examples))
        self._foreseen = {one.text: Heard(Guess(self._ours(one.predicted), one.confidence)) for one in found}
        self._each = (time.perf_counter() - started) / max(len(examples), 1)

    def _ours(self, name: str | None) -> str | None:
        """A fallback classifier's own name is as good as none."""
        return name if name in self._names else None

    async def _alone_heard(self, text: str, question: str) -> Heard:
        if self._foreseen is None:
            heard = await self._server.parse(question)
            if (await self._server.status()).model_id != self._remote.model:
                raise EngineUnavailable(
                    f"{self._server.name} was given another model meanwhile; evaluate again."
                )
            return heard
        try:
            return self._foreseen[wording.clean(text)]
        except KeyError:
            raise EngineUnavailable(f"{self._server.name} left an example out of its test.") from None

    # ── Putting together ────────────────────────────────────────────────────────────────────────

    def _joined(self, own: Understanding, heard: Heard, context: Context) -> Understanding:
        """Rasa's intents with what its confidence is worth; all else is ours, and its entities beside ours."""
        best = Said(heard.intent.name or "", heard.intent.confidence)
        seen = evidence(best, Said(own.intent.name, own.intent.confidence, own.out_of_scope))
        ranking = _ranking(heard.intent_ranking, self._remote.right(seen))
        intent = ranking[0] if ranking else Intent(name="", confidence=0.0)
        return replace(
            own,
            intent=intent,
            intent_ranking=ranking,
            entities=_merged(own.entities, heard.entities, own.text),
            urgency=self._stand_in.urgency(own.text, intent, own.sentiment, context),
            out_of_scope=self._remote.strange(seen) if self._remote.strange else own.out_of_scope,
            engine=ENGINE,
            model=self._id,
        )

    # ── The doctor ──────────────────────────────────────────────────────────────────────────────

    async def check(self) -> list[Finding]:
        fix = "Start Rasa with `make rasa`; until then the embedded engine stands in."
        try:
            version, status = await self._server.version(), await self._server.status()
        except EngineUnavailable as error:
            return [Finding(name="rasa", status="warn", detail=str(error), fix=fix)]
        if status.model_id != self._remote.model:
            detail = (
                f"{self._server.name} has {printable(status.model_file, LONGEST) or 'no model'} loaded, and "
                f"{self._id} is live"
            )
            fix = f"A running server mends that by itself; else: switchboard promote {self._id}"
            return [Finding(name="rasa", status="warn", detail=detail, fix=fix)]
        return [
            Finding(name="rasa", status="ok", detail=f"{self._server.name}, {version}, has the live model")
        ]


def _ranking(heard: Sequence[Guess], right: float) -> tuple[Intent, ...]:
    """What the best leaves is shared out as Rasa shares it out; nobody passes the best."""
    if not heard:
        return ()
    left = 1.0 - heard[0].confidence
    scale = (1.0 - right) / left if left > 1e-9 else 0.0
    found = [Intent(name=heard[0].name or "", confidence=right)]
    found += [
        Intent(name=guess.name or "", confidence=min(guess.confidence * scale, right)) for guess in heard[1:]
    ]
    return tuple(found[:RANKED])


def _merged(own: tuple[Entity, ...], heard: Sequence[dict[str, object]], text: str) -> tuple[Entity, ...]:
    """Ours first: a rule that knows an order number is not overruled by a guess, wherever in the text that is.

    What overlaps is left out, too.
    """
    found, known = list(own), {one.entity for one in own}
    for raw in heard[:MOST_ENTITIES]:
        entity = _entity(raw, text)
        if not entity or entity.entity in known:
            continue
        if all(entity.end <= one.start or one.end <= entity.start for one in found):
            found.append(entity)
    return tuple(sorted(found, key=lambda one: one.start))


def _entity(raw: dict[str, object], text: str) -> Entity | None:
    """None when it is nothing we could use: other offsets than the text has, or no name."""
    name, start, end = printable(raw.get("entity"), LONGEST + 1), raw.get("start"), raw.get("end")
    if not (name and isinstance(start, int) and isinstance(end, int)):
        return None
    if not 0 <= start < end <= len(text) or len(name) > LONGEST:
        return None
    sure = raw.get("confidence_entity", 1.0)
    return Entity(
        entity=name,
        value=printable(raw.get("value"), LONGEST) or text[start:end][:LONGEST],
        start=start,
        end=end,
        role=printable(raw.get("role"), LONGEST),
        group=printable(raw.get("group"), LONGEST),
        extractor=printable(raw.get("extractor"), LONGEST) or ENGINE,
        confidence=float(min(max(sure, 0.001), 1.0)) if isinstance(sure, int | float) else 1.0,
    )

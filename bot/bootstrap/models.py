"""The models of a server: files in a folder of this machine, and with a shared store also where all can fetch them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from weakref import WeakKeyDictionary

import msgspec

from bot.bootstrap import understanding
from bot.bootstrap.backends import now
from bot.config import Settings
from bot.domain.errors import BadData, Unknown
from bot.domain.ports import Files, Store, Understander
from bot.services.sharing import SharedModels
from bot.services.tuning import Tuning
from nlu.evaluation.promises import Kept, Table, keep, table
from nlu.models import Model, Models, Summary, newest_first
from nlu.reading import Example
from nlu.training import TrainedModel

GONE = "live, and its file is missing: put it back and promote it again, or run `switchboard rollback`"


class Shelf:
    def __init__(self, settings: Settings, store: Store, files: Files, http: understanding.Http) -> None:
        self._settings = settings
        self._http = http
        self._here = Models(Path(settings.nlu.models))
        self._shared = SharedModels(store, files, self._here, now) if settings.shared else None
        self._tables = WeakKeyDictionary[Understander, Table]()  # each as long as its engine
        self._kept: tuple[tuple[str, float], Kept] | None = None
        self.tuning = Tuning(store, self.load, now)

    async def load(self, id: str) -> Understander:
        """An engine with this model. Raises `BadData`, `Unknown`, `StoreUnavailable`."""
        model = await self.get(id)

        async def is_live() -> bool:
            return (await self.tuning.live())[0] == id

        engine = await asyncio.to_thread(understanding.engine, self._settings, self._http, model, is_live)
        self._tables[engine] = table(model)
        return engine

    async def judged(self, model: Model, examples: Sequence[Example]) -> Understander:
        """For an evaluation of these. Raises `BadData`, `EngineUnavailable`."""
        return await understanding.judged_engine(self._settings, self._http, model, examples)

    async def train(self, data: Sequence[str] = (), engine: str = "") -> TrainedModel:
        """A candidate, from what is configured where nothing is said. Raises `BadData`, `EngineUnavailable`."""
        nlu, kept = self._settings.nlu, await self.tuning.kept()
        new = await understanding.train(
            self._settings, self._http, data or nlu.data, engine or nlu.engine, kept
        )
        await self.share(new.id)
        return new

    async def get(self, id: str) -> Model:
        """From wherever it is. Raises `BadData`, `Unknown`, `StoreUnavailable`."""
        await self.share(id)
        return await asyncio.to_thread(self._here.load, id)

    def promised(self, wrong_answers: float) -> Kept | None:
        """What the model at work makes of a promise; None when there is no model. Computed once for each."""
        id = self.tuning.in_hand
        if not id:
            return None
        if self._kept is None or self._kept[0] != (id, wrong_answers):
            self._kept = ((id, wrong_answers), keep(self._tables[self.tuning.engine], wrong_answers))
        return self._kept[1]

    def thresholds(self, wrong_answers: float) -> Mapping[str, float]:
        """Intent → least confidence; nothing when there is no model."""
        kept = self.promised(wrong_answers)
        return kept.thresholds if kept else {}

    async def share(self, id: str) -> None:
        """See to it that this machine and all others can have it. Raises `BadData`, `StoreUnavailable`."""
        if self._shared:
            live, previous = await self.tuning.live()
            await self._shared.ensure(id, frozenset({live, *previous}))

    async def summaries(self) -> list[Summary]:
        """Newest first, damaged ones last; wherever they are."""
        here = await asyncio.to_thread(self._here.summaries)
        known = {summary.id for summary in here}
        shared = await self._shared.known() if self._shared else {}
        elsewhere = [msgspec.convert(about, Summary) for id, about in shared.items() if id not in known]
        live, _ = await self.tuning.live()
        gone = [Summary(id=live, damaged=GONE)] if live and live not in known | {*shared} else []
        return newest_first([*here, *elsewhere, *gone])

    async def latest(self) -> str:
        """The id of the newest usable model, or an empty string. Raises `StoreUnavailable`."""
        return await self.first_sound([one.id for one in await self.summaries() if not one.damaged])

    async def first_sound(self, ids: Sequence[str]) -> str:
        """Of these the first that can be loaded, or an empty string: a summary tells nothing of damage further in."""
        for id in ids:
            with suppress(BadData, Unknown):
                return (await self.get(id)).id
        return ""

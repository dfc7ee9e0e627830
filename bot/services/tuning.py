"""Which model is live: a setting in the store that every process follows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from bot.domain.accounts import Setting
from bot.domain.errors import (
    BadData,
    EngineUnavailable,
    StoreUnavailable,
    SwitchboardError,
    TooLate,
    Unknown,
)
from bot.domain.journal import Did, Entry
from bot.domain.ports import Applied, Changes, Clock, Insert, Prepares, Store, Understander, Update
from bot.domain.understanding import Context, Understanding

log = structlog.get_logger()

MODEL = "model"
REMEMBERED = 10  # models one can go back to
NONE_LIVE = "No model is live; run `switchboard train` and `switchboard promote ID`."

Load = Callable[[str], Awaitable[Understander]]  # raises BadData, Unknown or StoreUnavailable


class Tuning:
    """Holds the live engine; swapping it is one assignment, so a parse never sees half a model."""

    def __init__(self, store: Store, load: Load, clock: Clock) -> None:
        self._store = store
        self._load = load
        self._clock = clock
        self._engine: Understander | None = None
        self._why = NONE_LIVE  # there is no engine
        self._refused = -1  # version of the setting: what could not be loaded is not tried every second

    @property
    def engine(self) -> Understander:
        """Raises `EngineUnavailable`."""
        if self._engine is None:
            raise EngineUnavailable(self._why)
        return self._engine

    @property
    def model(self) -> str:
        return self.engine.model

    @property
    def in_hand(self) -> str:
        """The id of the model that understands at this moment, or an empty string."""
        return self._engine.model if self._engine else ""

    @property
    def intents(self) -> tuple[str, ...]:
        return self.engine.intents

    async def understand(self, text: str, context: Context) -> Understanding:
        """By whatever model is live at this moment; so this is an engine itself."""
        return await self.engine.understand(text, context)

    async def live(self) -> tuple[str, list[str]]:
        """The live model's id, and those before it, the latest first."""
        return _models(await self._store.get(Setting, MODEL))

    async def kept(self) -> list[str]:
        """Models that no training may throw away: the live one, and those one can go back to."""
        live, previous = await self.live()
        return [live, *previous] if live else previous

    async def follow(self) -> None:
        """Load the live model if it is not the one in hand; a damaged one leaves the old in place, and is tried again
        when it is promoted again. Raises `StoreUnavailable`.
        """
        setting = await self._store.get(Setting, MODEL)
        wanted, _ = _models(setting)
        if setting is None or wanted == self.in_hand or setting.version == self._refused:
            return
        try:
            engine = await self._load(wanted)
        except StoreUnavailable:
            raise  # it may be read a moment later
        except SwitchboardError as error:
            self._refused, self._why = setting.version, str(error)
            log.error("model.refused", model=wanted, why=self._why)  # noqa: TRY400  the sentence says it all
            return
        replaced: object = self._engine
        self._engine = engine
        if isinstance(replaced, Prepares):
            replaced.retire()
        log.info("model.live", model=wanted)

    async def make_do(self, id: str) -> None:
        """Understand with another model than the live one, which stays live. Raises as loading does."""
        self._engine = await self._load(id)

    async def promote(self, id: str) -> None:
        """Make a model live in every process; those that refused it try again. Raises `Unknown`, `BadData`, `TooLate`."""
        await self._prepare(id)
        setting = await self._store.get(Setting, MODEL)
        now_live, previous = _models(setting)
        await self._set(setting, id, previous if now_live in {id, ""} else [now_live, *previous])

    async def rollback(self) -> str:
        """Go back to the model that was live before, past those that are gone or damaged; returns its id.

        Raises `Unknown`, `BadData`, `TooLate`.
        """
        setting = await self._store.get(Setting, MODEL)
        _, previous = _models(setting)
        refused: SwitchboardError = Unknown("There is no earlier model to go back to.")
        for place, id in enumerate(previous):
            try:
                await self._prepare(id)
            except (Unknown, BadData) as error:
                refused = error
                continue
            await self._set(setting, id, previous[place + 1 :])
            return id
        raise refused

    async def _prepare(self, id: str) -> None:
        """What cannot be loaded, or is not where it has to work, must not go live. Raises `Unknown`, `BadData`."""
        engine: object = await self._load(id)
        if isinstance(engine, Prepares):
            await engine.prepare()

    async def _set(self, setting: Setting | None, live: str, previous: list[str]) -> None:
        """`setting` is what `previous` was read from: two who promote at once would forget each other's model."""
        value = {"live": live, "previous": previous[:REMEMBERED]}
        now, version = self._clock(), setting.version if setting else 0
        new = Setting(id=MODEL, value=value, at=now, version=version)
        write = Update(record=new) if setting else Insert(record=new)
        facts = {"model": live, "before": setting.value["live"] if setting else ""}
        fact = Entry(
            id=f"{MODEL}:{setting.version + 1 if setting else 0}",
            kind=Did.PROMOTED,
            actor="system",
            attributes=facts,
            happened_at=now,
            at=now,
        )
        if not isinstance(await self._store.apply(Changes(writes=(write, Insert(record=fact)))), Applied):
            raise TooLate("Somebody else changed the live model just now; look again.")


def _models(setting: Setting | None) -> tuple[str, list[str]]:
    return (setting.value["live"], setting.value["previous"]) if setting else ("", [])

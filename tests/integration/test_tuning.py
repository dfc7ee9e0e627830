"""Which model is live: one setting that every process follows, forward and back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.domain.errors import BadData, EngineUnavailable, TooLate, Unknown
from bot.domain.journal import Did, Entry
from bot.domain.ports import Changes, Outcome, Query, Store, Understander
from bot.domain.understanding import Context
from bot.services.tuning import Load, Tuning
from bot.stores.sqlite import SqliteStore
from tests.builders import Ticking
from tests.fakes.engine import FakeEngine


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    made = SqliteStore(tmp_path / "test.db")
    yield made
    await made.close()


async def load(id: str) -> Understander:
    if id == "damaged":
        raise BadData("var/models/damaged.npz is cut short; train again.")
    engine = FakeEngine()
    engine.model = id
    return engine


def process(store: Store) -> Tuning:
    return Tuning(store, load, Ticking())


async def test_a_model_promoted_by_one_process_is_followed_by_another(store: SqliteStore) -> None:
    server, shell = process(store), process(store)
    await shell.promote("one")
    await server.follow()
    assert server.model == "one"
    await shell.promote("two")
    await server.follow()
    assert server.model == "two"


async def test_rolling_back_goes_to_the_model_before(store: SqliteStore) -> None:
    shell = process(store)
    for model in ("one", "two", "three"):
        await shell.promote(model)
    assert [await shell.rollback(), await shell.rollback()] == ["two", "one"]
    with pytest.raises(Unknown, match="no earlier model"):
        await shell.rollback()


async def test_rolling_back_passes_what_is_damaged_and_a_training_spares_the_rest(store: SqliteStore) -> None:
    shell = process(store)
    for model in ("one", "two", "three", "four"):
        await shell.promote(model)
    assert await shell.kept() == ["four", "three", "two", "one"]
    without = Tuning(store, only("one"), Ticking())
    assert await without.rollback() == "one"
    assert await without.kept() == ["one"]


def only(*ids: str) -> Load:
    async def loaded(id: str) -> Understander:
        if id not in ids:
            raise Unknown(f"There is no model {id}.")
        return await load(id)

    return loaded


async def test_promoting_what_is_live_leaves_the_way_back_alone(store: SqliteStore) -> None:
    shell = process(store)
    for model in ("one", "two", "two"):
        await shell.promote(model)
    assert await shell.rollback() == "one"


async def test_what_cannot_be_loaded_does_not_go_live(store: SqliteStore) -> None:
    shell = process(store)
    await shell.promote("one")
    with pytest.raises(BadData, match="cut short"):
        await shell.promote("damaged")
    assert (await shell.live())[0] == "one"


async def test_a_server_keeps_its_model_when_the_new_one_is_damaged(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, shell = process(store), process(store)
    await shell.promote("one")
    await server.follow()

    async def whole(_: str) -> Understander:
        return FakeEngine()

    monkeypatch.setattr(shell, "_load", whole)  # over there; here it is cut short
    await shell.promote("damaged")
    await server.follow()
    assert server.model == "one"


async def test_without_any_model_the_reason_is_why_the_live_one_was_refused(store: SqliteStore) -> None:
    server = Tuning(store, only("one"), Ticking())
    with pytest.raises(EngineUnavailable, match="No model is live; run"):
        await server.understand("hello", Context())
    await process(store).promote("two")
    await server.follow()
    with pytest.raises(EngineUnavailable, match="There is no model two"):
        await server.understand("hello", Context())


class Elsewhere(FakeEngine):
    """An engine with a server of its own, which has lost its model."""

    def __init__(self) -> None:
        super().__init__()
        self.is_retired = False

    async def prepare(self) -> None:
        raise BadData("It does not have the model any more.")

    def retire(self) -> None:
        self.is_retired = True


async def test_a_refused_model_that_is_mended_is_followed_when_it_goes_live_again(store: SqliteStore) -> None:
    sound = ["one"]

    async def found(id: str) -> Understander:
        if id not in sound:
            raise BadData(f"{id} is damaged")
        return await load(id)

    server, shell = Tuning(store, found, Ticking()), process(store)
    for model in ("one", "two"):
        await shell.promote(model)
    await server.follow()
    await server.make_do("one")
    await shell.rollback()
    await server.follow()
    sound.append("two")
    await shell.promote("two")
    await server.follow()
    assert server.model == "two"


async def test_a_refused_model_is_tried_again_when_it_is_promoted_again(store: SqliteStore) -> None:
    sound = ["one"]
    tried: list[str] = []

    async def found(id: str) -> Understander:
        tried.append(id)
        if id not in sound:
            raise BadData(f"{id} is damaged")
        return await load(id)

    server, shell = Tuning(store, found, Ticking()), process(store)
    await shell.promote("one")
    await server.follow()
    await shell.promote("two")
    await server.follow()
    await server.follow()
    assert tried == ["one", "two"]
    sound.append("two")  # trained again: the same examples give the same id
    await shell.promote("two")
    await server.follow()
    assert server.model == "two"
    assert await shell.rollback() == "one"


async def test_what_its_server_has_lost_does_not_come_back_by_a_rollback(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = process(store)
    await shell.promote("one")
    await shell.promote("two")

    async def elsewhere(_: str) -> Understander:
        return Elsewhere()

    monkeypatch.setattr(shell, "_load", elsewhere)
    with pytest.raises(BadData, match="does not have"):
        await shell.rollback()
    assert await shell.live() == ("two", ["one"])


async def test_an_engine_is_told_when_another_is_at_work(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, old = process(store), Elsewhere()
    monkeypatch.setattr(server, "_engine", old)
    await process(store).promote("one")
    await server.follow()
    assert (server.model, old.is_retired) == ("one", True)


async def test_two_who_promote_at_once_do_not_overwrite_each_other(store: SqliteStore) -> None:
    shell, apply = process(store), store.apply
    await shell.promote("one")

    async def beaten(changes: Changes) -> Outcome:
        store.apply = apply  # type: ignore[method-assign]
        await process(store).promote("two")
        return await apply(changes)

    store.apply = beaten  # type: ignore[method-assign]
    with pytest.raises(TooLate):
        await shell.promote("three")
    assert (await shell.live())[0] == "two"


async def test_a_model_that_went_live_after_we_looked_is_not_forgotten(store: SqliteStore) -> None:
    shell, get = process(store), store.get
    await shell.promote("one")

    async def overtaken(kind: type[Any], id: str) -> Any:
        found = await get(kind, id)
        store.get = get  # type: ignore[method-assign]
        await process(store).promote("two")
        return found

    store.get = overtaken  # type: ignore[method-assign]
    with pytest.raises(TooLate):
        await shell.promote("three")
    assert await shell.live() == ("two", ["one"])


async def test_without_a_model_nothing_is_understood(store: SqliteStore) -> None:
    with pytest.raises(EngineUnavailable, match="switchboard train"):
        await process(store).understand("Hello", Context())


async def test_who_went_live_is_in_the_journal(store: SqliteStore) -> None:
    shell = process(store)
    await shell.promote("one")
    await shell.promote("two")
    promoted = await store.find(Query(kind=Entry, equals={"kind": Did.PROMOTED}))
    assert {entry.attributes["model"] for entry in promoted} == {"one", "two"}

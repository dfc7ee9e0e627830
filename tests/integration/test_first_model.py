"""Several processes that begin at once on an empty store: one of them trains the first model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from bot import config
from bot.bootstrap import serving
from bot.bootstrap.backends import now
from bot.bootstrap.parts import Parts, assembled
from bot.config import ConfigError, Url
from bot.domain.accounts import Setting
from bot.domain.errors import BadData, Unknown
from bot.domain.ports import Changes, Insert, Understander
from bot.services.tuning import Tuning
from tests.fakes.engine import FakeEngine


async def load(id: str) -> Understander:
    engine = FakeEngine()
    engine.model = id
    return engine


@pytest.fixture
async def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Parts]:
    """One process of several, as far as it knows."""
    monkeypatch.setattr(serving, "FOLLOW_EVERY", 0.01)
    file = tmp_path / "config.yml"
    places = f"store: sqlite:///{tmp_path}/switchboard.db\nfiles: {tmp_path}/files\n"
    file.write_text(f"{places}nlu: {{models: {tmp_path}/models}}\n", encoding="utf-8")
    async with assembled(config.load(file, {})) as made:
        yield replace(made, settings=replace(made.settings, store=Url("mongodb://h"), queue=Url("redis://h")))


def process(parts: Parts) -> Parts:
    return replace(parts, tuning=Tuning(parts.store, load, now))


class Training:
    """Takes its time, and may break."""

    def __init__(self, *failures: Exception) -> None:
        self.times = 0
        self._failures = list(failures)

    async def __call__(self, _: Parts) -> str:
        self.times += 1
        await asyncio.sleep(0.05)
        if self._failures:
            raise self._failures.pop()
        return "m1"


async def test_one_trains_and_the_others_wait_for_it(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training()
    monkeypatch.setattr(serving, "_to_begin_with", training)
    processes = [process(parts) for _ in range(4)]
    await asyncio.gather(*(serving.have_a_model(one) for one in processes))
    assert (training.times, {one.tuning.model for one in processes}) == (1, {"m1"})


async def test_who_cannot_train_leaves_it_to_the_next(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training(BadData("nlu.yml line 3: no examples."))
    monkeypatch.setattr(serving, "_to_begin_with", training)
    with pytest.raises(BadData):
        await serving.have_a_model(process(parts))
    await serving.have_a_model(process(parts))
    assert training.times == 2


async def test_who_was_killed_while_training_is_not_waited_for_for_ever(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = Training()
    monkeypatch.setattr(serving, "_to_begin_with", training)
    long_ago = now() - timedelta(seconds=serving.TRAINED_WITHIN + 1)
    claim = Setting(id=serving.STARTER, value={}, at=long_ago)
    await parts.store.apply(Changes(writes=(Insert(record=claim),)))
    await serving.have_a_model(process(parts))
    assert training.times == 1


def without(parts: Parts, *gone: str) -> Parts:
    """A process that starts on a machine where the files of these models are missing."""

    async def found(id: str) -> Understander:
        if id in gone:
            raise Unknown(f'There is no model "{id}"; `switchboard models` lists those there are.')
        return await load(id)

    return replace(parts, tuning=Tuning(parts.store, found, now))


async def test_a_server_whose_live_model_is_gone_starts_with_an_earlier_one_and_says_what_to_do(
    parts: Parts,
) -> None:
    for model in ("m1", "m2", "m3"):
        await process(parts).tuning.promote(model)
    server = without(parts, "m2", "m3")
    with capture_logs() as logged:
        await serving.have_a_model(server)
    assert (server.tuning.model, (await server.tuning.live())[0]) == ("m1", "m3")
    (said,) = (one for one in logged if one["event"] == "model.stands_in")
    assert (said["log_level"], "switchboard rollback" in said["fix"]) == ("error", True)
    await process(parts).tuning.promote("m4")
    await server.tuning.follow()
    assert server.tuning.model == "m4"


async def test_a_server_that_has_no_sound_model_says_what_to_do(parts: Parts) -> None:
    await process(parts).tuning.promote("m1")
    with pytest.raises(
        ConfigError, match=r"live model m1 cannot be used, and no other.*switchboard rollback"
    ):
        await serving.have_a_model(without(parts, "m1"))


async def test_a_live_model_that_is_missing_is_in_the_list(parts: Parts) -> None:
    await process(parts).tuning.promote("m1")
    (gone,) = await parts.models.summaries()
    assert (gone.id, "its file is missing" in gone.damaged) == ("m1", True)

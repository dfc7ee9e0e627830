"""`nlu.engine: rasa` from the configuration to the live model: training, scoring, going live, back, and starting."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot import bootstrap, config
from bot.bootstrap import understanding
from bot.bootstrap.parts import Parts, assembled
from bot.bootstrap.serving import have_a_model, have_the_engine
from bot.config import Settings
from bot.domain.errors import BadData
from bot.domain.journal import Did, Entry
from bot.domain.ports import Query
from bot.domain.understanding import Context
from nlu.models import Models
from nlu.rasa.remote import remote_of
from tests.contracts.understander_contract import GERMAN
from tests.fakes.rasa_server import TOKEN, RasaApi
from tests.unit.nlu.conftest import SMALL

FILE = """\
brand: {{name: Nordwind}}
store: sqlite:///{folder}/switchboard.db
files: {folder}/files
nlu:
  engine: {engine}
  rasa_url: {url}
  rasa_token: "${{RASA_TOKEN}}"
  data: ["{folder}/nlu.yml"]
  models: {folder}/models
  rasa_models: {folder}/rasa
"""
AWAY = "http://127.0.0.1:9"


@pytest.fixture
def api() -> Iterator[RasaApi]:
    with RasaApi().running() as running:
        yield running


@pytest.fixture
def rasa(api: RasaApi, tmp_path: Path) -> Settings:
    (tmp_path / "nlu.yml").write_text(SMALL, encoding="utf-8")
    return settings(tmp_path, "rasa", api.url)


def settings(folder: Path, engine: str, url: str) -> Settings:
    file = folder / f"config.{engine}.yml"
    file.write_text(FILE.format(folder=folder, engine=engine, url=url), encoding="utf-8")
    return config.load(file, {"RASA_TOKEN": TOKEN})


async def started(parts: Parts) -> str:
    """As `serve` starts; the live model."""
    await have_the_engine(parts)
    await have_a_model(parts)
    return parts.tuning.model


async def test_a_model_is_trained_promoted_and_taken_back(rasa: Settings, api: RasaApi) -> None:
    first = await bootstrap.train(rasa, None, None)
    second = await bootstrap.train(rasa, None, "rasa")
    await bootstrap.promote(rasa, first.id)
    await bootstrap.promote(rasa, second.id)
    assert api.loaded == max(api.models)  # at work before it went live
    assert await bootstrap.rollback(rasa) == first.id
    assert [(one["id"], one["live"]) for one in await bootstrap.models(rasa)] == [
        (second.id, False),
        (first.id, True),
    ]


async def test_a_model_that_rasa_has_lost_does_not_come_back(rasa: Settings, api: RasaApi) -> None:
    first, second = [await bootstrap.train(rasa, None, None) for _ in range(2)]
    await bootstrap.promote(rasa, first.id)
    await bootstrap.promote(rasa, second.id)
    del api.models[remote_of(Models(Path(rasa.nlu.models)).load(first.id)).file]
    with pytest.raises(BadData, match="does not have"):
        await bootstrap.rollback(rasa)
    assert [one["id"] for one in await bootstrap.models(rasa) if one["live"]] == [second.id]


async def test_a_running_server_goes_over_to_another_model_and_names_none_wrongly(rasa: Settings) -> None:
    async with assembled(rasa) as parts:
        first = await started(parts)
        second = await bootstrap.train(rasa, None, None)
        understood = [await parts.tuning.understand(GERMAN, Context())]
        await bootstrap.promote(rasa, second.id)
        understood.append(await parts.tuning.understand(GERMAN, Context()))  # before it has looked
        await parts.tuning.follow()
        understood.append(await parts.tuning.understand(GERMAN, Context()))
    assert [one.engine for one in understood] == ["rasa", "embedded", "rasa"]
    assert [understood[0].model, understood[2].model] == [first, second.id]


async def test_a_candidate_is_scored_while_the_live_model_stays_at_work(
    rasa: Settings, api: RasaApi, tmp_path: Path
) -> None:
    live = await bootstrap.train(rasa, None, None)
    await bootstrap.promote(rasa, live.id)
    at_work = api.loaded
    candidate = await bootstrap.train(rasa, None, None)
    found = await bootstrap.evaluate(rasa, str(tmp_path / "nlu.yml"), candidate.id)
    assert (found.report.model, api.loaded) == (candidate.id, at_work)
    assert found.report.accuracy > 0.9
    assert candidate.id in found.text()


async def test_either_engine_is_trained_whichever_is_configured(
    rasa: Settings, api: RasaApi, tmp_path: Path
) -> None:
    assert ":" not in (await bootstrap.train(rasa, None, "embedded")).id
    embedded = settings(tmp_path, "embedded", api.url)
    assert (await bootstrap.train(embedded, None, "rasa")).id.startswith("rasa:")


async def test_the_first_start_trains_the_configured_engine(rasa: Settings) -> None:
    async with assembled(rasa) as parts:
        assert (await started(parts)).startswith("rasa:")
        assert (await parts.tuning.understand(GERMAN, Context())).engine == "rasa"


async def test_switching_the_engine_switches_the_live_model_and_back(
    rasa: Settings, api: RasaApi, tmp_path: Path
) -> None:
    embedded = settings(tmp_path, "embedded", api.url)
    answers = []
    for chosen in (embedded, rasa, embedded):
        async with assembled(chosen) as parts:
            await started(parts)
            answers.append(await parts.tuning.understand(GERMAN, Context()))
    assert [one.engine for one in answers] == ["embedded", "rasa", "embedded"]
    assert {one.intent.name for one in answers} == {"where_is_parcel"}
    assert answers[0].model == answers[2].model


async def test_a_model_trained_before_the_switch_makes_no_start_wait(
    rasa: Settings, api: RasaApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded = settings(tmp_path, "embedded", api.url)
    async with assembled(embedded) as parts:
        await started(parts)
    candidate = (await bootstrap.train(embedded, None, "rasa")).id

    async def refused(*_: object) -> None:
        raise AssertionError("nothing has to be trained")

    monkeypatch.setattr(understanding, "train", refused)
    async with assembled(rasa) as parts:
        assert await started(parts) == candidate


async def test_a_text_is_explained_by_the_engine_at_work(rasa: Settings) -> None:
    async with assembled(rasa) as parts:
        live = await started(parts)
    async with bootstrap.explainer(rasa) as explainer:
        found = (await explainer.explain(GERMAN)).understanding
    assert (found.engine, found.model) == ("rasa", live)


async def test_switching_back_takes_what_was_live_and_no_candidate(
    rasa: Settings, api: RasaApi, tmp_path: Path
) -> None:
    embedded = settings(tmp_path, "embedded", api.url)
    async with assembled(embedded) as parts:
        live = await started(parts)
    async with assembled(rasa) as parts:
        await started(parts)
    (tmp_path / "nlu.yml").write_text(SMALL.replace("    - hey\n", "    - hey you\n"), encoding="utf-8")
    candidate = await bootstrap.train(embedded, None, "embedded")
    async with assembled(embedded) as parts:
        assert await started(parts) == live != candidate.id


async def test_a_start_while_rasa_is_away_begins_with_the_embedded_engine(
    rasa: Settings, tmp_path: Path
) -> None:
    async with assembled(settings(tmp_path, "rasa", AWAY)) as parts:
        assert ":" not in await started(parts)
        assert (await parts.tuning.understand(GERMAN, Context())).engine == "embedded"


async def test_an_embedded_model_that_is_live_stays_while_rasa_is_away(
    rasa: Settings, api: RasaApi, tmp_path: Path
) -> None:
    async with assembled(settings(tmp_path, "embedded", api.url)) as parts:
        live = await started(parts)
    async with assembled(settings(tmp_path, "rasa", AWAY)) as parts:
        assert await started(parts) == live


async def test_a_rasa_model_that_is_live_is_kept_over_a_start_without_rasa(
    rasa: Settings, tmp_path: Path
) -> None:
    async with assembled(rasa) as parts:
        live = await started(parts)
    async with assembled(settings(tmp_path, "rasa", AWAY)) as parts:
        assert await started(parts) == live
        found = await parts.tuning.understand(GERMAN, Context())
    assert (found.engine, found.intent.name) == ("embedded", "where_is_parcel")


async def test_the_doctor_says_what_rasa_does(rasa: Settings, tmp_path: Path) -> None:
    async with assembled(rasa) as parts:
        await started(parts)
    (fine,) = [one for one in await bootstrap.check(rasa, offline=False) if one.name == "rasa"]
    assert fine.status == "ok"
    away = settings(tmp_path, "rasa", AWAY)
    (warned,) = [one for one in await bootstrap.check(away, offline=False) if one.name == "rasa"]
    assert (warned.status, "make rasa" in warned.fix) == ("warn", True)


async def test_the_doctor_says_that_another_engine_is_at_work(rasa: Settings) -> None:
    model = await bootstrap.train(rasa, None, "embedded")
    await bootstrap.promote(rasa, model.id)
    (warned,) = [one for one in await bootstrap.check(rasa, offline=True) if one.name == "engine"]
    assert (warned.status, warned.fix.split(",")[0]) == ("warn", "Start Rasa (make rasa)")


async def test_the_journal_says_which_engine_understood(rasa: Settings) -> None:

    async with bootstrap.chat(rasa, "ada") as conversation:
        await conversation.ask(GERMAN)
        entries = await conversation._parts.store.find(Query(kind=Entry, equals={"kind": Did.UNDERSTOOD}))
    assert [entry.attributes["engine"] for entry in entries] == ["rasa"]


def test_no_token_shows_in_the_settings(rasa: Settings) -> None:
    assert TOKEN not in repr(rasa)

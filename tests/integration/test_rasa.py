"""Rasa as an engine against a loopback stand-in of its server: understanding, training, and being away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import numpy as np
import pytest
from msgspec import Struct
from msgspec.structs import replace

from bot.domain.errors import BadData, EngineUnavailable
from bot.domain.ports import Understander
from bot.domain.understanding import Context, Level
from nlu.calibration import Logistic
from nlu.embedded import Embedded
from nlu.evaluation import evaluate
from nlu.models import Model, Models, out_of_fold
from nlu.rasa import Access, Rasa, RasaServer, engine, train, training
from nlu.rasa.remote import REMOTE, archive_of, remote_of
from nlu.reading import read
from nlu.training import TrainedModel
from nlu.training import train as train_embedded
from tests.contracts.understander_contract import ENGLISH, GERMAN, UnderstanderContract
from tests.fakes.rasa_server import (
    SECRET,
    TOKEN,
    TROUBLE,
    Answer,
    RasaApi,
    guessing,
    nothing_to_say,
    overloaded,
    silent,
    speechless_about,
    swollen,
)
from tests.unit.nlu.conftest import SMALL

MARKED = """\
- intent: change_address
  examples: |
    - bitte an [Musterweg]{"entity": "street", "role": "to"} liefern
    - ich bin umgezogen, neue adresse
    - change my delivery address
    - send it to [Musterweg](street) please
    - new address for my order
"""


class Setting(Struct, frozen=True):
    """A server that has learned, and what came of it."""

    api: RasaApi
    folder: Path
    data: Path
    trained: TrainedModel
    model: Model


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    folder = tmp_path_factory.mktemp("rasa")
    data = folder / "data" / "nlu.yml"
    data.parent.mkdir()
    data.write_text(SMALL + MARKED, encoding="utf-8")

    async def learn(api: RasaApi) -> TrainedModel:
        async with aiohttp.ClientSession() as session:
            return await train([data], folder / "models", server_of(api, session))

    with RasaApi().running() as api:
        trained = asyncio.run(learn(api))
        yield Setting(api, folder / "models", data, trained, Models(folder / "models").load(trained.id))


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def rasa(learned: Setting, session: aiohttp.ClientSession, clock: Clock) -> AsyncIterator[Rasa]:
    engine = Rasa(learned.model, server_of(learned.api, session), clock=clock)
    await engine.prepare()
    yield engine
    learned.api.trouble.clear()


def server_of(api: RasaApi, session: aiohttp.ClientSession, access: Access | None = None) -> RasaServer:
    return RasaServer(api.url, session, access or Access(token=TOKEN), timeout=0.5)


class TestRasaOnLoopback(UnderstanderContract):
    @pytest.fixture
    def engine(self, rasa: Rasa) -> Understander:
        return rasa


# ── Who understood ──────────────────────────────────────────────────────────────────────────────


async def test_an_understanding_says_that_it_is_rasas(rasa: Rasa) -> None:
    found = await rasa.understand(GERMAN, Context())
    assert (found.engine, found.model) == ("rasa", rasa.model)
    assert rasa.model.startswith("rasa:")


@pytest.mark.parametrize("answer", TROUBLE.values(), ids=TROUBLE.keys())
async def test_whatever_goes_wrong_the_stand_in_answers_and_says_so(
    rasa: Rasa, learned: Setting, answer: Answer
) -> None:
    await rasa.understand(ENGLISH, Context())  # so that the next call is the question itself
    learned.api.trouble.append(answer)
    found = await rasa.understand(GERMAN, Context())
    assert (found.engine, found.model) == ("embedded", remote_of(learned.model).stand_in)
    assert found.intent.name == "where_is_parcel"


async def test_whoever_is_sent_elsewhere_does_not_go_there(rasa: Rasa, learned: Setting) -> None:
    await rasa.understand(ENGLISH, Context())
    learned.api.trouble.append(TROUBLE["the way to another place"])
    calls = len(learned.api.calls)
    await rasa.understand(GERMAN, Context())
    assert len(learned.api.calls) == calls + 1


async def test_of_a_swollen_answer_only_what_can_be_is_taken(rasa: Rasa, learned: Setting) -> None:
    await rasa.understand(ENGLISH, Context())
    learned.api.trouble.append(swollen)
    found = await rasa.understand("guten tag zusammen hier", Context())
    assert (found.engine, len(found.entities)) == ("rasa", 20)
    assert {(len(one.value), one.confidence) for one in found.entities} == {(200, 1.0)}


async def test_that_rasa_knows_no_word_of_a_text_is_an_answer_too(rasa: Rasa, learned: Setting) -> None:
    await rasa.understand(ENGLISH, Context())
    learned.api.trouble.extend([nothing_to_say, None] * 4)
    for _ in range(4):
        found = await rasa.understand(GERMAN, Context())
        assert (found.engine, found.intent.name, found.intent_ranking) == ("rasa", "", ())
        assert found.entity("order_number") == "4711"
    assert (await rasa.understand(GERMAN, Context())).intent.name == "where_is_parcel"


async def test_the_stand_in_is_the_embedded_model_of_the_same_data(learned: Setting, tmp_path: Path) -> None:
    alone = await train_embedded([learned.data], tmp_path)
    assert remote_of(learned.model).stand_in == alone.id


async def test_what_is_not_rasas_job_is_the_same_by_either_engine(rasa: Rasa, learned: Setting) -> None:
    text = "Mein Konto wurde gehackt! Bestellung NW-104711, ich will einen Menschen sprechen"
    by_rasa = await rasa.understand(text, Context(language="de"))
    learned.api.trouble.append(overloaded)
    by_stand_in = await rasa.understand(text, Context(language="de"))
    assert (by_rasa.engine, by_stand_in.engine) == ("rasa", "embedded")
    for field in ("language", "sentiment", "wants_person"):
        assert getattr(by_rasa, field) == getattr(by_stand_in, field)
    assert by_rasa.urgency.level is by_stand_in.urgency.level is Level.HIGH
    assert by_rasa.entity("order_number") == by_stand_in.entity("order_number") == "104711"


async def test_rasas_entities_come_beside_ours(rasa: Rasa) -> None:
    found = await rasa.understand("bitte 4711 an Musterweg liefern, mail a.b@example.org", Context())
    assert (found.entity("street"), found.entity("email")) == ("Musterweg", "a.b@example.org")
    assert [one.start for one in found.entities] == sorted(one.start for one in found.entities)


async def test_a_guess_never_overrules_a_number_that_a_rule_knows(rasa: Rasa, learned: Setting) -> None:
    await rasa.understand(ENGLISH, Context())
    learned.api.trouble.append(guessing({"entity": "order_number", "start": 0, "end": 5, "value": "hello"}))
    found = await rasa.understand("hello there 4711", Context())
    assert (found.engine, found.entity("order_number")) == ("rasa", "4711")


async def test_what_a_terminal_would_obey_is_no_part_of_an_entity(rasa: Rasa, learned: Setting) -> None:
    await rasa.understand(ENGLISH, Context())
    said = {
        "entity": "ci\x1bty",
        "value": "\x1b[2JHu\u202esum\n",
        "role": "\x07to",
        "extractor": "\x9bDIET" * 100,
    }
    learned.api.trouble.append(guessing({**said, "start": 0, "end": 5}))
    (found,) = (await rasa.understand("hello there", Context())).entities
    assert (found.entity, found.value, found.role) == ("ci ty", "[2JHu sum", "to")
    assert (len(found.extractor), found.extractor.isprintable()) == (200, True)


# ── Traps of Rasa ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text", ["/refund", "  /refund status@0.9", "//refund", '/refund{"order_number": "1"}', "\u3000/refund"]
)
async def test_a_customer_cannot_name_an_intent_by_a_command(rasa: Rasa, learned: Setting, text: str) -> None:
    await rasa.understand(text, Context())
    assert not learned.api.asked[-1].strip().startswith("/")
    assert len(learned.api.asked[-1]) == len(text)


@pytest.mark.parametrize("text", ["", " ", "😡", "?!"])
async def test_a_text_without_words_is_not_even_asked_and_the_stand_in_says_so(
    rasa: Rasa, learned: Setting, text: str
) -> None:
    before = len(learned.api.asked)
    found = await rasa.understand(text, Context())
    assert (found.intent.name, found.engine) == ("", "embedded")
    assert found.model == remote_of(learned.model).stand_in
    assert len(learned.api.asked) == before


@pytest.mark.parametrize("text", ["где мой заказ", "4711", "+++ 123456", "ⅷ"])
async def test_what_the_stand_in_knows_no_word_of_is_rasas_to_understand(
    rasa: Rasa, learned: Setting, text: str
) -> None:
    found = await rasa.understand(text, Context())
    assert (found.engine, learned.api.asked[-1]) == ("rasa", text)


async def test_of_a_long_text_rasa_gets_the_part_that_counts(rasa: Rasa, learned: Setting) -> None:
    await rasa.understand("wo ist mein paket " * 6000, Context())
    assert len(learned.api.asked[-1]) == 4000


# ── Being away ──────────────────────────────────────────────────────────────────────────────────


async def test_after_three_failures_nobody_waits_for_rasa_until_it_is_back(
    rasa: Rasa, learned: Setting, clock: Clock
) -> None:
    await rasa.understand(GERMAN, Context())
    learned.api.trouble.extend([overloaded] * 3)
    for _ in range(3):
        assert (await rasa.understand(GERMAN, Context())).engine == "embedded"
    calls = len(learned.api.calls)
    assert (await rasa.understand(GERMAN, Context())).engine == "embedded"
    assert len(learned.api.calls) == calls  # left alone
    clock.now += 10.1
    assert (await rasa.understand(GERMAN, Context())).engine == "rasa"


async def test_a_probe_that_fails_leaves_it_alone_again(rasa: Rasa, learned: Setting, clock: Clock) -> None:
    await rasa.understand(GERMAN, Context())
    learned.api.trouble.extend([overloaded] * 4)
    for _ in range(3):
        await rasa.understand(GERMAN, Context())
    clock.now += 10.1
    assert (await rasa.understand(GERMAN, Context())).engine == "embedded"
    calls = len(learned.api.calls)
    await rasa.understand(GERMAN, Context())
    assert len(learned.api.calls) == calls


async def test_one_message_probes_and_the_others_do_not_wait(
    rasa: Rasa, learned: Setting, clock: Clock
) -> None:
    await rasa.understand(GERMAN, Context())
    learned.api.trouble.extend([overloaded] * 3)
    for _ in range(3):
        await rasa.understand(GERMAN, Context())
    clock.now += 10.1
    learned.api.trouble.extend([silent])
    calls = len(learned.api.calls)
    found = await asyncio.gather(*(rasa.understand(GERMAN, Context()) for _ in range(5)))
    assert {one.engine for one in found} == {"embedded"}
    assert len(learned.api.calls) == calls + 1


async def test_a_message_that_is_given_up_is_no_failure_of_rasas(rasa: Rasa, learned: Setting) -> None:
    await rasa.understand(GERMAN, Context())
    for _ in range(4):
        learned.api.trouble.append(silent)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(rasa.understand(GERMAN, Context()), 0.05)
    assert (await rasa.understand(GERMAN, Context())).engine == "rasa"


async def test_a_server_that_is_killed_and_started_anew_understands_again(
    learned: Setting, session: aiohttp.ClientSession, clock: Clock
) -> None:
    api = RasaApi()
    api.models, api.loaded = learned.api.models, remote_of(learned.model).file
    with api.running():
        engine = Rasa(learned.model, server_of(api, session), clock=clock)
        engines = [(await engine.understand(GERMAN, Context())).engine]
    engines += [(await engine.understand(GERMAN, Context())).engine for _ in range(5)]
    with api.running():
        clock.now += 10.1
        engines.append((await engine.understand(GERMAN, Context())).engine)
    assert engines == ["rasa", *["embedded"] * 5, "rasa"]


# ── Which model is at work ──────────────────────────────────────────────────────────────────────


async def test_another_model_at_work_is_noticed_at_once_and_ours_is_handed_over(
    rasa: Rasa, learned: Setting, unsettled: None
) -> None:
    await rasa.understand(GERMAN, Context())
    ours = learned.api.loaded
    learned.api.loaded = next(file for file in learned.api.models if file != ours)
    assert (await rasa.understand(GERMAN, Context())).engine == "embedded"
    await until_loaded(learned.api, ours)
    assert (await rasa.understand(GERMAN, Context())).engine == "rasa"


async def test_nobody_waits_for_a_rasa_that_keeps_another_model(
    learned: Setting, session: aiohttp.ClientSession, clock: Clock
) -> None:
    async def is_live() -> bool:
        return False

    kept, learned.api.loaded = learned.api.loaded, next(iter(learned.api.models))
    rasa = Rasa(learned.model, server_of(learned.api, session), is_live=is_live, clock=clock)
    for _ in range(3):
        assert (await rasa.understand(GERMAN, Context())).engine == "embedded"
    calls = len(learned.api.calls)
    assert (await rasa.understand(GERMAN, Context())).engine == "embedded"
    assert len(learned.api.calls) == calls
    rasa.retire()
    learned.api.loaded = kept


async def test_a_model_that_was_handed_over_is_asked_at_once_however_long_it_was_away(
    learned: Setting, session: aiohttp.ClientSession, clock: Clock, unsettled: None
) -> None:
    settled = asyncio.Event()
    rasa = Rasa(learned.model, server_of(learned.api, session), is_live=settled.wait, clock=clock)
    learned.api.loaded = next(iter(learned.api.models))
    for _ in range(4):
        assert (await rasa.understand(GERMAN, Context())).engine == "embedded"
    settled.set()
    await others_done()
    assert (await rasa.understand(GERMAN, Context())).engine == "rasa"


async def test_a_model_that_goes_live_makes_the_one_before_silent(
    rasa: Rasa, learned: Setting, session: aiohttp.ClientSession
) -> None:
    assert (await rasa.understand(GERMAN, Context())).model == rasa.model
    new = Rasa(another(learned), server_of(learned.api, session))
    await new.prepare()
    assert (await rasa.understand(GERMAN, Context())).model == remote_of(learned.model).stand_in
    assert (await new.understand(GERMAN, Context())).model == new.model
    rasa.retire()


async def test_a_model_the_server_has_not_is_never_said_to_have_understood(
    rasa: Rasa, learned: Setting, session: aiohttp.ClientSession
) -> None:
    new = Rasa(another(learned), server_of(learned.api, session))
    await new.prepare()
    await new.understand(GERMAN, Context())
    await rasa.prepare()
    assert (await new.understand(GERMAN, Context())).engine == "embedded"
    new.retire()


async def test_a_model_that_is_not_live_any_more_is_not_handed_over(
    learned: Setting, session: aiohttp.ClientSession, unsettled: None
) -> None:
    live = [True]

    async def is_live() -> bool:
        return live[0]

    old = Rasa(learned.model, server_of(learned.api, session), is_live=is_live)
    new = Rasa(another(learned), server_of(learned.api, session))
    await new.prepare()
    await old.understand(GERMAN, Context())  # sees it, and would hand its own over
    live[0] = False
    await others_done()
    assert learned.api.loaded == remote_of(another(learned)).file


async def test_an_engine_that_is_replaced_hands_nothing_over_any_more(
    rasa: Rasa, learned: Setting, session: aiohttp.ClientSession, unsettled: None
) -> None:
    new = Rasa(another(learned), server_of(learned.api, session))
    await new.prepare()
    await rasa.understand(GERMAN, Context())
    rasa.retire()
    await rasa.understand(GERMAN, Context())
    await others_done()
    assert learned.api.loaded == remote_of(another(learned)).file


async def test_a_server_that_was_started_anew_without_a_model_gets_ours(rasa: Rasa, learned: Setting) -> None:
    await rasa.understand(GERMAN, Context())
    ours, learned.api.loaded = learned.api.loaded, ""
    assert (await rasa.understand(GERMAN, Context())).engine == "embedded"
    await until_loaded(learned.api, ours)


async def test_a_model_the_server_has_lost_does_not_go_live(
    learned: Setting, session: aiohttp.ClientSession
) -> None:
    engine = Rasa(learned.model, server_of(learned.api, session))
    kept, learned.api.loaded = learned.api.loaded, ""
    file = remote_of(learned.model).file
    gone = learned.api.models.pop(file)
    try:
        with pytest.raises(
            BadData, match=r"does not have .*nlu\.rasa_models.*switchboard train --engine rasa"
        ):
            await engine.prepare()
    finally:
        learned.api.models[file] = gone
        learned.api.loaded = kept


async def test_what_is_gone_from_rasas_folder_is_put_back(
    learned: Setting, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    learned.api.loaded = ""
    engine = Rasa(
        learned.model,
        server_of(learned.api, session),
        archive=lambda: archive_of(learned.model),
        folder=tmp_path,
    )
    await engine.prepare()
    file = remote_of(learned.model).file
    assert [path.name for path in tmp_path.iterdir()] == [file]  # noqa: ASYNC240
    assert (tmp_path / file).read_bytes() == archive_of(learned.model)


async def test_a_folder_of_rasa_that_is_closed_to_us_is_left_to_it(
    learned: Setting, session: aiohttp.ClientSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_: object) -> bool:
        raise PermissionError(13, "Permission denied")

    learned.api.loaded = ""
    server = server_of(learned.api, session)
    rasa = Rasa(learned.model, server, archive=lambda: archive_of(learned.model), folder=tmp_path)
    monkeypatch.setattr(Path, "exists", closed)
    await rasa.prepare()
    assert learned.api.loaded == remote_of(learned.model).file


async def test_a_model_that_cannot_be_put_back_leaves_nothing_in_rasas_folder(
    learned: Setting, session: aiohttp.ClientSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    learned.api.loaded = ""
    server = server_of(learned.api, session)
    rasa = Rasa(learned.model, server, archive=lambda: archive_of(learned.model), folder=tmp_path)
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(BadData, match=r"No space left on device.*nlu\.rasa_models"):
        await rasa.prepare()
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240


async def test_going_live_while_rasa_is_away_is_no_error(
    learned: Setting, session: aiohttp.ClientSession
) -> None:
    away = RasaServer("http://127.0.0.1:9", session)
    engine = Rasa(learned.model, away)
    await engine.prepare()
    assert (await engine.understand(GERMAN, Context())).engine == "embedded"


@pytest.fixture
def unsettled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is waited for who may be about to put another model to work."""
    monkeypatch.setattr(engine, "SETTLING", 0.0)


def another(learned: Setting) -> Model:
    """One more that the server has; the stand-in is the same."""
    remote = remote_of(learned.model)
    file = next(file for file in learned.api.models if file != remote.file)
    changed = replace(remote, file=file, model=learned.api.models[file].id)
    written = np.frombuffer(msgspec.json.encode(changed), np.uint8)
    return replace(learned.model, id="rasa:another", arrays={**learned.model.arrays, REMOTE: written})


async def others_done() -> None:
    await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}), return_exceptions=True)


async def until_loaded(api: RasaApi, file: str) -> None:
    async with asyncio.timeout(5):
        while api.loaded != file:  # noqa: ASYNC110  the server is on another loop
            await asyncio.sleep(0.01)


# ── Getting in ──────────────────────────────────────────────────────────────────────────────────


async def test_a_signed_token_gets_in(rasa: Rasa, learned: Setting, session: aiohttp.ClientSession) -> None:
    server = server_of(learned.api, session, Access(jwt_secret=SECRET))
    assert (await server.status()).model_id


@pytest.mark.parametrize("access", [Access(), Access(token="wrong"), Access(jwt_secret="wrong" * 8)])
async def test_who_is_not_let_in_hears_which_settings_to_look_at(
    learned: Setting, session: aiohttp.ClientSession, access: Access
) -> None:
    with pytest.raises(EngineUnavailable, match=r"nlu\.rasa_token.*nlu\.rasa_jwt_secret") as error:
        await server_of(learned.api, session, access).status()
    assert "wrong" not in str(error.value)


async def test_a_server_that_is_not_there_is_named_with_how_to_start_it(
    session: aiohttp.ClientSession,
) -> None:
    with pytest.raises(EngineUnavailable, match=r"Rasa at 127\.0\.0\.1:9 cannot be reached .*make rasa"):
        await RasaServer("http://127.0.0.1:9", session, Access(token="geheim")).parse("hallo")


# ── Training ────────────────────────────────────────────────────────────────────────────────────


def test_training_gives_an_id_and_the_scores_the_embedded_engine_gives(learned: Setting) -> None:
    trained = learned.trained
    assert trained.id.startswith("rasa:")
    assert (trained.intents, trained.examples) == (6, 47)
    assert {"accuracy", "macro_f1", "ece", "answered", "right_when_answered", "out_of_scope_auroc"} == set(
        trained.scores
    )
    assert all(0 <= score <= 1 for score in trained.scores.values())


def test_a_rasa_model_is_listed_among_the_others(learned: Setting) -> None:
    (summary,) = Models(learned.folder).summaries()
    assert (summary.id, summary.engine, summary.damaged) == (learned.trained.id, "rasa", "")


def test_the_table_inside_is_rasas_and_judges_nothing_it_has_seen(learned: Setting) -> None:
    rows = list(out_of_fold(learned.model))
    right = sum(row.predicted == row.expected for row in rows) / len(rows)
    assert right == pytest.approx(learned.trained.scores["accuracy"], abs=1e-3)
    assert len({row.text for row in rows}) == len(rows)


def test_held_out_examples_are_in_no_document_rasa_judged_them_by(learned: Setting) -> None:
    *judging, last = learned.api.documents[:6]
    assert "where is my order 4711" in last
    assert sum("where is my order 4711" not in document for document in judging) == 1


async def test_rasas_complaint_about_the_pipeline_is_passed_on(
    learned: Setting, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    config = tmp_path / "config.yml"
    config.write_text("recipe: default.v1\npipeline:\n- name: Magic\n", encoding="utf-8")
    with pytest.raises(BadData, match=r"could not train: .*Can't load class for name 'Magic'"):
        await train([learned.data], tmp_path / "models", server_of(learned.api, session), config=config)


async def test_bad_data_are_complained_of_before_rasa_is_asked(
    learned: Setting, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.yml"
    bad.write_text("nlu:\n- intent: a\n  examples: {b: c}\n", encoding="utf-8")
    calls = [call for call in learned.api.calls if call[1] == "/model/train"]
    with pytest.raises(BadData, match=r"bad\.yml:3"):
        await train([bad], tmp_path / "models", server_of(learned.api, session))
    assert calls == [call for call in learned.api.calls if call[1] == "/model/train"]


async def test_a_model_that_could_not_judge_is_not_left_in_rasas_folder(
    learned: Setting, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    judging = tmp_path / learned.api.next_file
    judging.touch()
    learned.api.trouble.extend([None, None, overloaded])  # version, training, judging
    with pytest.raises(EngineUnavailable):
        await train([learned.data], tmp_path / "models", server_of(learned.api, session), folder=tmp_path)
    assert not judging.exists()


@pytest.fixture
async def half(
    learned: Setting, session: aiohttp.ClientSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Model:
    """Of which one part of the examples was held out, and Rasa named no intent for its refunds."""
    monkeypatch.setattr(training, "ENOUGH", 1)
    learned.api.trouble.extend([None, None, speechless_about("refund")])
    trained = await train([learned.data], tmp_path, server_of(learned.api, session))
    return Models(tmp_path).load(trained.id)


async def test_all_leaked_examples_are_counted_also_those_that_were_never_held_out(
    half: Model, learned: Setting
) -> None:
    examples = read([learned.data])
    found = await evaluate(Embedded(half), examples, half)
    assert found.learned == len(examples.examples)
    assert len(list(out_of_fold(half))) < len(examples.examples) / 2


def test_where_rasa_names_no_intent_the_table_names_none(half: Model) -> None:
    rows = list(out_of_fold(half))
    assert {(row.predicted, row.confidence) for row in rows if row.expected == "refund"} == {("", 0.0)}
    assert all(row.predicted == row.expected for row in rows if row.expected != "refund")
    right = sum(row.predicted == row.expected for row in rows) / len(rows)
    assert right == pytest.approx(half.facts.scores["accuracy"], abs=1e-3)


# ── Evaluating ──────────────────────────────────────────────────────────────────────────────────


async def test_a_model_that_is_not_at_work_is_scored_without_taking_the_live_one_away(
    learned: Setting, session: aiohttp.ClientSession
) -> None:
    kept, learned.api.loaded = learned.api.loaded, next(iter(learned.api.models))
    engine = Rasa(learned.model, server_of(learned.api, session))
    examples = read([learned.data])
    try:
        await engine.stand_alone(examples.examples)
        report = await evaluate(engine, examples)
        assert learned.api.loaded == next(iter(learned.api.models))
    finally:
        learned.api.loaded = kept
    assert report.model == learned.trained.id
    assert report.accuracy > 0.9


async def test_while_scoring_nobody_stands_in(learned: Setting, rasa: Rasa) -> None:
    await rasa.stand_alone(read([learned.data]).examples)
    learned.api.trouble.append(overloaded)
    with pytest.raises(EngineUnavailable, match="503"):
        await rasa.understand(GERMAN, Context())


async def test_a_model_that_is_taken_away_while_it_is_scored_is_no_score(
    learned: Setting, rasa: Rasa
) -> None:
    await rasa.stand_alone(read([learned.data]).examples)
    kept, learned.api.loaded = learned.api.loaded, next(iter(learned.api.models))
    try:
        with pytest.raises(EngineUnavailable, match="evaluate again"):
            await rasa.understand(GERMAN, Context())
    finally:
        learned.api.loaded = kept


# ── The doctor ──────────────────────────────────────────────────────────────────────────────────


async def test_the_doctor_says_whether_rasa_has_the_live_model(
    rasa: Rasa, learned: Setting, session: aiohttp.ClientSession
) -> None:
    assert [(one.status, "3.6.21" in one.detail) for one in await rasa.check()] == [("ok", True)]
    kept, learned.api.loaded = learned.api.loaded, next(iter(learned.api.models))
    assert [one.status for one in await rasa.check()] == ["warn"]
    learned.api.loaded = kept
    (away,) = await Rasa(learned.model, RasaServer("http://127.0.0.1:9", session)).check()
    assert (away.status, "make rasa" in away.fix) == ("warn", True)


@pytest.mark.parametrize(
    "changed",
    [
        {"file": "../../x.tar.gz"},
        {"file": "config.yml"},
        {"right": Logistic(weights=(1.0,), bias=0.0, low=(0.0,), high=(1.0,))},
        {"strange": Logistic(weights=(), bias=0.0, low=(), high=())},
    ],
)
def test_a_model_made_by_hand_reaches_no_other_folder_and_judges_by_what_there_is(
    learned: Setting, changed: dict[str, Any]
) -> None:
    remote = replace(remote_of(learned.model), **changed)
    arrays = {**learned.model.arrays, REMOTE: np.frombuffer(msgspec.json.encode(remote), np.uint8)}
    with pytest.raises(BadData, match="train again"):
        remote_of(replace(learned.model, arrays=arrays))


def test_a_model_of_the_embedded_engine_is_none_of_rasas(
    learned: Setting, session: object, tmp_path: Path
) -> None:
    trained = asyncio.run(train_embedded([learned.data], tmp_path))
    with pytest.raises(BadData, match="train again"):
        remote_of(Models(tmp_path).load(trained.id))
    assert Embedded(Models(tmp_path).load(trained.id)).parse(ENGLISH).intent.name == "where_is_parcel"

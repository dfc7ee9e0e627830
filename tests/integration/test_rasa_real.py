"""The same contract against a real Rasa 3.6 server, where this machine has a Python for it; and what only that shows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from msgspec import Struct

from bot.domain.errors import BadData, EngineUnavailable
from bot.domain.ports import Understander
from bot.domain.understanding import Context
from nlu.evaluation import evaluate
from nlu.models import Model, Models
from nlu.rasa import Access, Rasa, RasaServer, train
from nlu.rasa.remote import remote_of
from nlu.rasa.server import Prediction
from nlu.rasa.training import PROJECT
from nlu.rasa.wording import FIRST, asked, document, questions
from nlu.reading import read, read_training
from tests.contracts.understander_contract import GERMAN, UnderstanderContract
from tests.rasa_server import SECRET, TOKEN, RealRasa, real_rasa
from tests.unit.nlu.conftest import SMALL

__all__ = ["real_rasa"]
pytestmark = pytest.mark.timeout(1200)  # the first test waits for an installation

# What Rasa would stumble over if it were handed our files as they are.
AWKWARD = r"""
- intent: faq/opening hours
  examples: |
    - wann habt ihr offen \u0041
    - when are you open ${HOME} ${NOBODY_SET_THIS}
    - /greeting um wieviel uhr
    - öffnungszeiten [siehe] {oben} "bitte"
    - - opening hours 😀
- intent: 'yes'
  metadata: {urgency: low}
  examples: |
    - ja genau: so ist es
    - yes # indeed
    - '"ja"'
    - yep, that's right
    - stimmt
"""


class Learned(Struct, frozen=True):
    rasa: RealRasa
    data: Path
    model: Model
    scores: dict[str, float]


@pytest.fixture(scope="module")
def learned(real_rasa: RealRasa, tmp_path_factory: pytest.TempPathFactory) -> Learned:
    folder = tmp_path_factory.mktemp("learned")
    data = folder / "nlu.yml"
    data.write_text(SMALL + AWKWARD, encoding="utf-8")

    async def learn() -> Learned:
        async with aiohttp.ClientSession() as session:
            server = server_of(real_rasa, session)
            trained = await train([data], folder / "models", server, folder=real_rasa.models)
            model = Models(folder / "models").load(trained.id)
            await Rasa(model, server).prepare()
            return Learned(real_rasa, data, model, trained.scores)

    return asyncio.run(learn())


@pytest.fixture
async def server(learned: Learned) -> AsyncIterator[RasaServer]:
    async with aiohttp.ClientSession() as session:
        yield server_of(learned.rasa, session)


@pytest.fixture
def rasa(learned: Learned, server: RasaServer) -> Rasa:
    return Rasa(learned.model, server)


def server_of(rasa: RealRasa, session: aiohttp.ClientSession, access: Access | None = None) -> RasaServer:
    return RasaServer(rasa.url, session, access or Access(token=TOKEN), timeout=10)


class TestRealRasa(UnderstanderContract):
    @pytest.fixture
    def engine(self, rasa: Rasa) -> Understander:
        return rasa


async def test_rasa_itself_understood(rasa: Rasa) -> None:
    found = await rasa.understand(GERMAN, Context())
    assert (found.engine, found.model) == ("rasa", rasa.model)


def test_training_scores_like_the_embedded_engine(learned: Learned) -> None:
    assert learned.scores["accuracy"] > 0.4  # of five parts of very little
    assert learned.scores["ece"] < 0.3


async def test_only_the_model_that_counts_stays_in_its_folder(learned: Learned) -> None:
    assert [path.name for path in learned.rasa.models.glob("*.tar.gz")] == [remote_of(learned.model).file]


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("wann habt ihr offen", "faq/opening hours"),
        ("opening hours", "faq/opening hours"),
        ("ja genau so ist es", "yes"),
        ("yes indeed", "yes"),
    ],
)
async def test_intents_keep_their_names(rasa: Rasa, text: str, intent: str) -> None:
    assert (await rasa.understand(text, Context())).intent.name == intent


async def test_what_rasa_learned_is_what_was_written(learned: Learned, server: RasaServer) -> None:
    data = read_training([learned.data])
    found = await server.judge(remote_of(learned.model).file, questions(data.examples))
    assert {one.text for one in found if one.intent == "yes"} == {
        "ja genau: so ist es",
        "yes # indeed",
        "'\"ja\"'",
        "yep, that's right",
        "stimmt",
    }
    assert r"wann habt ihr offen \u0041" in {one.text for one in found}
    assert "when are you open $(HOME) $(NOBODY_SET_THIS)" in {one.text for one in found}
    assert len(found) == len(data.examples)


async def test_an_intent_cannot_be_named_by_a_command(server: RasaServer) -> None:
    believed = await server.parse("/refund")
    assert (believed.intent.name, believed.intent.confidence) == ("refund", 1.0)  # why `asked` is needed
    heard = await server.parse(asked("/refund wo ist mein paket 4711"))
    assert heard.intent.confidence < 1


async def test_a_model_that_is_not_at_work_is_judged_and_stays_out_of_work(
    learned: Learned, server: RasaServer
) -> None:
    data = read_training([learned.data])
    pipeline = (PROJECT / "config.yml").read_text(encoding="utf-8")
    before = await server.status()
    file, _ = await server.train(document(pipeline, data, data.examples[:20]))
    found = await server.judge(file, questions(data.examples[:20]))
    assert isinstance(found[0], Prediction)
    assert await server.status() == before


async def test_a_candidate_is_scored_as_the_live_model_is(learned: Learned, rasa: Rasa) -> None:
    examples = read([learned.data])
    await rasa.stand_alone(examples.examples)
    report = await evaluate(rasa, examples)
    assert report.accuracy > 0.9


async def test_a_model_gone_from_the_folder_is_put_back_and_loaded(
    learned: Learned, server: RasaServer
) -> None:
    file = learned.rasa.models / remote_of(learned.model).file
    archive = file.read_bytes()
    file.unlink()
    with pytest.raises(BadData, match="does not have"):
        await server.load(file.name)
    engine = Rasa(learned.model, server, archive=lambda: archive, folder=learned.rasa.models)
    other, _ = await server.train(some_document())
    await server.load(other)
    await engine.prepare()
    assert (await engine.understand(GERMAN, Context())).engine == "rasa"
    (learned.rasa.models / other).unlink()


async def test_a_signed_token_gets_in_and_a_wrong_one_does_not(learned: Learned) -> None:
    async with aiohttp.ClientSession() as session:
        assert (await server_of(learned.rasa, session, Access(jwt_secret=SECRET)).status()).model_id
        for access in (Access(), Access(token="wrong"), Access(jwt_secret="wrong" * 8)):
            with pytest.raises(EngineUnavailable, match=r"nlu\.rasa_token"):
                await server_of(learned.rasa, session, access).status()


async def test_rasas_complaint_about_a_pipeline_is_passed_on(learned: Learned, server: RasaServer) -> None:
    data = read_training([learned.data])
    config = "recipe: default.v1\nassistant_id: x\nlanguage: de\npipeline: [{name: Magic}]\npolicies: []"
    with pytest.raises(BadData, match="Can't load class for name 'Magic'"):
        await server.train(document(config, data, data.examples))


def some_document() -> bytes:
    config = (PROJECT / "config.yml").read_text(encoding="utf-8")
    intents = {"a": ["eins", "zwei", "drei"], "b": ["vier", "fünf", "sechs"]}
    lines = [
        f"- intent: {name}\n  examples: |\n" + "".join(f"    - {text}\n" for text in found)
        for name, found in intents.items()
    ]
    return "\n".join([FIRST, config, f"intents: {json.dumps(list(intents))}", "nlu:", *lines]).encode()

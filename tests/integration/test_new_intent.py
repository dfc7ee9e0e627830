"""A new intent from its examples to its first answer: what the commands say on the way, and about what slips."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest
from msgspec.structs import replace

from bot import bootstrap, config
from bot.bootstrap import serving
from bot.bootstrap.at_work import alone, at_work
from bot.config import ConfigError, Settings
from bot.domain.errors import EngineUnavailable, Unknown
from bot.domain.ports import Finding
from nlu.facts import Facts
from nlu.models import Models
from nlu.training import run
from tests.unit.nlu.conftest import SMALL
from tests.unit.test_answers import SAID

CONFIG = """
store: sqlite:///{folder}/switchboard.db
files: {folder}/files
nlu: {{data: ["{folder}/data"], models: "{folder}/models", answers: "{folder}/answers.yml"{more}}}
brand: {{languages: [de]}}
lookups: {{order: {{url: "{{public_url}}/demo/{{order_number}}"}}}}
"""
TENT = "- intent: tent_rental\n  examples: |\n" + "".join(
    f"    - {text}\n"
    for text in (
        "Kann ich ein Zelt mieten?",
        "Verleiht ihr Zelte?",
        "Was kostet ein Zelt für eine Woche zur Miete?",
        "Zelt ausleihen",
        "Gibt es bei euch Leihzelte?",
        "I want to rent a tent",
    )
)
KNOWN = ("where_is_parcel", "greeting", "charged_twice", "refund", "out_of_scope")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "nlu.yml").write_text(SMALL, encoding="utf-8")
    answered(tmp_path, *KNOWN)
    return configured(tmp_path)


def configured(folder: Path, more: str = "") -> Settings:
    file = folder / "config.yml"
    file.write_text(CONFIG.format(folder=folder, more=more), encoding="utf-8")
    return config.load(file, {})


def answered(folder: Path, *intents: str) -> None:
    answers = "".join(f"  {name}: {{label: {{de: A}}, text: {{de: Über {name}.}}}}\n" for name in intents)
    (folder / "answers.yml").write_text(f"intents:\n{answers}{SAID}", encoding="utf-8")


def taught(folder: Path) -> None:
    file = folder / "data" / "nlu.yml"
    file.write_text(file.read_text(encoding="utf-8") + TENT, encoding="utf-8")


def trained(settings: Settings) -> str:
    """A candidate."""
    return run([Path(settings.nlu.data[0])], Path(settings.nlu.models)).id


async def findings(settings: Settings) -> list[Finding]:
    return await bootstrap.check(settings, offline=True)


async def test_what_waits_for_the_next_model_is_said_so(settings: Settings, tmp_path: Path) -> None:
    await bootstrap.promote(settings, trained(settings))
    taught(tmp_path)
    answered(tmp_path, *KNOWN, "tent_rental")
    (found,) = [one for one in await findings(settings) if one.status != "ok"]
    assert found.detail.startswith("The live model does not know `tent_rental` yet")
    assert "promote" in found.fix
    await bootstrap.promote(settings, trained(settings))
    assert {one.status for one in await findings(settings)} == {"ok"}


async def test_an_intent_nobody_answers_is_named_when_it_is_trained_and_when_it_goes_live(
    settings: Settings, tmp_path: Path
) -> None:
    taught(tmp_path)
    candidate = await bootstrap.train(settings, None, None)
    promoted = await bootstrap.promote(settings, candidate.id)
    warning = "`tent_rental` has no answer: its messages go to people"
    assert candidate.warnings[0] == warning
    assert promoted.warnings == (warning,)


async def test_a_slip_in_the_configuration_is_mended_there(settings: Settings, tmp_path: Path) -> None:
    await bootstrap.promote(settings, trained(settings))
    slipped = configured(tmp_path, ", thresholds: {intents: {refnd: 0.7}}")
    (found,) = [one for one in await findings(slipped) if one.status != "ok"]
    assert (found.name, found.fix) == ("config", f'Correct it in {slipped.file}; did you mean "refund"?')


async def test_training_data_that_are_not_there_are_missed(settings: Settings) -> None:
    gone = replace(settings, nlu=replace(settings.nlu, data=("nlu/dta",)))
    (found,) = [one for one in await findings(gone) if one.name == "examples"]
    assert found.status == "fail"
    assert found.detail.startswith("nlu/dta: there is no such file or folder")
    await bootstrap.promote(settings, trained(settings))
    (found,) = [one for one in await findings(gone) if one.name == "examples"]
    assert found.status == "warn"


# ── Which model ─────────────────────────────────────────────────────────────────────────────────


async def test_the_beginning_of_an_id_is_enough(settings: Settings) -> None:
    model = trained(settings)
    assert (await bootstrap.promote(settings, model[:6])).id == model
    assert (await bootstrap.evaluate(settings, None, model[:6])).report.model == model


async def test_a_beginning_that_several_ids_have_is_refused(settings: Settings) -> None:
    folder = Path(settings.nlu.models)
    model = trained(settings)
    other = f"{model[:6]}0000"
    (folder / f"{other}.npz").write_bytes((folder / f"{model}.npz").read_bytes())
    with pytest.raises(Unknown, match=rf'begin with "{model[:6]}": .*{other}.* Write more of the id'):
        await bootstrap.promote(settings, model[:6])
    assert (await bootstrap.promote(settings, model)).id == model


async def test_an_id_that_nothing_begins_with_is_unknown(settings: Settings) -> None:
    trained(settings)
    with pytest.raises(Unknown, match='There is no model "0x"'):
        await bootstrap.promote(settings, "0x")


async def test_a_model_that_is_far_worse_than_the_one_before_is_told_with_both_figures(
    settings: Settings, tmp_path: Path
) -> None:
    good = trained(settings)
    file = tmp_path / "data" / "nlu.yml"
    texts = [line for line in SMALL.splitlines() if line.strip().startswith("- ") and "intent" not in line]
    mixed = "".join(f"{line}\n" for line in texts)
    file.write_text(
        f"nlu:\n- intent: refund\n  examples: |\n{mixed}- intent: greeting\n  examples: |\n{mixed}"
    )
    bad = trained(settings)
    promoted = await bootstrap.promote(settings, good)
    assert (promoted.before, promoted.warnings) == ("", ())
    before, now = (facts(settings, model).scores["accuracy"] for model in (good, bad))
    promoted = await bootstrap.promote(settings, bad)
    (warning,) = promoted.warnings
    assert promoted.before == good
    assert warning.endswith(f"the model before: {now:.1%} right instead of {before:.1%}")


def facts(settings: Settings, model: str) -> Facts:
    return Models(Path(settings.nlu.models)).load(model).facts


# ── Where the server is ─────────────────────────────────────────────────────────────────────────


async def test_check_finds_the_server_on_whatever_port_it_was_started(
    settings: Settings, tmp_path: Path
) -> None:
    with alone(tmp_path / "switchboard.db") as tell:
        tell("127.0.0.1", 21080, 4711)
        found = {one.name: one for one in await bootstrap.check(settings, offline=False)}
    assert found["server"].detail == "process 4711 listens on 127.0.0.1:21080"
    assert found["server"].fix == ""
    assert found["lookup order"].detail.startswith("127.0.0.1:21080 ")


async def test_a_server_that_was_killed_is_not_taken_for_one_at_work(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "switchboard.db.lock").write_text('{"host": "127.0.0.1", "port": 21080, "process": 4711}')
    assert at_work(settings) is None
    (found,) = [one for one in await findings(settings) if one.name == "server"]
    assert (found.detail, found.fix) == ("not started", "Start with: switchboard serve")


@pytest.mark.parametrize("role", ["all", "worker"])
def test_a_server_says_how_it_is_told_to_read_again(
    settings: Settings, role: str, capsys: pytest.CaptureFixture[str]
) -> None:
    serving._greet(settings, role, "")
    assert f"Read {settings.file} and the answers again: kill -HUP {os.getpid()}\n" in capsys.readouterr().out


async def test_what_keeps_the_server_from_starting_says_by_itself_what_to_do(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "answers.yml").write_text("intents: [", encoding="utf-8")
    (found,) = [one for one in await findings(settings) if one.name == "start"]
    assert (found.status, found.fix) == ("fail", "")


# ── What is understood ──────────────────────────────────────────────────────────────────────────


async def test_a_text_is_explained_with_what_would_happen(settings: Settings) -> None:
    await bootstrap.promote(settings, trained(settings))
    async with bootstrap.explainer(settings) as explainer:
        found = await explainer.explain("ich will mein Geld zurück")
    rows = dict(found.rows())
    assert rows["intent"].startswith("refund ")
    assert found.outcome.does in {"answer", "ask"}
    assert {"entities", "urgency", "sentiment", "language", "wants a person", "out of scope"} <= set(rows)
    assert found.builtins()["intent"]["name"] == "refund"


@pytest.mark.parametrize(
    ("thresholds", "does"), [("{answer: 0.01}", "answer"), ("{answer: 0.01, intents: {refund: 1.0}}", "ask")]
)
async def test_the_thresholds_decide_what_would_happen(
    settings: Settings, tmp_path: Path, thresholds: str, does: str
) -> None:
    await bootstrap.promote(settings, trained(settings))
    async with bootstrap.explainer(configured(tmp_path, f", thresholds: {thresholds}")) as explainer:
        outcome = (await explainer.explain("ich will mein Geld zurück")).outcome
    assert outcome.does == does
    assert outcome.says == (("Über refund.",) if does == "answer" else ("x",))
    assert bool(outcome.buttons) == (does == "ask")


async def test_who_asks_for_a_person_is_shown_where_they_would_go(settings: Settings) -> None:
    await bootstrap.promote(settings, trained(settings))
    async with bootstrap.explainer(settings) as explainer:
        found = await explainer.explain("Ich will mit einem Menschen sprechen")
    assert (found.outcome.does, found.outcome.reason) == ("hand_off", "Asked for a person")
    assert dict(found.rows())["wants a person"] == "yes"
    assert found.outcome.department == settings.handoff.default_department


async def test_an_intent_without_an_answer_is_explained_as_that(settings: Settings, tmp_path: Path) -> None:
    taught(tmp_path)
    await bootstrap.promote(settings, trained(settings))
    loose = configured(tmp_path, ", thresholds: {answer: 0.01}")
    async with bootstrap.explainer(loose) as explainer:
        outcome = (await explainer.explain("Kann ich ein Zelt mieten?")).outcome
    assert (outcome.does, outcome.reason) == ("hand_off", "tent_rental has no answer")


async def test_without_a_live_model_nothing_is_explained(settings: Settings) -> None:
    async with bootstrap.explainer(settings) as explainer:
        with pytest.raises(EngineUnavailable, match="switchboard train"):
            await explainer.explain("Hallo")


async def test_a_live_model_that_is_gone_is_said_and_the_rest_is_looked_at(settings: Settings) -> None:
    live = trained(settings)
    await bootstrap.promote(settings, live)
    (Path(settings.nlu.models) / f"{live}.npz").unlink()
    found = {one.name: one for one in await findings(settings)}
    assert (found["model"].status, live in found["model"].detail) == ("fail", True)
    assert "switchboard rollback" in found["model"].fix
    assert {"store", "examples", "secret"} <= found.keys()


def test_who_only_looks_for_a_server_keeps_none_from_starting(settings: Settings) -> None:
    store = Path(settings.store.removeprefix("sqlite:///"))
    with store.with_name(f"{store.name}.lock").open("ab") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        threading.Timer(0.03, lambda: fcntl.flock(looking, fcntl.LOCK_UN)).start()
        with alone(store):
            pass
        fcntl.flock(looking, fcntl.LOCK_SH)
        with pytest.raises(ConfigError, match="Another server"), alone(store):
            pass

"""A promised share of wrong answers decides from which confidence the bot answers."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace

from bot import bootstrap
from bot.bootstrap.content import Live, read_content
from bot.bootstrap.parts import assembled
from bot.config import Settings, load
from nlu.training import run
from tests.unit.nlu.conftest import SMALL


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "nlu.yml").write_text(SMALL, encoding="utf-8")
    file = tmp_path / "config.yml"
    file.write_text(
        f"store: sqlite:///{tmp_path}/db\nfiles: {tmp_path}/files\n"
        f"nlu: {{data: [{tmp_path}/data], models: {tmp_path}/models, "
        "thresholds: {wrong_answers: 0.4, intents: {refund: 0.77}}}\n",
        encoding="utf-8",
    )
    run([tmp_path / "data"], tmp_path / "models")
    return load(file, {})


async def test_the_model_at_work_decides_what_keeps_the_promise(settings: Settings) -> None:
    async with assembled(settings) as parts:
        assert set(parts.live.policy().thresholds) == {"refund"}
        await parts.tuning.promote(await parts.models.latest())
        await parts.tuning.follow()
        thresholds = parts.live.policy().thresholds
    assert {"where_is_parcel", "greeting", "charged_twice", "refund"} <= set(thresholds)
    assert "out_of_scope" not in thresholds


async def test_a_threshold_that_is_written_down_wins(settings: Settings) -> None:
    async with assembled(settings) as parts:
        await parts.tuning.promote(await parts.models.latest())
        await parts.tuning.follow()
        assert parts.live.policy().thresholds["refund"] == 0.77


async def test_a_changed_promise_counts_at_once(settings: Settings) -> None:
    async with assembled(settings) as parts:
        await parts.tuning.promote(await parts.models.latest())
        await parts.tuning.follow()
        loose = parts.live.policy().thresholds
        parts.live.replace(replace(read_content(settings), wrong_answers=0.001))
        strict = parts.live.policy().thresholds
    assert loose["where_is_parcel"] < strict["where_is_parcel"]
    assert min(least for intent, least in strict.items() if intent != "refund") > 1


def test_without_a_promise_nothing_is_computed(settings: Settings) -> None:
    asked: list[float] = []

    def promised(share: float) -> Mapping[str, float]:
        asked.append(share)
        return {"greeting": 0.9}

    live = Live(replace(read_content(settings), wrong_answers=None))
    live.follow(promised)
    assert live.policy().thresholds == {"refund": 0.77}
    assert asked == []


async def test_check_says_what_a_promise_comes_to(settings: Settings) -> None:
    strict = replace(
        settings, nlu=replace(settings.nlu, thresholds=replace(settings.nlu.thresholds, wrong_answers=0.02))
    )
    (finding,) = [one for one in await bootstrap.check(strict, offline=True) if one.name == "promise"]
    assert finding.status == "warn"
    assert "2.0% wrong answers" in finding.detail
    assert "greeting" in finding.detail
    assert "refund" not in finding.detail


async def test_models_say_what_they_make_of_the_promise(settings: Settings) -> None:
    (listed,) = await bootstrap.models(settings)
    assert listed["wrong_answers"] == 0.4
    assert 0 < listed["can_answer"] < 1
    free = replace(
        settings, nlu=replace(settings.nlu, thresholds=replace(settings.nlu.thresholds, wrong_answers=None))
    )
    assert "can_answer" not in (await bootstrap.models(free))[0]

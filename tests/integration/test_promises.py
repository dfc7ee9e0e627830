"""A promised share of wrong answers decides from which confidence the bot answers."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace

from bot import bootstrap
from bot.bootstrap.content import Live, read_content
from bot.bootstrap.parts import assembled
from bot.config import Settings, load
from bot.domain.ports import Understander
from nlu.models import Models
from nlu.training import run
from tests.unit.nlu.conftest import SMALL
from tests.unit.nlu.test_models import altered

MORE = "- intent: greeting\n  examples: |\n    - {}\n"


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


async def test_a_promise_holds_while_other_models_are_looked_at(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    older, newer, third = (trained(settings, more) for more in ("eins", "zwei", "drei"))
    async with assembled(settings) as parts:
        await parts.tuning.promote(older)
        await parts.tuning.follow()

        async def meanwhile(id: str) -> Understander:
            engine = await parts.models.load(id)
            await parts.models.load(third)
            return engine

        monkeypatch.setattr(parts.tuning, "_load", meanwhile)
        await parts.tuning.promote(newer)
        await parts.tuning.follow()
        assert parts.tuning.model == newer
        assert "where_is_parcel" in parts.live.policy().thresholds


async def test_a_comparison_leaves_out_what_one_of_the_models_had_learned(
    settings: Settings, tmp_path: Path
) -> None:
    (before,) = (one.id for one in Models(Path(settings.nlu.models)).summaries())
    after = trained(settings, "servus miteinander")
    tests = tmp_path / "test.yml"
    tests.write_text(f"nlu:\n{MORE.format('Servus miteinander!')}    - grüezi wohl\n", encoding="utf-8")
    found = await bootstrap.evaluate(settings, str(tests), after, before)
    assert found.comparison
    assert (found.report.learned, found.comparison.other.learned, found.comparison.left_out) == (0, 0, 0)
    tests.write_text(f"nlu:\n{MORE.format('Servus  miteinander')}    - grüezi wohl\n", encoding="utf-8")
    found = await bootstrap.evaluate(settings, str(tests), before, after)
    assert found.comparison
    assert (found.report.learned, found.comparison.other.learned, found.comparison.left_out) == (0, 1, 1)


async def test_a_model_damaged_further_in_is_listed_as_damaged_and_passed_over(settings: Settings) -> None:
    folder = Path(settings.nlu.models)
    (sound,) = (one.id for one in Models(folder).summaries())
    damaged = trained(settings, "nein danke")
    altered(folder / f"{damaged}.npz")
    (folder / f"{sound}.backup.npz").write_bytes((folder / f"{sound}.npz").read_bytes())
    listed = await bootstrap.models(settings)
    assert [(one["id"], "cannot be used" in one["damaged"]) for one in listed] == [
        (damaged, True),
        (sound, False),
    ]
    assert (await bootstrap.evaluate(settings, None, None)).report.model == sound


def trained(settings: Settings, more: str) -> str:
    """A newer model with one more example."""
    file = Path(settings.nlu.data[0]) / "nlu.yml"
    file.write_text(file.read_text(encoding="utf-8") + MORE.format(more), encoding="utf-8")
    return run([file], Path(settings.nlu.models)).id


async def test_models_say_what_they_make_of_the_promise(settings: Settings) -> None:
    (listed,) = await bootstrap.models(settings)
    assert listed["wrong_answers"] == 0.4
    assert 0 < listed["can_answer"] < 1
    free = replace(
        settings, nlu=replace(settings.nlu, thresholds=replace(settings.nlu.thresholds, wrong_answers=None))
    )
    assert "can_answer" not in (await bootstrap.models(free))[0]

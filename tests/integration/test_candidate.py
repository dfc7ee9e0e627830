"""A candidate beside the live model, from the files to what `train` and `evaluate` say of it."""

from pathlib import Path

import pytest

from bot import bootstrap, config
from bot.config import Settings
from nlu.models import Models
from nlu.training import run
from tests.unit.nlu.conftest import SMALL

CONFIG = """
store: sqlite:///{folder}/switchboard.db
files: {folder}/files
nlu: {{data: ["{folder}/nlu.yml"], models: "{folder}/models"}}
brand: {{languages: [de]}}
"""
WITHOUT_REFUND = SMALL[: SMALL.index("- intent: refund")] + SMALL[SMALL.index("- intent: out_of_scope") :]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    file = tmp_path / "config.yml"
    file.write_text(CONFIG.format(folder=tmp_path), encoding="utf-8")
    return config.load(file, {})


def learn(folder: Path, data: str) -> str:
    (folder / "nlu.yml").write_text(data, encoding="utf-8")
    return run([folder / "nlu.yml"], folder / "models").id


async def test_a_candidate_is_shown_beside_the_live_model(settings: Settings, tmp_path: Path) -> None:
    old = learn(tmp_path, WITHOUT_REFUND)
    await bootstrap.promote(settings, old)
    (tmp_path / "nlu.yml").write_text(SMALL, encoding="utf-8")
    new = await bootstrap.train(settings, None, None)
    assert new.live
    assert (new.live.model, new.live.new_intents, new.live.lost_intents) == (old, ("refund",), ())
    assert new.builtins()["live"]["scores"] == Models(tmp_path / "models").load(old).facts.scores
    assert f"New to the live model {old}: refund." in new.text().splitlines()


async def test_the_first_candidate_stands_alone(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "nlu.yml").write_text(SMALL, encoding="utf-8")
    first = await bootstrap.train(settings, None, None)
    assert "live" not in first.builtins()
    assert "live" not in first.text()


async def test_a_damaged_live_model_is_no_reason_not_to_train(settings: Settings, tmp_path: Path) -> None:
    old = learn(tmp_path, WITHOUT_REFUND)
    await bootstrap.promote(settings, old)
    (tmp_path / "models" / f"{old}.npz").write_bytes(b"cut short")
    (tmp_path / "nlu.yml").write_text(SMALL, encoding="utf-8")
    assert (await bootstrap.train(settings, None, None)).live is None


async def test_scoring_a_model_on_its_own_examples_is_called_worthless(
    settings: Settings, tmp_path: Path
) -> None:
    id = learn(tmp_path, SMALL)
    found = await bootstrap.evaluate(settings, str(tmp_path / "nlu.yml"), id)
    assert found.builtins()["learned"] == found.builtins()["n"] == 42
    said = "42 of 42 messages were learned: these figures prove nothing"
    assert said in found.text()
    assert said in found.html()

"""Answers that were pushed: every process follows them, whatever the file on its own machine says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot import bootstrap, config
from bot.bootstrap.backends import now
from bot.bootstrap.content import read_content
from bot.bootstrap.parts import Parts, assembled
from bot.config import Settings
from bot.domain.errors import BadData
from bot.services.contents import PushedAnswers

SHIPPED = Path(__file__).parents[2] / "nlu" / "data" / "answers.yml"
WORDS = "Hello and welcome to Nordwind!"


def machine(folder: Path, name: str) -> Settings:
    """One with an answers file of its own, on the store of all."""
    answers, file = folder / f"{name}.yml", folder / f"{name}-config.yml"
    answers.write_text(SHIPPED.read_text(encoding="utf-8"), encoding="utf-8")
    places = f"store: sqlite:///{folder}/switchboard.db\nfiles: {folder}/files\n"
    file.write_text(f"{places}nlu: {{answers: {answers}}}\n", encoding="utf-8")
    return config.load(file, {})


def edit(settings: Settings, words: str) -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    Path(settings.nlu.answers).write_text(text.replace(WORDS, words), encoding="utf-8")


def written(settings: Settings) -> str:
    return Path(settings.nlu.answers).read_text(encoding="utf-8")


def greeting(parts: Parts) -> str:
    """As the bot says it, which is what the policy has."""
    said = parts.live.policy().book.answers["greeting"].text["en"]
    assert said == parts.live.book().answers["greeting"].text["en"]
    return said


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    return machine(tmp_path, "here")


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[Parts]:
    async with assembled(machine(tmp_path, "there")) as parts:
        yield parts


async def test_pushed_answers_are_followed_by_a_running_process(here: Settings, there: Parts) -> None:
    assert greeting(there).startswith(WORDS)
    edit(here, "Ahoy!")
    await bootstrap.push_content(here)
    await there.follow_answers()
    assert greeting(there).startswith("Ahoy!")


async def test_pushed_answers_win_over_the_file_also_when_that_is_read_again(
    here: Settings, there: Parts
) -> None:
    edit(here, "Ahoy!")
    await bootstrap.push_content(here)
    await there.follow_answers()
    there.live.replace(read_content(there.settings))
    assert greeting(there).startswith("Ahoy!")


async def test_a_process_that_starts_later_has_them(here: Settings, there: Parts) -> None:
    edit(here, "Ahoy!")
    await bootstrap.push_content(here)
    async with assembled(there.settings) as later:
        assert greeting(later).startswith("Ahoy!")


async def test_pulling_writes_them_into_the_file(here: Settings, there: Parts) -> None:
    assert await bootstrap.pull_content(there.settings) is False
    edit(here, "Ahoy!")
    await bootstrap.push_content(here)
    assert await bootstrap.pull_content(there.settings) is True
    assert written(there.settings) == written(here)


async def test_what_cannot_be_used_is_not_pushed(here: Settings, there: Parts) -> None:
    Path(here.nlu.answers).write_text("intents: {greeting: {label: {en: Hi}}}\n", encoding="utf-8")  # noqa: ASYNC240
    with pytest.raises(BadData, match=r"here\.yml: "):
        await bootstrap.push_content(here)
    await there.follow_answers()
    assert greeting(there).startswith(WORDS)


async def test_what_this_version_cannot_read_leaves_the_old_in_place(here: Settings, there: Parts) -> None:
    await bootstrap.push_content(here)
    await there.follow_answers()
    text = SHIPPED.read_text(encoding="utf-8").replace("smalltalk: true", "mood: sunny")
    await PushedAnswers(there.store, now).push(text)
    await there.follow_answers()
    assert greeting(there).startswith(WORDS)


async def test_who_edits_a_file_that_pushed_answers_overrule_is_told_by_the_check(here: Settings) -> None:
    async def told() -> list[str]:
        findings = await bootstrap.check(here, offline=True)
        return [found.fix for found in findings if found.detail.startswith("pushed answers are in use")]

    assert await told() == []
    await bootstrap.push_content(here)
    assert await told() == []
    edit(here, "Ahoy!")
    (fix,) = await told()
    assert fix.startswith("Use the file: switchboard content push.")

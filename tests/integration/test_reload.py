"""SIGHUP: what may change while the server runs changes everywhere, and the rest keeps working as it was."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog

from bot import config
from bot.bootstrap.parts import Parts, assembled, web_context
from bot.bootstrap.serving import reload
from tests.builders import case

BEFORE = """
store: sqlite:///{folder}/here.db
files: {folder}/files
nlu: {{models: {folder}/models}}
departments: {{service: {{label: Service}}, press: {{label: Press}}}}
"""
AFTER = """
store: sqlite:///{folder}/here.db
files: {folder}/files
nlu: {{models: {folder}/models}}
lookups: {{order: {{url: "http://127.0.0.1:9/{{order_number}}"}}}}
departments: {{service: {{label: Help desk}}, legal: {{label: Legal}}}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.yml"
    path.write_text(BEFORE.format(folder=tmp_path), encoding="utf-8")
    return path


def rewritten(file: Path, text: str) -> None:
    file.write_text(text.format(folder=file.parent), encoding="utf-8")


@pytest.fixture
async def parts(file: Path) -> AsyncIterator[Parts]:
    async with assembled(config.load(file, {})) as made:
        yield made


async def test_pages_show_the_departments_that_count_now(parts: Parts, file: Path) -> None:
    context = web_context(parts)
    rewritten(file, AFTER)
    await reload(parts, file)
    assert set(context.departments) == set(parts.live.rules().departments) == {"service", "legal"}
    assert context.departments["service"].label["en"] == "Help desk"


async def test_a_lookup_counts_from_the_next_start(parts: Parts, file: Path) -> None:
    """Until then nothing is opened for it, so its answers say what they say without one."""
    rewritten(file, AFTER)
    await reload(parts, file)
    assert parts.live.policy().lookups == frozenset()


async def test_the_cases_of_a_department_that_is_gone_are_the_default_ones(parts: Parts, file: Path) -> None:
    rewritten(file, AFTER)
    await reload(parts, file)
    assert parts.live.rules().department(case(department="press").department).name == "service"


async def test_a_mistake_keeps_what_there_is(parts: Parts, file: Path) -> None:
    rewritten(file, "departments: {{service: {{lable: Typo}}}}")
    before = parts.live.rules()
    await reload(parts, file)
    assert parts.live.rules() is before


async def test_what_waits_for_the_next_start_is_said(parts: Parts, file: Path) -> None:
    rewritten(file, AFTER.replace("nlu: {{", "nlu: {{engine: rasa, "))
    with structlog.testing.capture_logs() as lines:
        await reload(parts, file)
    assert [line["needs_restart"] for line in lines if line["event"] == "config.read"] == [
        ["lookups", "nlu.engine"]
    ]

"""compose.yaml: what it starts is what there is, and what is named is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from bot.cli import cli

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = YAML(typ="safe").load(ROOT / "compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]


def test_by_itself_one_process_starts_and_nothing_else() -> None:
    assert [name for name, service in SERVICES.items() if not service.get("profiles")] == ["switchboard"]


@pytest.mark.parametrize("name", OURS)
def test_what_is_ours_is_started_with_a_command_there_is(name: str) -> None:
    result = CliRunner().invoke(cli, [*SERVICES[name].get("command", ["serve"]), "--help"])
    assert (result.exit_code, "--role" in result.output) == (0, True)


def test_two_receive_and_two_work() -> None:
    roles = {
        name: (SERVICES[name]["command"][2], SERVICES[name]["deploy"]["replicas"])
        for name in ("web", "worker")
    }
    assert roles == {"web": ("web", 2), "worker": ("worker", 2)}


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_waits_for_starts_with_it_and_says_when_it_is_ready(name: str) -> None:
    service = SERVICES[name]
    for other in service.get("depends_on", {}):
        assert SERVICES[other]["profiles"] == service["profiles"]
        assert SERVICES[other]["healthcheck"]["test"]


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_is_published_beyond_this_machine(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


def test_every_volume_and_file_is_named_or_there() -> None:
    mounted = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]
    named = {source for source in mounted if not source.startswith(".")}
    assert named == set(COMPOSE["volumes"])
    assert all((ROOT / source).exists() for source in mounted if source.startswith("."))

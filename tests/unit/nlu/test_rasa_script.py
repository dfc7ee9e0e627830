"""Which Python Rasa gets: one that really runs, whatever is called python3.10."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.rasa_server import SCRIPT


def python(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{says}\n", encoding="ascii")
    path.chmod(0o755)
    return path


def asked(tmp_path: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """`rasa.sh python` where nothing but the tools of a shell and `tmp_path` is found."""
    tools = tmp_path / "tools"
    tools.mkdir(exist_ok=True)
    for name in ("dirname", "sh"):
        (tools / name).symlink_to(f"/usr/bin/{name}")
    environment = {
        "PATH": f"{tmp_path / 'shims'}{os.pathsep}{tools}",
        "PYENV_ROOT": str(tmp_path / "pyenv"),
        **settings,
    }
    return subprocess.run([SCRIPT, "python"], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("shim", ["echo 'pyenv: python3.10: command not found' >&2; exit 127", "exit 1"])
def test_a_shim_that_does_not_run_is_passed_over_for_pyenvs_own(tmp_path: Path, shim: str) -> None:
    python(tmp_path / "shims" / "python3.10", shim)
    real = python(tmp_path / "pyenv/versions/3.10.13/bin/python", "exit 0")
    assert asked(tmp_path).stdout.strip() == str(real)


def test_the_newest_that_runs_is_taken(tmp_path: Path) -> None:
    python(tmp_path / "pyenv/versions/3.10.13/bin/python", "exit 1")
    python(tmp_path / "pyenv/versions/3.8.18/bin/python", "exit 0")
    wanted = python(tmp_path / "shims" / "python3.9", "exit 0")
    assert asked(tmp_path).stdout.strip() == str(wanted)


def test_the_one_that_is_named_is_taken_or_complained_of(tmp_path: Path) -> None:
    named = python(tmp_path / "mine" / "python", "exit 0")
    python(tmp_path / "shims" / "python3.10", "exit 0")
    assert asked(tmp_path, RASA_PYTHON=str(named)).stdout.strip() == str(named)


def test_one_that_is_named_and_does_not_run_is_no_reason_to_take_another(tmp_path: Path) -> None:
    python(tmp_path / "shims" / "python3.10", "exit 0")
    found = asked(tmp_path, RASA_PYTHON="/nowhere/python")
    assert (found.returncode, found.stdout) == (1, "")
    assert "RASA_PYTHON=/nowhere/python is no Python 3.8 to 3.10" in found.stderr


def test_where_there_is_none_it_says_what_to_install(tmp_path: Path) -> None:
    found = asked(tmp_path)
    assert found.returncode == 1
    assert "RASA_PYTHON=/path/to/python3.10" in found.stderr

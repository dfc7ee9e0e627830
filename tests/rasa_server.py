"""A real Rasa server for the tests, in an environment of its own that is made once per machine."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec import Struct

from tests.conftest import Require

SCRIPT = Path(__file__).parent.parent / "nlu" / "rasa_project" / "rasa.sh"
TOKEN = "sesame"
SECRET = "a secret of thirty-two characters"
INSTALLED_WITHIN, STARTED_WITHIN = 900, 180  # seconds
HOW = (
    "install Python 3.8, 3.9 or 3.10 (such as with pyenv), or put the path of one in RASA_PYTHON; the first run makes "
    "an environment for Rasa, which takes two minutes and 2.7 GB"
)


class RealRasa(Struct, frozen=True):
    url: str
    home: Path

    @property
    def models(self) -> Path:
        return self.home / "models"


def found_python() -> str:
    """The Python that Rasa would get, or an empty string."""
    done = subprocess.run([SCRIPT, "python"], capture_output=True, text=True, check=False, timeout=60)
    return done.stdout.strip() if done.returncode == 0 else ""


@pytest.fixture(scope="session")
def real_rasa(tmp_path_factory: pytest.TempPathFactory, require: Require) -> Iterator[RealRasa]:
    require("rasa", bool(found_python()), HOW)
    installed = subprocess.run(
        [SCRIPT, "install"], capture_output=True, text=True, check=False, timeout=INSTALLED_WITHIN
    )
    require("rasa", installed.returncode == 0, f"its installation failed: {installed.stderr[-500:]}")
    home, port = tmp_path_factory.mktemp("rasa"), _free_port()
    settings = {"RASA_HOME": home, "RASA_PORT": port, "RASA_TOKEN": TOKEN, "RASA_JWT_SECRET": SECRET}
    environment = {**os.environ, **{name: str(value) for name, value in settings.items()}}
    with (
        (home / "rasa.log").open("wb") as log,
        subprocess.Popen([SCRIPT, "serve"], env=environment, stdout=log, stderr=log) as server,
    ):
        try:
            _wait_for(f"http://127.0.0.1:{port}/version", server)
            yield RealRasa(f"http://127.0.0.1:{port}", home)
        finally:
            server.kill()  # it takes its time over a SIGTERM, and nothing of it is kept


def _free_port() -> int:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + STARTED_WITHIN
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            assert server.poll() is None, "Rasa ended while it started; see its rasa.log"
            assert time.monotonic() < deadline, "Rasa does not answer"
            time.sleep(0.2)

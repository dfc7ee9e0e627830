"""Training in a process of its own."""

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bot.domain.errors import BadData, EngineUnavailable
from nlu import training
from nlu.embedded import Embedded
from nlu.models import Models
from nlu.training import train

DATA = """\
version: "3.1"
nlu:
- intent: parcel
  examples: |
    - wo ist mein paket
    - wo bleibt meine bestellung
    - where is my parcel
    - my order has not arrived
    - wann kommt die lieferung
- intent: greeting
  examples: |
    - hallo
    - guten tag
    - hello
    - good morning
    - hi there
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "nlu.yml"
    path.parent.mkdir()
    path.write_text(DATA, encoding="utf-8")
    return path


async def test_a_trained_model_can_be_loaded_and_asked(data: Path, tmp_path: Path) -> None:
    trained = await train([data.parent], tmp_path / "models")
    assert (trained.examples, trained.intents) == (10, 2)
    engine = Embedded(Models(tmp_path / "models").load(trained.id))
    assert engine.parse("wo ist meine bestellung").intent.name == "parcel"


async def test_training_again_gives_the_same_id(data: Path, tmp_path: Path) -> None:
    first = await train([data], tmp_path / "models")
    second = await train([data], tmp_path / "others")
    assert first.id == second.id


async def test_the_loop_goes_on_meanwhile(data: Path, tmp_path: Path) -> None:
    beats = 0
    task = asyncio.create_task(train([data], tmp_path / "models"))
    while not task.done():
        await asyncio.sleep(0.01)
        beats += 1
    await task
    assert beats > 5


def test_scikit_learn_stays_out_of_the_process_that_parses() -> None:
    script = (
        "import sys, nlu.training, nlu.embedded, nlu.evaluation, nlu.models;"
        "sys.exit(any(name.split('.')[0] in {'sklearn', 'scipy'} for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


async def test_bad_data_are_complained_of_in_the_readers_words(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yml"
    bad.write_text("nlu:\n- intent: a\n  examples: {b: c}\n")
    with pytest.raises(BadData, match=r"bad\.yml:3: `examples:` of `a` must be a block"):
        await train([bad], tmp_path / "models")
    assert not (tmp_path / "models").exists()


async def test_a_folder_that_cannot_be_written_is_named(data: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "models"
    blocked.write_text("a file where a folder should be")
    with pytest.raises(BadData, match=r"models: the model cannot be saved.*nlu\.models"):
        await train([data], blocked)


async def test_a_training_that_breaks_says_its_last_words(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'MemoryError: too big' >&2\nkill -9 $$\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(
        EngineUnavailable, match=r"code -9; it may have run out of memory: MemoryError: too big"
    ):
        await train([data], tmp_path / "models")


async def test_a_training_that_says_nothing_is_no_model(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/true")
    with pytest.raises(EngineUnavailable, match="did not say what it trained"):
        await train([data], tmp_path / "models")


async def test_a_process_that_cannot_be_started_is_a_training_that_breaks(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere"))
    with pytest.raises(EngineUnavailable, match=r"cannot be started \(No such file or directory\)"):
        await train([data], tmp_path / "models")


async def test_cancelling_ends_the_process(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "python"
    slow.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(slow))
    task = asyncio.create_task(train([data], tmp_path / "models"))
    pid = await asyncio.to_thread(first_line, tmp_path / "pid")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


async def test_a_module_of_the_users_own_with_a_name_like_pythons_is_left_alone(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "calendar.py").write_text("raise RuntimeError('our opening hours')")
    monkeypatch.chdir(tmp_path)
    assert (await train([data], tmp_path / "models")).intents == 2


PARENT = """
import asyncio, signal, sys
from pathlib import Path
from nlu.training import train
signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background of a shell it would be ignored
sys.executable, data = sys.argv[1:]
asyncio.run(train([Path(data)], Path(data).parent))
"""
ENDLESS = """
import fcntl, sys, time
from nlu import training

def run(paths, *_, **__):
    file = open(f"{paths[0]}.held", "w")
    fcntl.flock(file, fcntl.LOCK_EX)
    print(file=file, flush=True)
    time.sleep(120)

training.run = run
training.main()
"""


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_no_training_goes_on_when_who_asked_for_it_is_gone(
    data: Path, tmp_path: Path, end: signal.Signals
) -> None:
    (tmp_path / "child.py").write_text(ENDLESS)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nshift 3\nexec {sys.executable} {tmp_path}/child.py "$@"\n')
    python.chmod(0o755)
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(python), str(data)], stderr=subprocess.DEVNULL
    )
    held = data.with_name(f"{data.name}.held")
    first_line(held)
    parent.send_signal(end)
    parent.wait(10)
    assert is_let_go(held)


def is_let_go(path: Path) -> bool:
    """Whether nobody holds it, within some seconds; an orphan that ended may still have a number."""
    until = time.monotonic() + 5
    with path.open() as file:
        while time.monotonic() < until:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.01)
            else:
                return True
    return False


def first_line(path: Path) -> str:
    """As soon as somebody has written one, which has to be within a minute."""
    until = time.monotonic() + 60
    while not path.exists() or "\n" not in path.read_text():
        assert time.monotonic() < until
        time.sleep(0.01)
    return path.read_text()


def test_old_models_go_and_the_protected_one_stays(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    live = training.run([data], folder)
    data.write_text(DATA + "    - moin\n")
    training.run([data], folder)
    data.write_text(DATA + "    - servus\n")
    newest = asyncio.run(train([data], folder, keep=1, protect=[live.id]))
    assert {one.id for one in Models(folder).summaries()} == {live.id, newest.id}


def test_the_command_prints_json_and_exits_by_outcome(data: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nlu.training", "--models", str(tmp_path / "models")]
    done = subprocess.run([*command, str(data)], capture_output=True, text=True, check=True)
    assert '"examples":10' in done.stdout
    failed = subprocess.run(
        [*command, str(tmp_path / "nowhere")], capture_output=True, text=True, check=False
    )
    assert failed.returncode == training.BAD_DATA
    assert "there is no such file or folder" in failed.stderr

"""The embedded engine and a real Rasa 3.6 server side by side, in one run on the same examples (Linux).

python -m bench.rasa [--examples 2000] [--messages 500] [--diet EPOCHS] [FOLDER…]

FOLDER is what `bench.nlu` takes; without one, the starter data. Rasa's light pipeline is always measured, DIET when its
epochs are given: it trains about four seconds per thousand examples and epoch, and parses as fast after one epoch as
after a hundred. Needs a Python 3.8 to 3.10 for Rasa (nlu/rasa_project/rasa.sh), and says so where there is none.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from operator import attrgetter
from pathlib import Path

import aiohttp
import numpy as np
from msgspec import Struct

from bench.nlu import Task, tasks, write
from bot.domain.errors import EngineUnavailable
from nlu.embedded import Embedded
from nlu.facts import OUT_OF_SCOPE
from nlu.models import Models
from nlu.rasa import Access, RasaServer
from nlu.rasa.training import PROJECT
from nlu.rasa.wording import asked, document, sent
from nlu.reading import Example, TrainingData, read, read_training
from nlu.training import train

SCRIPT = PROJECT / "rasa.sh"
TOKEN, PORT = "bench", 5055
AT_ONCE = 8
ROUNDS = 3  # in turns; the quietest of each engine counts, since a machine's other work is neither's
LIGHT = (PROJECT / "config.yml").read_text(encoding="utf-8")
DIET = """\
recipe: default.v1
assistant_id: bench
language: en
pipeline:
- name: WhitespaceTokenizer
- name: RegexFeaturizer
- name: LexicalSyntacticFeaturizer
- name: CountVectorsFeaturizer
- name: CountVectorsFeaturizer
  analyzer: char_wb
  min_ngram: 1
  max_ngram: 4
- name: DIETClassifier
  epochs: {epochs}
  constrain_similarities: true
- name: EntitySynonymMapper
policies: []
"""
COLUMNS = ("train s", "load s", "right", "p50 ms", "p99 ms", "per s", f"{AT_ONCE} at once", "MB")

Ask = Callable[[str], Awaitable[str]]


class Round(Struct, frozen=True):
    """Every message once, one after another."""

    times: list[float]  # seconds
    right: int

    @property
    def rate(self) -> float:
        """Messages a second."""
        return len(self.times) / sum(self.times)

    def percentile(self, share: float) -> float:
        """Milliseconds."""
        return float(np.percentile(self.times, share)) * 1000


class Measured(Struct, frozen=True, kw_only=True):
    train: float  # seconds
    load: float  # seconds, from the file to the first answer
    round: Round
    ours: Round | None = None  # the embedded engine's, at the same time
    at_once: float = 0.0  # messages a second, eight at a time; 0: it has no use for that
    resident: float  # megabytes of the process that parses


# ── Ours ────────────────────────────────────────────────────────────────────────────────────────


async def embedded(data: Path, tests: Sequence[Example], work: Path) -> tuple[Measured, Ask]:
    trained = await train([data], work / "models")
    started = time.perf_counter()
    engine = Embedded(Models(work / "models").load(trained.id))
    engine.parse(tests[0].text)
    loaded = time.perf_counter() - started

    async def ask(text: str) -> str:
        return engine.parse(text).intent.name

    (quietest,) = await _in_turns([ask], tests)
    resident = _alone(work, trained.id, tests)
    return Measured(train=trained.seconds, load=loaded, round=quietest, resident=resident), ask


def _alone(work: Path, id: str, tests: Sequence[Example]) -> float:
    """Megabytes of a process that only loads the model and parses."""
    script = (
        "import sys; from pathlib import Path; from nlu.embedded import Embedded; from nlu.models import Models\n"
        "engine = Embedded(Models(Path(sys.argv[1])).load(sys.argv[2]))\n"
        "for line in sys.stdin: engine.parse(line)\n"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    command = [sys.executable, "-c", script, str(work / "models"), id]
    said = "\n".join(example.text for example in tests)
    done = subprocess.run(command, input=said, capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


# ── Rasa ────────────────────────────────────────────────────────────────────────────────────────


async def rasa(
    pipeline: str, data: TrainingData, tests: Sequence[Example], home: Path, ours: Ask
) -> Measured:
    async with _serving(home) as (server, pid):
        names = {sent(intent): intent for intent in data.intents}
        started = time.perf_counter()
        file, _ = await server.train(document(pipeline, data, data.examples))
        trained = time.perf_counter() - started

        async def ask(text: str) -> str:
            heard = await server.parse(asked(text))
            return names.get(heard.intent.name or "", "")

        started = time.perf_counter()
        await server.load(file)
        await ask(tests[0].text)
        loaded = time.perf_counter() - started
        theirs, beside = await _in_turns([ask, ours], tests)
        at_once = await _together(ask, tests)
        return Measured(
            train=trained, load=loaded, round=theirs, ours=beside, at_once=at_once, resident=_resident(pid)
        )


@asynccontextmanager
async def _serving(home: Path) -> AsyncIterator[tuple[RasaServer, int]]:
    settings = {"RASA_HOME": str(home), "RASA_PORT": str(PORT), "RASA_TOKEN": TOKEN}
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        SCRIPT, "serve", env={**os.environ, **settings}, stdout=quiet, stderr=quiet
    )
    try:
        async with aiohttp.ClientSession() as session:
            server = RasaServer(f"http://127.0.0.1:{PORT}", session, Access(token=TOKEN), timeout=60)
            await _answering(server)
            yield server, process.pid
    finally:
        process.kill()
        await process.wait()


async def _answering(server: RasaServer) -> None:
    for _ in range(600):
        try:
            await server.version()
        except EngineUnavailable:
            await asyncio.sleep(0.2)
        else:
            return
    sys.exit("Rasa did not start within two minutes")


async def _together(ask: Ask, tests: Sequence[Example]) -> float:
    """Messages a second, several at a time."""
    waiting = [example.text for example in tests]

    async def client() -> None:
        while waiting:
            await ask(waiting.pop())

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    return len(tests) / (time.perf_counter() - started)


def _resident(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


# ── Both ────────────────────────────────────────────────────────────────────────────────────────


async def _in_turns(asks: Sequence[Ask], tests: Sequence[Example]) -> list[Round]:
    """The quietest round of each engine."""
    for ask in asks:  # warms up
        await _round(ask, tests)
    rounds = [[await _round(ask, tests) for ask in asks] for _ in range(ROUNDS)]
    return [max(mine, key=attrgetter("rate")) for mine in zip(*rounds, strict=True)]


async def _round(ask: Ask, tests: Sequence[Example]) -> Round:
    times, right = list[float](), 0
    for example in tests:
        started = time.perf_counter()
        found = await ask(example.text)
        times.append(time.perf_counter() - started)
        right += found == example.intent
    return Round(times, right)


def _sample(path: Path, many: int, work: Path) -> TrainingData:
    """So many of the examples, drawn once for both engines; nobody learns an intent from fewer than two."""
    examples = list(read([path]).examples)
    drawn = random.Random(0).sample(examples, min(many, len(examples)))
    known = Counter(one.intent for one in drawn)
    rows = [(one.text, one.intent) for one in drawn if known[one.intent] > 1]
    return read_training([write(work / "sample.yml", rows)])


def main(options: argparse.Namespace) -> None:
    found = subprocess.run([SCRIPT, "install"], stdout=subprocess.PIPE, check=False)
    if found.returncode:
        print("Rasa is not measured here.")
        return
    with tempfile.TemporaryDirectory() as folder:
        for number, task in enumerate(_largest(options.folders, Path(folder))):
            work = Path(folder) / str(number)
            work.mkdir()
            data, tests = (
                _sample(task.training, options.examples, work),
                _messages(task.test, options.messages),
            )
            print(
                f"\n{task.name}: {len(data.examples):,} examples of {len(data.intents)} intents, {len(tests)} messages"
            )
            asyncio.run(_compare(data, tests, options.diet, work))


def _largest(folders: Sequence[Path], work: Path) -> list[Task]:
    """Of each folder the full training set; without a folder, the starter data."""
    found = [task for task in tasks(folders, work) if not folders or not task.name.startswith("starter")]
    return [task for task in found if task.training.stem.endswith(("train", "full"))] or found[:1]


def _messages(test: Path, many: int) -> list[Example]:
    known = [example for example in read([test]).examples if example.intent != OUT_OF_SCOPE]
    return random.Random(1).sample(known, min(many, len(known)))


async def _compare(data: TrainingData, tests: Sequence[Example], epochs: int, work: Path) -> None:
    print(f"{'':24}" + "".join(f"{column:>12}" for column in COLUMNS))
    ours, ask = await embedded(Path(data.files[0]), tests, work)
    _print("embedded", ours)
    _print("Rasa, light", await rasa(LIGHT, data, tests, work / "light", ask))
    if epochs:
        diet = await rasa(DIET.format(epochs=epochs), data, tests, work / "diet", ask)
        _print(f"Rasa, DIET, epochs: {epochs}", diet)


def _print(name: str, one: Measured) -> None:
    p50, rate = one.round.percentile(50), one.round.rate
    cells = (
        f"{one.train:.1f}",
        f"{one.load:.2f}",
        f"{100 * one.round.right / len(one.round.times):.1f}",
        f"{p50:.3f}",
        f"{one.round.percentile(99):.3f}",
        f"{rate:,.0f}",
        f"{one.at_once:,.0f}" if one.at_once else "-",
        f"{one.resident:,.0f}",
    )
    ratio = ""
    if one.ours:  # on a busy machine the median tells more than the rate
        times, median = one.ours.rate / rate, p50 / one.ours.percentile(50)
        ratio = f"   embedded: {times:.0f} times the rate, {median:.0f} at the median"
    print(f"{name:24}" + "".join(f"{cell:>12}" for cell in cells) + ratio, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.rasa")
    parser.add_argument("--examples", type=int, default=2000, help="to learn from")
    parser.add_argument("--messages", type=int, default=500, help="to understand")
    parser.add_argument("--diet", type=int, default=0, metavar="EPOCHS", help="measure DIET as well")
    parser.add_argument("folders", nargs="*", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main(_options())

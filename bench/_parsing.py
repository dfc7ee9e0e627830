"""What a process costs that only loads a model and parses; prints JSON for `bench.nlu`.

python -m bench._parsing MODELS ID FILE
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from nlu.embedded import Embedded
from nlu.features import normalise, tokens
from nlu.models import Model, Models
from nlu.parser import Parser

ASKED = 2000  # messages
ROUNDS = 5  # after one that warms up; the quietest counts, since a machine's other work is not ours


def main(models: str, id: str, file: str) -> None:
    lines = Path(file).read_text(encoding="utf-8").splitlines()
    texts = [line.strip()[2:] for line in lines if line.startswith("    - ")][:ASKED]
    started = time.perf_counter()
    engine = Embedded(Models(Path(models)).load(id))
    loaded = time.perf_counter() - started
    times = _quietest(engine.parse, texts)
    peak, model = _peak(), Models(Path(models)).load(id)
    print(json.dumps([loaded, *np.percentile(times, [50, 99]), np.median(_intents(model, texts)), peak]))


def _intents(model: Model, texts: list[str]) -> list[float]:
    """Milliseconds for the intent and its confidence alone."""
    parser = Parser(model)
    return _quietest(lambda text: parser.parse(parser.row(tokens(normalise(text)))), texts)


def _quietest(parse: Callable[[str], object], texts: list[str]) -> list[float]:
    """Milliseconds of each text, in the round with the smallest median."""
    rounds: list[list[float]] = []
    for _ in range(1 + ROUNDS):
        times = list[float]()
        for text in texts:
            started = time.perf_counter()
            parse(text)
            times.append((time.perf_counter() - started) * 1000)
        rounds.append(times)
    return min(rounds[1:], key=np.median)


def _peak() -> float:
    """Megabytes; `ru_maxrss` would be the parent's where that was larger, it survives an exec."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    main(*sys.argv[1:])

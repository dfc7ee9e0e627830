"""What a process costs that only loads a model and parses; prints JSON for `bench.nlu`.

python -m bench._parsing MODELS ID TRAINING TEST

It has understood the training data's texts before it is asked the others, which it has not seen, as a server that has
been up for a while.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from nlu.embedded import Embedded
from nlu.features import normalise, tokens
from nlu.models import Models
from nlu.parser import Parser

ASKED = 2000  # messages


def main(models: str, id: str, training: str, test: str) -> None:
    before = dict.fromkeys(_texts(Path(training)))
    new = [text for text in dict.fromkeys(_texts(Path(test))) if text not in before][:ASKED]
    started = time.perf_counter()
    engine = Embedded(Models(Path(models)).load(id))
    loaded = time.perf_counter() - started
    times, peak = _times(engine.parse, before, new), _peak()
    parser = Parser(Models(Path(models)).load(id))
    intents = _times(lambda text: parser.parse(parser.row(tokens(normalise(text)))), before, new)
    print(json.dumps([loaded, *np.percentile(times, [50, 99]), np.median(intents), peak]))


def _texts(path: Path) -> Iterator[str]:
    """Of a file or a folder, the examples that stand in blocks; read without a library, which would count as ours."""
    for file in sorted(path.glob("*.yml")) if path.is_dir() else [path]:
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith("    - "):
                yield line.strip()[2:]


def _times(parse: Callable[[str], object], before: Iterable[str], new: Iterable[str]) -> list[float]:
    """Milliseconds of each new text."""
    for text in before:
        parse(text)
    times = list[float]()
    for text in new:
        started = time.perf_counter()
        parse(text)
        times.append((time.perf_counter() - started) * 1000)
    return times


def _peak() -> float:
    """Megabytes; `ru_maxrss` would be the parent's where that was larger, it survives an exec."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Trains in a process of its own, so that the loop never waits and scikit-learn stays out of the server.

`train` starts `python -m nlu.training …` and reads one line of JSON from it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import msgspec
from msgspec import Struct

from bot.domain.errors import BadData, EngineUnavailable
from nlu import boost as boosting
from nlu.models import Model, Models
from nlu.reading import Regex, read_training
from nlu.rules.patterns import slow_text

KEEP = 10  # models that stay in the folder
BAD_DATA = 3  # exit code of the child when the data are to blame, not the training
_ROOT = Path(__file__).resolve().parent.parent
# One thread per process: the folds are spread over processes, and threads would not survive the fork.
_QUIET = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONWARNINGS": "ignore",
}


class TrainedModel(Struct, frozen=True, kw_only=True):
    """`scores` are those of the cross-validation, 0..1; see `nlu.calibration.scores`."""

    id: str
    scores: dict[str, float]
    warnings: tuple[str, ...] = ()
    examples: int
    intents: int
    seconds: float
    cpu_seconds: float = 0.0  # of all its processes

    @classmethod
    def of(cls, model: Model, seconds: float, cpu_seconds: float = 0.0) -> Self:
        facts = model.facts
        return cls(
            id=model.id,
            scores=facts.scores,
            warnings=facts.warnings,
            examples=facts.examples,
            intents=len(facts.intents),
            seconds=round(seconds, 2),
            cpu_seconds=round(cpu_seconds, 2),
        )


async def train(
    paths: Sequence[Path],
    models: Path,
    *,
    keep: int = KEEP,
    protect: Collection[str] = (),
    boost: bool = False,
) -> TrainedModel:
    """Train on `paths`, save to `models`, keep the newest `keep` there and those in `protect` (the live one).

    Raises `BadData` when the data cannot be used, `EngineUnavailable` when the training itself breaks.
    Cancelling it ends the training.
    """
    arguments = ["--models", str(models), "--keep", str(keep), "--lifeline"]
    arguments += [word for id in protect for word in ("--protect", id)]
    arguments += ["--boost"] * boost
    with _lifeline() as line:
        child = await _started([*arguments, "--", *map(str, paths)], line)
        try:
            out, err = await child.communicate()
        except asyncio.CancelledError:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()
            raise
    return _result(child.returncode, out, err.decode(errors="replace").strip())


async def _started(arguments: Sequence[str], line: int) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # what lies in the working folder is none of our modules, whatever its name
            "-m",
            "nlu.training",
            *arguments,
            stdin=line,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(),
            start_new_session=True,  # with the processes it starts, it can be ended as one
        )
    except OSError as exc:
        raise EngineUnavailable(
            f"The training process cannot be started ({exc.strerror}); try again."
        ) from exc


@contextmanager
def _lifeline() -> Iterator[int]:
    """What a child reads to notice our end, however sudden: the other side is ours alone, and goes with us."""
    theirs, ours = os.pipe()
    try:
        yield theirs
    finally:
        os.close(theirs)
        os.close(ours)


def _environment() -> dict[str, str]:
    inherited = os.environ.get("PYTHONPATH")
    return {**os.environ, **_QUIET, "PYTHONPATH": os.pathsep.join(filter(None, (str(_ROOT), inherited)))}


def _result(code: int | None, out: bytes, err: str) -> TrainedModel:
    if code == BAD_DATA:
        raise BadData(err)
    if code:
        last = err.splitlines()[-1] if err else "it said nothing"
        hint = "; it may have run out of memory" if code < 0 else ""
        raise EngineUnavailable(f"The training process ended with code {code}{hint}: {last}")
    try:
        return msgspec.json.decode(out, type=TrainedModel)
    except msgspec.MsgspecError as exc:
        raise EngineUnavailable(f"The training process did not say what it trained: {exc}") from exc


# ── In the child ────────────────────────────────────────────────────────────────────────────────


def _end_with_parent() -> None:
    """At the end of standard input, with all processes of our group; see `_lifeline`."""

    def wait() -> None:
        while os.read(0, 1):
            pass
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m nlu.training", description="Train a model; prints JSON.")
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--keep", type=int, default=KEEP)
    parser.add_argument("--protect", action="append", default=[])
    parser.add_argument("--boost", action="store_true")
    parser.add_argument("--lifeline", action="store_true", help="End when standard input does.")
    parser.add_argument("paths", nargs="+", type=Path)
    options = parser.parse_args(arguments)
    if options.lifeline:
        _end_with_parent()
    try:
        trained = run(
            options.paths, options.models, keep=options.keep, protect=options.protect, boost=options.boost
        )
    except BadData as exc:
        sys.stderr.write(f"{exc}\n")
        return BAD_DATA
    sys.stdout.write(msgspec.json.encode(trained).decode() + "\n")
    return 0


def run(
    paths: Sequence[Path],
    folder: Path,
    *,
    keep: int = KEEP,
    protect: Collection[str] = (),
    boost: bool = False,
) -> TrainedModel:
    """Train here and now, blocking; raises `BadData`."""
    from nlu.learning import Boost, learn  # a second by itself, which is no part of the training

    started, spent = datetime.now(UTC), sum(os.times()[:4])
    data = read_training(paths)
    _refuse_slow(data.regexes)

    def booster() -> Boost:
        boosting.encoder()  # where it is missing, that is to be said before anything is computed
        return Boost(boosting.NAME, boosting.meanings)

    model, models = learn(data, started, booster() if boost else None), Models(folder)
    models.save(model)
    models.prune(keep, {*protect, model.id})
    took = (datetime.now(UTC) - started).total_seconds()
    return TrainedModel.of(model, took, sum(os.times()[:4]) - spent)


def _refuse_slow(regexes: Iterable[Regex]) -> None:
    for regex in regexes:
        if text := slow_text(regex.pattern):
            raise BadData(
                f"{regex.file}:{regex.line}: `{regex.pattern}` takes too long for a text like "
                f'"{text}…", and a customer who sends one would hold up the server. Write it without repeats '
                "inside repeats, or with an upper limit for them, as in {1,20}."
            )


if __name__ == "__main__":
    sys.exit(main())

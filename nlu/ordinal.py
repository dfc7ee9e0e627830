"""How urgent a text reads, learned from labels: one line per level, "at least this urgent or not".

It only adds: what the signals say and what the intent is about stand beside it (see `nlu.urgency`). A model whose
training data have too few labels has none of this.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from bot.domain.understanding import Level
from nlu.calibration import Floats, Logistic, fit_logistic
from nlu.features import fold

STEPS = (Level.NORMAL, Level.HIGH, Level.CRITICAL)
# From which probability a text counts as at least this urgent: a missed one costs more than a false alarm.
ENOUGH = {Level.NORMAL: 0.35, Level.HIGH: 0.5, Level.CRITICAL: 0.4}
FEWEST_URGENT = 30  # labels high or critical, and as many below, before anything is learned
FEWEST = 10  # labels on each side of one step
OF_INTENT = 0.2  # what an example counts that has its label from its intent only
# Unlabelled messages per label that say how sure one may be: whoever labels looks for what is urgent, customers do not.
EVERYDAY = 0.5
FOLDS = 5
TOLD = 2  # words that gave it away, for the reason
LONG = 4  # letters such a word has at least
RARE = 0.45  # of the way from a word that all examples have to one that a single example has …
MUCH = 0.2  # … or a word that makes up so much of what speaks for it
# They tell an agent nothing, however often they stand in urgent messages.
EMPTY = frozenset(
    (
        "aber alle alles also andere anderen auch beim dann dass deine denn diese diesem diesen dieser doch durch"
        " eine einem einen einer euch euer eure eurem euren eurer fuer gibt habe haben hatte hier ihre ihrem ihren"
        " ihrer immer jetzt jemand jemanden kann kein keine keinen koennt koennen laut mein meine meinem meinen"
        " meiner nach nicht noch oder ohne schon sein seine seit sich sind ueber unser unsere viel wann warum"
        " weil welche wenn wieder wird wurde wurden zwar sagen sagt jede jeder jedes keiner selbe selben gleichen"
        " about after again also another because been before being could does each from have here just"
        " like more much only other over same says should some somebody someone still such than that their them then"
        " there these they this those very want were what when where which while will with would your"
    ).split()
)

Levels = NDArray[np.intp]  # ranks
Rows = NDArray[np.intp]
Flags = NDArray[np.bool_]
Separate = Callable[
    [Rows, Flags, Floats], tuple[Floats, float]
]  # rows, target, what each counts → weights, bias
Score = Callable[[Rows, Floats, float], Floats]  # rows, weights, bias → how far on the urgent side


class Step(Struct, frozen=True, kw_only=True):
    """`sure` takes the distance from the line, the points of the signals and the rank of their floor."""

    level: Level
    bias: float
    sure: Logistic
    enough: float


class Graded(Struct, frozen=True):
    level: Level
    words: tuple[str, ...]  # that speak for it, the loudest first


class Ordinal:
    """The lines of one model; `weights` is [n-grams, steps]."""

    def __init__(self, steps: tuple[Step, ...], weights: Floats, words: list[str], idf: Floats) -> None:
        self._steps = steps
        self._weights = weights.astype(np.float32)
        self._words = words
        self._telling = idf - 1 >= RARE * (idf.max() - 1)

    def grade(self, columns: NDArray[np.intp], values: Floats, points: float, floor: int) -> Graded:
        """Of a text as TF-IDF, with what its signals say."""
        found = self._weights.take(columns, axis=0)
        distances = values.dot(found).tolist()
        level, loudest = Level.LOW, -1
        for place, step in enumerate(self._steps):
            if step.sure((distances[place] + step.bias, points, float(floor))) >= step.enough:
                level, loudest = step.level, place
        if level.rank < Level.HIGH.rank:
            return Graded(level, ())
        words = tuple(self._loud(columns, values * found[:, loudest]))
        if not words or (level is Level.HIGH and EMPTY.issuperset(map(fold, words))):
            return Graded(Level.NORMAL, ())  # without a reason nobody could check it
        return Graded(level, words)

    def _loud(self, columns: NDArray[np.intp], parts: Floats) -> list[str]:
        loud: dict[str, str] = {}  # by their ae/oe/ue/ss spelling, since both are there
        enough = MUCH * float(parts[parts > 0].sum())
        for place in np.argsort(-parts, kind="stable").tolist():
            column, part = columns[place], parts[place]
            word = self._words[column] if column < len(self._words) else ""
            telling = self._telling[column] or part >= enough
            if part > 0 and telling and len(word) >= LONG and " " not in word:
                loud.setdefault(fold(word), word)
        full = [word for folded, word in loud.items() if folded not in EMPTY]
        return (full or list(loud.values()))[:TOLD]


class Labelled(Struct, frozen=True, eq=False):
    """The rows of the corpus that have a label, and what their signals say; `own`: it is the example's own."""

    rows: Rows
    ranks: Levels
    own: Flags
    points: Floats
    floors: Floats


def learn(
    labelled: Labelled, everyday: Rows, separate: Separate, score: Score
) -> tuple[tuple[Step, ...], Floats | None]:
    """Steps and their weights, column by column; nothing when there are too few labels of single examples.

    Whole intents that have a label help to tell words apart, but only single ones tell how sure one may be, and
    beside them `everyday`: messages without a label and without a signal, none of which a line has seen.
    """
    urgent, own = labelled.ranks >= Level.HIGH.rank, labelled.own
    if min(int((urgent & own).sum()), int((~urgent & own).sum())) < FEWEST_URGENT:
        return (), None
    counts = np.where(own, 1.0, OF_INTENT)
    steps: list[Step] = []
    columns: list[Floats] = []
    for level in STEPS:
        target = labelled.ranks >= level.rank
        if min(int((target & own).sum()), int((~target & own).sum())) < FEWEST:
            continue
        weights, bias = separate(labelled.rows, target, counts)
        distances = _out_of_fold(labelled.rows, target, counts, separate, score)
        evidence = np.column_stack([distances, labelled.points, labelled.floors])
        common = (
            everyday if level.rank >= Level.HIGH.rank else everyday[:0]
        )  # they may all be normal, or can wait
        plain = np.zeros((len(common), evidence.shape[1]))
        plain[:, 0] = score(common, weights, bias)
        sure = fit_logistic(
            np.concatenate([evidence[own], plain]),
            np.concatenate([target[own], np.zeros(len(common), dtype=np.bool_)]),
            penalty=1.0,
        )
        steps.append(Step(level=level, bias=float(f"{bias:.6g}"), sure=sure, enough=ENOUGH[level]))
        columns.append(weights)
    return tuple(steps), np.column_stack(columns)


def _out_of_fold(rows: Rows, target: Flags, counts: Floats, separate: Separate, score: Score) -> Floats:
    """How far each row is on the urgent side, by lines that had not seen it."""
    fold = np.zeros(len(target), dtype=np.intp)
    for side in (target, ~target):
        fold[side] = np.arange(int(side.sum())) % FOLDS
    found = np.zeros(len(target))
    for number in range(FOLDS):
        held = fold == number
        found[held] = score(rows[held], *separate(rows[~held], target[~held], counts[~held]))
    return found

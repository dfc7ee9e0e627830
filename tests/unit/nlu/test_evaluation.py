"""The numbers of a report, checked by hand on an engine that answers as told."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from bot.domain.understanding import Context, Intent, Level, Understanding, Urgency
from nlu.embedded import Embedded
from nlu.evaluation import Report, evaluate, render
from nlu.reading import Example, TrainingData, read


class Told:
    """Understands a text as the test says: intent, confidence, out_of_scope, level."""

    model = "told"
    intents = ("a", "b", "out_of_scope")

    def __init__(self, answers: Mapping[str, tuple[str, float, float, Level]]) -> None:
        self._answers = answers

    async def understand(self, text: str, context: Context) -> Understanding:
        name, confidence, strange, level = self._answers[text]
        return Understanding(
            text=text,
            intent=Intent(name=name, confidence=confidence),
            out_of_scope=strange,
            urgency=Urgency(level=level),
            ms=2.0,
        )


def example(text: str, intent: str, urgency: str = "") -> Example:
    return Example(text=text, intent=intent, urgency=urgency, file="t.yml", line=1)


EXAMPLES = (
    example("a1", "a", "high"),
    example("a2", "a", "normal"),
    example("a3", "a"),
    example("b1", "b", "critical"),
    example("o1", "out_of_scope"),
    example("o2", "out_of_scope"),
)
ANSWERS = {
    "a1": ("a", 1.0, 0.1, Level.HIGH),
    "a2": ("a", 0.7, 0.2, Level.HIGH),
    "a3": ("b", 0.9, 0.1, Level.NORMAL),
    "b1": ("b", 0.4, 0.5, Level.NORMAL),
    "o1": ("out_of_scope", 0.9, 0.9, Level.NORMAL),
    "o2": ("a", 0.5, 0.3, Level.NORMAL),
}


@pytest.fixture
async def report() -> Report:
    data = TrainingData(examples=EXAMPLES, warnings=("watch out",))
    return await evaluate(Told(ANSWERS), data)


def test_right_is_the_share_with_the_expected_intent(report: Report) -> None:
    assert (report.n, report.accuracy, report.in_scope_accuracy) == (6, 0.6667, 0.75)


def test_every_intent_has_its_own_figures(report: Report) -> None:
    found = report.per_intent["a"]
    assert (found.precision, found.recall, found.f1, found.support) == (0.6667, 0.6667, 0.6667, 3)
    assert report.macro_f1 == pytest.approx((2 / 3 + 2 / 3 + 2 / 3) / 3, abs=1e-3)


def test_out_of_scope_is_judged_by_score_and_by_name(report: Report) -> None:
    assert report.out_of_scope is not None
    assert (report.out_of_scope.recall, report.out_of_scope.precision) == (0.5, 1.0)
    assert report.out_of_scope.auroc == pytest.approx(7 / 8)


def test_urgency_is_judged_where_it_is_labelled(report: Report) -> None:
    urgency = report.urgency
    assert urgency is not None
    assert (urgency.n, urgency.accuracy, urgency.within_one) == (3, 0.3333, 0.6667)
    assert (urgency.high_recall, urgency.high_precision) == (0.5, 0.5)


def test_answering_counts_only_what_would_be_answered(report: Report) -> None:
    from_six = next(one for one in report.answering if one.threshold == 0.6)
    assert (from_six.answered, from_six.right) == (0.5, 0.6667)


def test_errors_come_surest_first_with_what_they_were_confused_with(report: Report) -> None:
    assert [(miss.text, miss.predicted, miss.confidence) for miss in report.errors] == [
        ("a3", "b", 0.9),
        ("o2", "a", 0.5),
    ]
    assert {(one.expected, one.predicted, one.count, one.example) for one in report.confusions} == {
        ("a", "b", 1, "a3"),
        ("out_of_scope", "a", 1, "o2"),
    }


def test_the_report_is_json_without_what_does_not_apply(report: Report) -> None:
    found = msgspec.to_builtins(report)
    assert {"n", "accuracy", "macro_f1", "ece", "out_of_scope", "urgency", "per_intent", "errors"} <= set(
        found
    )
    assert found["parse_ms"] == {"p50": 2.0, "p99": 2.0}
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report


async def test_what_the_file_does_not_label_is_left_out() -> None:
    found = await evaluate(Told(ANSWERS), TrainingData(examples=(example("a1", "a"),)))
    assert (found.out_of_scope, found.urgency) == (None, None)


async def test_the_intents_own_urgency_is_the_label_of_its_examples() -> None:
    data = TrainingData(examples=(example("a3", "a"),), urgency={"a": "normal"})
    found = await evaluate(Told(ANSWERS), data)
    assert found.urgency is not None
    assert (found.urgency.n, found.urgency.accuracy, found.urgency.kappa) == (1, 1.0, 1.0)


async def test_an_intent_the_model_does_not_know_is_warned_of() -> None:
    found = await evaluate(Told(ANSWERS), TrainingData(examples=(example("a1", "new"),)))
    assert found.warnings == ("`new` is in the test file, and the model does not know it",)


def test_the_text_fits_a_screen_and_says_what_matters(report: Report) -> None:
    text = render(report, [Path("folder/test.de.yml")])
    assert text.splitlines()[0] == "Model told on test.de.yml: 6 messages, 3 intents"
    for part in ("66.7 %", 'b instead of a: "a3"', "watch out", "out of scope", "urgency"):
        assert part in text
    assert len(text.splitlines()) <= 40
    assert max(map(len, text.splitlines())) <= 100


async def test_a_real_engine_is_right_about_what_it_learned(engine: Embedded, small_file: Path) -> None:
    found = await evaluate(engine, read([small_file]))
    assert found.in_scope_accuracy > 0.95
    assert found.model == engine.model

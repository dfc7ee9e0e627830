"""The numbers of a report, checked by hand on an engine that answers as told."""

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from bot.domain.understanding import Context, Intent, Level, Understanding, Urgency
from nlu.embedded import Embedded
from nlu.evaluation import PROMISES, cross_validation, evaluate, words
from nlu.evaluation.figures import Promise, Report
from nlu.evaluation.page import page
from nlu.evaluation.plots import Axis, Box, Plot
from nlu.evaluation.promises import keep, table
from nlu.evaluation.rendering import render
from nlu.models import Model
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
    for part in (
        "66.7 %",
        'b instead of a: "a3"',
        "watch out",
        "out of scope",
        "urgency",
        "(1 message, found",
    ):
        assert part in text
    assert len(text.splitlines()) <= 40
    assert max(map(len, text.splitlines())) <= 100


async def test_a_real_engine_is_right_about_what_it_learned(engine: Embedded, small_file: Path) -> None:
    found = await evaluate(engine, read([small_file]))
    assert found.in_scope_accuracy > 0.95
    assert found.model == engine.model


def test_missed_urgency_is_weighed_by_what_it_costs(report: Report) -> None:
    assert report.urgency
    # Missed: the critical one (20). It could have cost 20 + 5 (a high one) + 1 (a normal one).
    assert report.urgency.missed_cost == pytest.approx(20 / 26, abs=1e-4)
    assert report.urgency.false_alarms == pytest.approx(1 / 3, abs=1e-4)
    assert report.urgency.critical_recall == 0.0
    assert report.urgency.matrix == ((0, 0, 0, 0), (0, 0, 1, 0), (0, 0, 1, 0), (0, 1, 0, 0))


def test_reliability_holds_confidence_against_what_is_right(report: Report) -> None:
    bins = {one.confidence: (one.n, one.right) for one in report.reliability}
    assert bins[1.0] == (1, 1.0)
    assert bins[0.9] == (2, 0.5)
    assert sum(one.n for one in report.reliability) == report.n


def test_the_curve_answers_the_surest_first_and_never_what_is_out_of_scope(report: Report) -> None:
    curve = report.automation.curve
    assert [point.answered for point in curve] == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6], abs=1e-4)
    assert [point.wrong for point in curve] == pytest.approx([0, 1 / 2, 1 / 3, 2 / 4, 2 / 5], abs=1e-4)


async def test_examples_that_leaked_into_the_training_are_named(
    engine: Embedded, model: Model, small_file: Path
) -> None:
    fresh = Example(text="wo steckt das paket denn", intent="where_is_parcel", file="t.yml", line=3)
    leaked = Example(text="WO IST  mein Paket?", intent="where_is_parcel", file="t.yml", line=4)
    found = await evaluate(engine, TrainingData(examples=(fresh, leaked)), model)
    leak = 't.yml:4: "WO IST  mein Paket?" is in the training data too, so it proves nothing'
    assert (found.warnings, found.learned, found.leaks) == ((), 1, (leak,))
    said = "1 of 2 messages was learned; of the others 100.0 % are right"
    assert render(found, ["t.yml"]).splitlines()[1] == f"{said}."
    assert leak in render(found, ["t.yml"])
    assert f"<strong>{said}.</strong><br>t.yml:4: " in page(found, ["t.yml"])


async def test_of_many_learned_examples_one_line_tells(
    engine: Embedded, model: Model, small_file: Path
) -> None:
    found = await evaluate(engine, read([small_file]), model)
    text, html = render(found, [small_file]), page(found, [small_file])
    assert found.learned == found.n == len(found.leaks)
    assert text.splitlines()[1] == (
        f"{found.n} of {found.n} messages were learned: these figures prove nothing (--json names them)."
    )
    assert f"{found.n} of {found.n} messages were learned: these figures prove nothing." in html
    assert "unlearned_accuracy" not in msgspec.to_builtins(found)
    assert "is in the training data" not in text + html


async def test_what_was_not_learned_is_said_to_be_none(engine: Embedded, model: Model) -> None:
    fresh = TrainingData(examples=(example("wo steckt das paket denn", "where_is_parcel"),))
    found = msgspec.to_builtins(await evaluate(engine, fresh, model))
    assert found["learned"] == 0
    assert "leaks" not in found
    assert "learned" not in msgspec.to_builtins(cross_validation(model))


async def test_what_was_not_learned_has_a_figure_of_its_own(engine: Embedded, model: Model) -> None:
    learned = (example("Wo ist mein Paket?", "where_is_parcel"), example("hallo", "greeting"))
    wrong = example("wo steckt das paket denn", "greeting")
    found = await evaluate(engine, TrainingData(examples=(wrong, *learned)), model)
    assert (found.n, found.accuracy, found.learned, found.unlearned_accuracy) == (3, 0.6667, 2, 0.0)
    assert words.learned(found) == "2 of 3 messages were learned; of the others 0.0 % are right"


def test_a_report_gives_a_terminal_no_commands(report: Report) -> None:
    found = replace(report, errors=(replace(report.errors[0], text="card\x1b[31m lost\u202e"),))
    assert "card\ufffd[31m lost\ufffd" in render(found, ["t.yml"])


async def test_what_a_model_reads_as_one_of_its_examples_has_leaked_too(
    engine: Embedded, model: Model
) -> None:
    texts = ("haaaallo", "where is my order 88213", "👍", "/hallo!")
    examples = tuple(Example(text=text, intent="greeting", file="t.yml", line=1) for text in texts)
    found = await evaluate(engine, TrainingData(examples=examples), model)
    assert [one.split('"')[1] for one in found.leaks] == ["haaaallo", "where is my order 88213"]


def test_cross_validation_needs_no_file_and_no_training(model: Model) -> None:
    found = cross_validation(model)
    assert found.n == model.facts.examples
    assert found.accuracy == pytest.approx(model.facts.scores["accuracy"], abs=1e-4)
    assert found.ece == pytest.approx(model.facts.scores["ece"], abs=1e-4)
    assert "parse_ms" not in msgspec.to_builtins(found)
    assert len(found.automation.promises) == len(PROMISES)


def test_a_promise_on_the_messages_it_was_made_from_says_the_same(model: Model) -> None:
    strict = cross_validation(model).automation.promises
    for one in strict:
        kept = keep(table(model), one.wrong_answers)
        assert one.answered == pytest.approx(kept.answered, abs=2e-2)
        assert one.wrong == pytest.approx(kept.wrong, abs=2e-2)
        assert sum(least is None for least in one.thresholds.values()) == len(kept.handed_off)


def promise(wrong_answers: float, mistakes: int, n: int, **thresholds: float | None) -> Promise:
    return Promise(
        wrong_answers=wrong_answers,
        n=n,
        mistakes=mistakes,
        answered=n / 100,
        wrong=round(mistakes / n, 4),
        thresholds=thresholds,
    )


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (promise(0.005, 1, 35), "can be chance"),  # one in six tests of an engine that keeps it
        (promise(0.005, 4, 35), "not kept"),
        (promise(0.1, 6, 71), ""),
        (promise(0.01, 30, 1500), "not kept"),
    ],
)
def test_a_promise_is_broken_only_where_chance_does_not_explain_it(found: Promise, says: str) -> None:
    assert words.verdict(found) == says


@pytest.fixture
def promised(report: Report) -> Report:
    many = dict.fromkeys("abcdefgh")
    promises = (
        promise(0.005, 2, 35, **many),
        promise(0.01, 2, 83, b=0.8, a=None),
        promise(0.05, 0, 90, a=None),
    )
    return replace(report, automation=replace(report.automation, promises=promises))


def test_the_text_says_what_a_promise_came_to_and_who_is_handed_off(promised: Report) -> None:
    lines = [line.strip() for line in render(promised, ["t.yml"]).splitlines()]
    start = lines.index("Answering on its own")
    assert [line.partition("wrong (")[2] for line in lines[start + 1 : start + 4]] == [
        "2 of 35, not kept)",
        "2 of 83, can be chance)",
        "0 of 90)",
    ]
    assert lines[start + 4 : start + 7] == [
        "handed off at 0.5 %: a, b, c, d and 4 more",
        "handed off at 1.0 % and 5.0 %: a",
        "35 answers can hardly tell 0.5 % wrong from 8.2 %; a larger test can",
    ]


def test_a_promise_nothing_was_answered_for_has_no_share_that_was_wrong(promised: Report) -> None:
    none = replace(promised.automation.promises[0], n=0, mistakes=0, answered=0.0, wrong=0.0)
    found = replace(promised, automation=replace(promised.automation, promises=(none,)))
    assert "promised   0.5 % wrong:   0.0 % answered\n" in render(found, ["t.yml"])
    assert "of 0" not in page(found, ["t.yml"])
    assert words.limit(found.automation) == ""


def test_the_page_marks_what_was_not_kept_and_explains_what_can_be_chance(promised: Report) -> None:
    html = page(promised, ["t.yml"])
    assert '5.7 %<small class="bad">2 of 35, not kept</small>' in html
    assert "2.4 %<small>2 of 83, can be chance</small>" in html
    for note in ("Not kept: ", "Can be chance: ", "35 answers can hardly tell 0.5 % wrong from 8.2 %"):
        assert f'<p class="note">{note}' in html
    calm = replace(promised, automation=replace(promised.automation, promises=(promise(0.1, 0, 90),)))
    assert "chance" not in page(calm, ["t.yml"])


def test_the_page_lists_each_mistake_once_under_its_heads(report: Report) -> None:
    html = page(report, ["t.yml"])
    assert html.count(">a3<") == html.count(">o2<") == 1
    mistakes = html[html.index("<h2>Mistakes") :]
    assert re.findall(r"<th [^>]*>([^<]+)</th>", mistakes) == ["message", "means", "taken for", "confidence"]
    assert re.findall(r'data-name="([^"]+)">([^<]+)</td>', mistakes)[:4] == [
        ("message", "a3"),
        ("means", "a"),
        ("taken for", "b"),
        ("confidence", "0.90"),
    ]


def test_the_page_names_the_pairs_that_are_often_mistaken(report: Report) -> None:
    twice = replace(report, confusions=(replace(report.confusions[0], expected="job_offer", count=2),))
    assert "Most often: job_<wbr>offer taken for b (2)." in page(twice, ["t.yml"])
    assert "Most often" not in page(report, ["t.yml"])


def test_one_of_a_thing_is_not_many(report: Report) -> None:
    one = replace(report, n=1, per_intent={"a": report.per_intent["b"]}, reliability=report.reliability[:1])
    for shown in (render(one, ["t.yml"]), page(one, ["t.yml"])):
        assert "1 message, 1 intent" in shown
        assert not re.search(r"\b1 (messages|intents|answers|warnings)\b", shown)


def test_every_dot_of_a_plot_has_its_label_where_nothing_else_is() -> None:
    share = Axis(0.0, 1.0, (0.0, 1.0))
    plot = Plot(share, share, "across", "up")
    for place in range(5):
        plot.dot(0.3 + place * 0.02, 0.1, f"dot {place}", label=f"{place}.0 %")
    drawn = plot.svg("dots")
    found = [(float(x), float(y)) for x, y in re.findall(r'class="label" x="([\d.]+)" y="([\d.]+)"', drawn)]
    assert len(found) == 5
    boxes = [Box(x, y, 20, 8) for x, y in found]
    assert not any(one.touches(other) for one in boxes for other in boxes if one is not other)

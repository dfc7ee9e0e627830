"""Two models on the same messages, as numbers, as text and as a page."""

import re
from collections.abc import Collection, Mapping
from html.parser import HTMLParser

import pytest
from msgspec.structs import replace

from bot.domain.understanding import Level
from nlu.evaluation import ask, report
from nlu.evaluation.chance import at_least, hidden, sign_test
from nlu.evaluation.comparison import Comparison, against, compare
from nlu.evaluation.page import page
from nlu.evaluation.rendering import compared, trained
from nlu.models import Model
from nlu.reading import TrainingData
from nlu.training import TrainedModel
from tests.unit.nlu.test_evaluation import Told, example

Answers = Mapping[str, str]
EXAMPLES = tuple(example(f"<b>{number}</b> & so on", "a", "high") for number in range(12))


async def compared_models(this: Answers, other: Answers, learned: Collection[int] = ()) -> Comparison:
    data = TrainingData(examples=EXAMPLES, warnings=("<script>alert(1)</script>",))
    first, second = (
        Told({one.text: (answers[one.text], 0.8, 0.1, Level.HIGH) for one in EXAMPLES})
        for answers in (this, other)
    )
    pairs, others = await ask(first, data), await ask(second, data)
    return compare(report(first, data, pairs), pairs, report(second, data, others), others, learned)


def answers(wrong: int, name: str = "b") -> dict[str, str]:
    return {one.text: name if place < wrong else "a" for place, one in enumerate(EXAMPLES)}


async def test_what_changed_is_told_by_message() -> None:
    found = await compared_models(answers(1, "b"), answers(2, "out_of_scope"))
    assert [(one.text, one.this, one.other) for one in found.only_this_right] == [
        (EXAMPLES[1].text, "a", "out_of_scope")
    ]
    assert [(one.this, one.other) for one in found.both_wrong] == [("b", "out_of_scope")]
    assert found.only_other_right == ()


async def test_the_text_names_the_truth_and_who_said_what() -> None:
    found = await compared_models(answers(1, "b"), answers(2, "out_of_scope"))
    assert compared(found).splitlines()[-5:] == [
        "Only this one is right: 1 message",
        '  means a, the other says out_of_scope: "<b>1</b> & so on"',
        "",
        "Both are wrong, each in its way: 1 message",
        '  means a, this says b, the other says out_of_scope: "<b>0</b> & so on"',
    ]
    lost = await compared_models(answers(1, ""), answers(0))
    assert compared(lost).splitlines()[-1] == '  means a, this says (nothing): "<b>0</b> & so on"'


async def test_what_one_of_them_had_learned_decides_nothing() -> None:
    found = await compared_models(answers(0), answers(12))
    assert "learned" not in compared(found) + page(found.this, (), found)
    fair = await compared_models(answers(0), answers(12), learned=range(10))
    assert (len(fair.only_this_right), fair.left_out, fair.chance) == (2, 10, 0.5)
    assert fair.verdict == "no clear difference (2 right only here, 0 only there)"
    said = "10 of these messages were learned by at least one of the two, prove nothing and are left out."
    assert said in compared(fair).splitlines()
    assert said in page(fair.this, (), fair)


@pytest.mark.parametrize(("gained", "lost"), [(900, 300), (5000, 5000), (1, 5000)])
def test_the_chance_of_a_difference_can_be_told_of_any_number(gained: int, lost: int) -> None:
    chance = sign_test(gained, lost)
    assert 0 <= chance <= 1
    assert chance == sign_test(lost, gained)
    assert (chance > 0.9) == (gained == lost)


@pytest.mark.parametrize(
    ("this", "other", "verdict"),
    [
        (0, 12, "this one is better (12 right only here, 0 only there)"),
        (12, 0, "this one is worse (0 right only here, 12 only there)"),
        (1, 2, "no clear difference (1 right only here"),
        (3, 3, "no clear"),
    ],
)
async def test_a_difference_that_chance_explains_is_called_none(this: int, other: int, verdict: str) -> None:
    found = await compared_models(answers(this), answers(other))
    assert found.verdict.startswith(verdict)
    assert verdict in compared(found)


@pytest.mark.parametrize(
    ("count", "total", "share", "likely"),
    [(0, 0, 0.01, 1.0), (1, 1, 0.1, 0.1), (1, 35, 0.005, 1 - 0.995**35), (3, 10, 0.5, 968 / 1024)],
)
def test_how_likely_so_many_are_by_chance(count: int, total: int, share: float, likely: float) -> None:
    assert at_least(count, total, share) == pytest.approx(likely)


def test_what_does_not_turn_up_among_many_is_rare() -> None:
    assert [round(hidden(total), 3) for total in (0, 1, 60, 600)] == [1.0, 0.95, 0.049, 0.005]
    assert at_least(1, 60, hidden(60)) == pytest.approx(0.95)


def just_trained(model: Model) -> TrainedModel:
    facts = model.facts
    return TrainedModel(id="new", scores=facts.scores, examples=42, intents=len(facts.intents), seconds=1.0)


def test_a_training_is_explained(model: Model) -> None:
    lines = trained(just_trained(model)).splitlines()
    assert lines[0] == "42 examples, 5 intents."
    assert "judged by a model that had not seen it" in lines[2]
    assert len(lines) == 3 + len(model.facts.scores)
    assert "macro-F1" in lines[4]
    assert not [line for line in lines if "_" in line or "ece" in line]
    assert all(re.search(r" \d+\.\d %   \w+", line) for line in lines[3:])


def test_a_training_is_held_against_the_live_model(model: Model) -> None:
    live = replace(model.facts, intents=("greeting", "press"), scores={"accuracy": 0.123})
    text = trained(just_trained(model), against("old", live, model.facts))
    right = next(line for line in text.splitlines() if line.startswith("  right"))
    assert right.split()[1:5] == [f"{model.facts.scores['accuracy']:.1%}"[:-1], "%", "12.3", "%"]
    assert "New to the live model old: charged_twice, out_of_scope, refund, where_is_parcel." in text
    assert "Known to the live model only: press." in text
    assert "`evaluate --compare` puts both to the same messages" in text


def test_the_same_examples_give_the_live_model_again(model: Model) -> None:
    text = trained(just_trained(model), against("new", model.facts, model.facts))
    assert text.splitlines()[-1] == "It is live already: the same examples give the same model."
    assert "live  " not in text


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


async def test_the_page_is_self_contained_and_escapes_what_customers_wrote() -> None:
    found = await compared_models(answers(2), answers(4))
    html = page(found.this, ["te<st>.yml"], found)
    reader = Reader()
    reader.feed(html)
    tags = {tag for tag, _ in reader.tags}
    assert {"svg", "table", "details"} <= tags
    assert not tags & {"script", "link", "img", "iframe", "b", "st", "object"}
    assert not any(name in attributes for _, attributes in reader.tags for name in ("src", "href", "onclick"))
    assert "url(" not in html
    assert not re.search(r"https?://", html)
    assert "&lt;b&gt;0&lt;/b&gt; &amp; so on" in html
    assert "default-src 'none'" in html


async def test_the_page_says_every_number_of_its_plots_in_a_table_too() -> None:
    found = await compared_models(answers(2), answers(4))
    html = page(found.this, ["test.yml"])
    assert "<title>12 messages of confidence 80.0 %: 83.3 % right</title>" in html
    assert ">83.3 %</td>" in html

"""Two models on the same messages, as numbers, as text and as a page."""

import re
from collections.abc import Mapping
from html.parser import HTMLParser

import pytest

from bot.domain.understanding import Level
from nlu.comparison import Comparison, _sign_test, compare
from nlu.evaluation import ask, report
from nlu.page import page
from nlu.reading import TrainingData
from nlu.rendering import compared
from tests.unit.nlu.test_evaluation import Told, example

Answers = Mapping[str, str]
EXAMPLES = tuple(example(f"<b>{number}</b> & so on", "a", "high") for number in range(12))


async def compared_models(this: Answers, other: Answers) -> Comparison:
    data = TrainingData(examples=EXAMPLES, warnings=("<script>alert(1)</script>",))
    first, second = (
        Told({one.text: (answers[one.text], 0.8, 0.1, Level.HIGH) for one in EXAMPLES})
        for answers in (this, other)
    )
    pairs, others = await ask(first, data), await ask(second, data)
    return compare(report(first, data, pairs), pairs, report(second, data, others), others)


def answers(wrong: int, name: str = "b") -> dict[str, str]:
    return {one.text: name if place < wrong else "a" for place, one in enumerate(EXAMPLES)}


async def test_what_changed_is_told_by_message() -> None:
    found = await compared_models(answers(1, "b"), answers(2, "out_of_scope"))
    assert [(one.text, one.before, one.after) for one in found.now_right] == [
        (EXAMPLES[1].text, "out_of_scope", "a")
    ]
    assert [(one.before, one.after) for one in found.otherwise_wrong] == [("out_of_scope", "b")]
    assert found.now_wrong == ()


@pytest.mark.parametrize(("gained", "lost"), [(900, 300), (5000, 5000), (1, 5000)])
def test_the_chance_of_a_difference_can_be_told_of_any_number(gained: int, lost: int) -> None:
    chance = _sign_test(gained, lost)
    assert 0 <= chance <= 1
    assert chance == _sign_test(lost, gained)
    assert (chance > 0.9) == (gained == lost)


@pytest.mark.parametrize(
    ("this", "other", "verdict"),
    [
        (0, 12, "better (12 right now"),
        (12, 0, "worse (0 right now, 12"),
        (1, 2, "no clear difference"),
        (3, 3, "no clear"),
    ],
)
async def test_a_difference_that_chance_explains_is_called_none(this: int, other: int, verdict: str) -> None:
    found = await compared_models(answers(this), answers(other))
    assert found.verdict.startswith(verdict)
    assert verdict in compared(found)


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

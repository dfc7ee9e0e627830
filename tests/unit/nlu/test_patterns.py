"""A regex of the training data cannot hold up the server."""

import asyncio
import time
from pathlib import Path

import pytest

from bot.domain.errors import BadData
from nlu.reading import read
from nlu.rules.patterns import openings, slow_text
from nlu.training import train

STARTER = Path(__file__).parents[3] / "nlu" / "data"


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a+)+$",
        r"(\w+\s?)+$",
        r"(x+x+)+y",
        r"((abc)+)+$",
        r"^(([a-z])+.)+[A-Z]([a-z])+$",
        r"(.*,){11}P",
        r"(?:\d+-?)+z",
        r"(a|aa)+$",
        r"(é+)+$",
        r"([^;]+,?)+;",
        r"KD-(\d+\s?)+$",
        r"KD(\d+)*x",
        r"order (\w+\s?)+!",
        r"(?:NW|KD)(?:\d+-?)+z",
        r"^ref:(\w+[ -]?)*$",
        r"(?<=serial )([a-z]+)*[0-9]",
        r"\d{4}(?:a+)+$",
        r"#\d{2,}-(x|xx)+$",
        r"KD-(?:[0-9]+-?)+[A-Z]",
        r"(?:kunde|kd) (\d+ ?)+x",
        r"n[or]\.? (\d+)*x",
        r"(?:no|nr) (\d+)*\.",
        r"([^a]+)+a",
        r"ab?c?(?:[xyz]+_?)+!",
        r"(?P<a>q)(?:\w+\w+)+#",
        r"(?=x)(x+)+y",
    ],
)
def test_a_pattern_that_takes_years_is_found_out_in_a_moment(pattern: str) -> None:
    started = time.process_time()
    assert slow_text(pattern)
    assert time.process_time() - started < 3


@pytest.mark.parametrize(
    "pattern",
    [
        r"\d{5}",
        r"KD-\d+\b",
        r"[A-Z]-\d{3}-[A-Z]",
        r"(?:order|bestellung)\s+#?\d{4,10}",
        r"(?i)k(?:u|un)d\s+\d+",
        r"",
    ],
)
def test_usual_patterns_are_in_time(pattern: str) -> None:
    assert slow_text(pattern) == ""


def test_those_of_the_starter_data_are_in_time() -> None:
    patterns = [one.pattern for one in read([STARTER]).regexes]
    assert patterns
    assert [slow_text(pattern) for pattern in patterns] == [""] * len(patterns)


def test_training_names_the_line_and_the_way_out(tmp_path: Path) -> None:
    file = tmp_path / "nlu.yml"
    file.write_text(
        "nlu:\n- intent: a\n  examples: |\n    - one\n- intent: b\n  examples: |\n    - two\n"
        "- regex: serial\n  examples: |\n    - (\\w+\\s?)+$\n",
        encoding="utf-8",
    )
    with pytest.raises(BadData, match=r"nlu\.yml:10: `\(.*` takes too long .* upper limit"):
        asyncio.run(train([file], tmp_path / "models"))


@pytest.mark.parametrize(
    ("pattern", "starts"),
    [
        ("(?<!\\w)(?:an)?fangen", {"anfa", "fang"}),
        ("[äa]b(?:c|de)", {"äbc", "äbde", "abc", "abde"}),
        ("x\\w*y", {"x", "xy"}),
        ("a(?:b ){0,3}c", {"ac", "ab "}),
        ("\\d", set("0123456789")),
    ],
)
def test_a_pattern_says_what_a_match_can_start_with(pattern: str, starts: set[str]) -> None:
    assert openings(pattern, 4) == starts

"""What is learned from labels of urgency, and how it stands beside signals and intents."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from bot.domain.understanding import Context, Intent, Level, Sentiment
from nlu.calibration import Logistic
from nlu.embedded import Embedded
from nlu.learning import learn
from nlu.models import Model
from nlu.ordinal import Graded, Ordinal, Step
from nlu.reading import read_training
from nlu.urgency import Known, urgency

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
STARTER = Path(__file__).parents[3] / "nlu" / "data"
PLACES = (
    "Hamburg",
    "Kiel",
    "Husum",
    "Berlin",
    "Leipzig",
    "Dresden",
    "Bremen",
    "Essen",
    "Bonn",
    "Ulm",
    "Trier",
    "Jena",
)
FRAMES = ("the {} in {}", "{} at our shop in {}", "we have a {} in {}")


def labelled(levels: dict[str, str], repeats: int = 6) -> str:
    lines = ["nlu:", "- intent: report", "  examples:"]
    for word, level in levels.items():
        for place in PLACES[:repeats]:
            for frame in FRAMES:
                text = frame.format(word, place)
                lines.append(f'  - {{text: "{text}", metadata: {{urgency: {level}}}}}')
    lines += [
        "- intent: other",
        "  examples: |",
        *(f"    - something else about {place}" for place in PLACES),
    ]
    return "\n".join(lines) + "\n"


def trained(folder: Path, text: str) -> Model:
    file = folder / "nlu.yml"
    file.write_text(text, encoding="utf-8")
    return learn(read_training([file]), NOW)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    words = {"catalogue": "low", "invoice": "normal", "deluge": "high", "avalanche": "critical"}
    return trained(tmp_path_factory.mktemp("ordinal"), labelled(words))


def test_levels_are_learned_from_the_labels_of_examples(model: Model) -> None:
    engine = Embedded(model)
    found = {word: engine.parse(f"a {word} near Lübeck").urgency.level for word in ("deluge", "avalanche")}
    assert found == {"deluge": Level.HIGH, "avalanche": Level.CRITICAL}
    assert engine.parse("a catalogue near Lübeck").urgency.level is Level.LOW


def test_the_reason_names_the_word_that_gave_it_away(model: Model) -> None:
    assert 'reads as urgent: "deluge"' in Embedded(model).parse("a deluge near Lübeck").urgency.reasons


def test_nothing_is_learned_from_no_labels_or_too_few(tmp_path: Path) -> None:
    few = trained(tmp_path, labelled({"invoice": "normal", "deluge": "high"}, repeats=5))
    assert few.facts.urgent == ()
    assert "urgent" not in few.arrays


def test_labels_of_whole_intents_alone_are_a_prior_and_teach_nothing(tmp_path: Path) -> None:
    texts = "".join(f"    - {place} calls\n" for place in PLACES * 4)
    intents = "".join(
        f"- intent: {name}\n  metadata: {{urgency: {level}}}\n  examples: |\n{texts.replace('calls', name)}"
        for name, level in (("flood", "high"), ("catalogue", "low"))
    )
    model = trained(tmp_path, f"nlu:\n{intents}")
    assert model.facts.urgent == ()
    assert model.facts.knowledge.urgency == {"flood": "high", "catalogue": "low"}


def test_what_everybody_writes_of_is_not_urgent_because_urgent_messages_have_it_too(tmp_path: Path) -> None:
    """Labels are of what somebody looked for; the messages without one show how common its words are."""

    def level(everyday: str) -> Level:
        common = "".join(f"    - {everyday} to {place}\n" for place in PLACES * 3)
        labels = labelled({"invoice": "normal", "deluge": "high"}, repeats=12)
        model = trained(tmp_path, f"{labels}- intent: letters\n  examples: |\n{common}")
        return Embedded(model).parse("a deluge near Lübeck").urgency.level

    assert level("our letters") is Level.HIGH
    assert level("our deluge of letters") is Level.NORMAL


def grading(level: Level) -> Known:
    return Known(intent="x", confidence=1.0, prior="normal", grade=lambda *_: Graded(level, ()))


def test_the_classifier_raises_and_never_lowers() -> None:
    assert urgency("this is it", grading(Level.CRITICAL)).level is Level.CRITICAL
    assert urgency("the toaster caught fire", grading(Level.LOW)).level is Level.CRITICAL
    assert urgency("this is it", grading(Level.LOW)).level is Level.NORMAL  # what the intent says


@pytest.mark.parametrize("text", ["das ist nicht dringend", "no rush with this", "es eilt nicht"])
def test_who_says_that_it_can_wait_is_believed_against_the_classifier(text: str) -> None:
    assert urgency(text, grading(Level.HIGH)).level is Level.NORMAL


@pytest.mark.parametrize(
    "text",
    [
        "Mein Nachbar sagt „das ist dringend, sofort!“, ich finde das nicht",
        'the label says "urgent: fire hazard" in red',
        "kein Ausfall, nur eine Frage",
        "nobody was hurt and there was no fire",
        "es hat zum Glück nicht gebrannt",
        "the plug is not melted",
    ],
)
def test_what_is_quoted_or_denied_raises_nothing(text: str) -> None:
    assert urgency(text, Known(prior="normal", confidence=1.0)).level.rank <= Level.NORMAL.rank


def test_the_starter_labels_are_enough_to_learn_from() -> None:
    labels = [example.urgency for example in read_training([STARTER]).examples if example.urgency]
    assert len(labels) > 400
    assert sum(level in {"high", "critical"} for level in labels) > 150


def test_surroundings_still_count_beside_it(model: Model) -> None:
    engine = Embedded(model)
    intent, mood = Intent(name="report", confidence=1.0), Sentiment(label="negative", score=-0.6)
    calm = engine.urgency("an invoice near Lübeck", intent, mood, Context())
    public = engine.urgency(
        "an invoice near Lübeck", intent, mood, Context(public=True, reach=40_000, repeats=4)
    )
    assert calm.level is Level.NORMAL
    assert public.level is Level.HIGH
    assert any("40,000 followers" in reason for reason in public.reasons)


def test_nothing_is_called_urgent_without_a_word_that_can_be_checked() -> None:
    step = Step(
        level=Level.HIGH, bias=0.0, sure=Logistic((9.0, 0.0, 0.0), 0.0, (-9.0,) * 3, (9.0,) * 3), enough=0.5
    )
    weights, idf = np.array([[1.0], [1.0]]), np.array([1.5, 1.0])
    for words, found in (
        (["deluge", "in"], Graded(Level.HIGH, ("deluge",))),
        (["at", "in"], Graded(Level.NORMAL, ())),
        (["their", "jeder"], Graded(Level.NORMAL, ())),
        (["their", "deluge"], Graded(Level.HIGH, ("deluge",))),
    ):
        ordinal = Ordinal((step,), weights, words, idf)
        assert ordinal.grade(np.array([0, 1]), np.array([1.0, 1.0]), 0.0, 0) == found


def test_danger_is_called_so_even_where_only_empty_words_tell_it() -> None:
    sure = Logistic((9.0, 0.0, 0.0), 0.0, (-9.0,) * 3, (9.0,) * 3)
    step = Step(level=Level.CRITICAL, bias=0.0, sure=sure, enough=0.5)
    ordinal = Ordinal((step,), np.array([[1.0]]), ["their"], np.array([1.5]))
    assert ordinal.grade(np.array([0]), np.array([1.0]), 0.0, 0) == Graded(Level.CRITICAL, ("their",))


def test_what_is_about_nothing_urgent_stays_low_when_it_reads_like_any_other(model: Model) -> None:
    known = Known(intent="praise", confidence=0.9, prior="low", grade=lambda *_: Graded(Level.NORMAL, ()))
    assert urgency("an invoice", known).level is Level.LOW
    raised = Known(
        intent="praise", confidence=0.9, prior="low", grade=lambda *_: Graded(Level.HIGH, ("deluge",))
    )
    assert urgency("a deluge", raised).level is Level.HIGH


def test_what_is_quoted_or_denied_does_not_say_what_it_is_about(tmp_path: Path) -> None:
    examples = {
        "shock": ["an electric shock", "a shock from it", "shock"],
        "question": ["what is that", "is it safe"],
    }
    lines = ["nlu:"]
    for intent, texts in examples.items():
        level = "critical" if intent == "shock" else "normal"
        lines += [f"- intent: {intent}", f"  metadata: {{urgency: {level}}}", "  examples: |"]
        lines += [f"    - {text} {word}" for text in texts for word in ("", "now", "here", "please")]
    engine = Embedded(trained(tmp_path, "\n".join(lines) + "\n"))
    assert engine.parse("a shock from it").urgency.level is Level.CRITICAL
    quoted = engine.parse('is it "a shock from it, shock, an electric shock"')
    assert quoted.intent.name == "shock"
    assert quoted.urgency.level is Level.NORMAL


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("the stair gate gave way", ""),
        ("it’s the gate", ""),
        ("the box says 'danger of shock', is it?", "the box says" + " " * 18 + ", is it?"),
        ("nobody was injured here", "nobody was" + " " * 9 + "here"),
    ],
)
def test_nothing_that_is_quoted_or_denied_is_read_again(text: str, read: str) -> None:
    asked: list[str] = []

    def again(rest: str) -> Known:
        asked.append(rest)
        return Known()

    urgency(text, Known(again=again))
    assert asked == [read] * bool(read)

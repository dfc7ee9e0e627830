"""answers.yml → an `AnswerBook`: one language form per brand, and every mistake named before a customer meets it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node

from bot.domain import strict
from bot.domain.answers import PLACEHOLDER, Answer, AnswerBook, Mode, Need, Texts, Variant
from bot.domain.brand import Brand
from bot.domain.errors import BadData
from bot.domain.ports import Finding
from bot.domain.strict import BadShape, NonEmpty, join, meant, near

# The bot's fixed sentences, and the values each may use.
SENTENCES: dict[str, tuple[str, ...]] = {
    "handed_off": ("department", "wait", "number"),
    "handed_off_closed": ("department", "opening", "number"),
    "still_waiting": (),
    "promise_broken": ("number",),
    "clarify": (),
    "not_understood": (),
    "person_button": (),
    "none_button": (),
    "unreadable": (),
    "no_longer_open": (),
    "ask_again": ("question",),
    "late_apology": (),
    "reopened": ("department", "wait", "number"),
    "public_to_private": (),
}
BY_RULE = ("person",)  # who asks for a person gets one; there is nothing to answer
LANGUAGE = re.compile(r"[a-z]{2,3}")
FORMS = ("sie", "du")
WRITE_IT = "Write its answer (where people shall have it: mode: human), then reload the server."
ADD_EXAMPLES = "Add examples of it to the training data, or take the answer out."
ADD_LOOKUP = "Add it to lookups in the configuration."
TRAIN = "Train and promote: switchboard train, then switchboard promote ID."

Taught = Callable[[], Collection[str]]  # the intents of the training data; asked only where it matters


class NeedFile(Struct, frozen=True, kw_only=True):
    slot: NonEmpty
    entity: str = ""
    ask: Any


class VariantFile(Struct, frozen=True, kw_only=True):
    when: dict[str, str | int | float | bool]
    text: Any


class AnswerFile(Struct, frozen=True, kw_only=True):
    label: Any
    mode: Literal["answer", "human"] = "answer"
    text: Any = None
    general: Any = None
    public: Any = None
    not_found: Any = None
    variants: tuple[VariantFile, ...] = ()
    needs: tuple[NeedFile, ...] = ()
    lookup: str = ""
    smalltalk: bool = False
    resolves: bool = False


class BookFile(Struct, frozen=True, kw_only=True):
    intents: dict[str, AnswerFile]
    sentences: dict[str, Any] = field(default_factory=dict)


def load_answers(path: Path | str, brand: Brand) -> AnswerBook:
    """Read the file in the form of `brand`. Raises `BadData` with file, place and remedy.

    `version` is a hash of what the bot would say, so a comment or the other form of address changes nothing.
    """
    return parse_answers(read_text(path), brand, str(path))


def parse_answers(text: str, brand: Brand, where: str) -> AnswerBook:
    """The same from a text; `where` is what errors call it. Raises `BadData`."""
    try:
        read = strict.convert(_read(text, where), BookFile)
        reader = _Reader(brand)
        answers = {intent: reader.answer(intent, raw) for intent, raw in read.intents.items()}
        sentences = reader.sentences(read.sentences)
    except BadShape as exc:
        raise BadData(f"{where}: {exc}") from exc
    languages = (brand.language, *(other for other in brand.languages if other != brand.language))
    book = AnswerBook(answers=answers, sentences=sentences, languages=languages)
    content = msgspec.json.encode(book, order="deterministic")
    return replace(book, version=hashlib.sha256(content).hexdigest()[:12])


def check(
    book: AnswerBook, intents: Collection[str], lookups: Collection[str], taught: Taught = frozenset
) -> list[Finding]:
    """What the bot could not say well, for the doctor and for the start; `intents` are those of the live model."""
    return [
        *(_finding(problem, WRITE_IT) for problem in unanswered(book, intents)),
        *_strange(book, intents, taught),
        *_without_lookup(book, lookups),
        *(_finding(problem, "Translate it in the answers.") for problem in _untranslated(book)),
    ]


def _finding(problem: str, fix: str) -> Finding:
    return Finding(name="answers", status="warn", detail=problem, fix=fix)


def unanswered(book: AnswerBook, intents: Collection[str]) -> list[str]:
    """A sentence for each intent that nobody wrote an answer for."""
    missing = [intent for intent in intents if intent not in book.answers and intent not in BY_RULE]
    return [f"`{intent}` has no answer: its messages go to people" for intent in missing]


def _strange(book: AnswerBook, intents: Collection[str], taught: Taught) -> list[Finding]:
    """Answers that the live model never gives: it was trained too early, or their name is wrong."""
    strange = [intent for intent in book.answers if intent not in intents and intent not in BY_RULE]
    learned = taught() if strange else ()
    return [_too_early(intent) if intent in learned else _misnamed(intent, intents) for intent in strange]


def _too_early(intent: str) -> Finding:
    return _finding(f"The live model does not know `{intent}` yet, which has an answer", TRAIN)


def _misnamed(intent: str, intents: Collection[str]) -> Finding:
    problem = f'The answer "{intent}" belongs to no intent of the training data'
    name = meant(intent, intents)
    return _finding(problem, f"Correct its name ({name}), or add examples." if name else ADD_EXAMPLES)


def _without_lookup(book: AnswerBook, lookups: Collection[str]) -> list[Finding]:
    return [
        _finding(
            f'The answer "{answer.intent}" uses the lookup "{answer.lookup}", which is not configured, '
            "so its general text is said",
            f"Correct its name; {name}" if (name := meant(answer.lookup, lookups)) else ADD_LOOKUP,
        )
        for answer in book.answers.values()
        if answer.lookup and answer.lookup not in lookups
    ]


def _untranslated(book: AnswerBook) -> list[str]:
    first, *others = book.languages
    spoken = {f"sentences.{name}": texts for name, texts in book.sentences.items()}
    spoken |= {f"intents.{a.intent}.text": a.text for a in book.answers.values() if a.text}
    return [
        f'answers.yml has no "{language}" for {place}; those customers are answered in "{first}".'
        for place, texts in spoken.items()
        for language in others
        if language not in texts
    ]


def read_text(path: Path | str) -> str:
    """Raises `BadData`."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as exc:
        raise BadData(f"{path} cannot be read ({exc.strerror}); check nlu.answers in config.yml.") from exc
    except UnicodeDecodeError as exc:
        raise BadData(f"{path} is not UTF-8 text (byte {exc.start}); save it as UTF-8.") from exc


def _read(text: str, where: str) -> Any:
    try:
        return YAML(typ="safe", pure=True).load(text)
    except DuplicateKeyError as exc:
        raise BadData(f"{where}: {_twice(text)}; the first would be lost, so join them.") from exc
    except MarkedYAMLError as exc:
        line = f" line {exc.problem_mark.line + 1}" if exc.problem_mark else ""
        problem = str(exc.problem).partition("\n")[0]
        raise BadData(f"{where}{line}: not valid YAML ({problem}); check indentation and quotes.") from exc
    except YAMLError as exc:
        raise BadData(f"{where}: not valid YAML; it may hold a control character.") from exc
    except ValueError as exc:  # what looks like a date or a number and is none, such as 2026-02-30
        raise BadData(f"{where}: not valid YAML ({exc}); put quotes around what is a text.") from exc
    except RecursionError as exc:
        raise BadData(f"{where}: nested too deeply to be read; check its brackets.") from exc


def _twice(text: str) -> str:
    """Which key stands where, of a text that YAML refuses for it."""
    waiting: list[Node | None] = [YAML(typ="safe", pure=True).compose(text)]
    seen = set[int]()  # an anchor may hold itself
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if not isinstance(node, MappingNode):
            waiting += [part for part in node.value if isinstance(part, Node)]
            continue
        lines: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in lines:
                return f"`{name}` is here twice (lines {lines[name]} and {line})"
            lines[name] = line
            waiting.append(value)
    return "a key is here twice"


class _Reader:
    """The file's texts in one brand's languages and form of address."""

    def __init__(self, brand: Brand) -> None:
        self._brand = brand

    def answer(self, intent: str, raw: AnswerFile) -> Answer:
        path = join("intents", intent)
        mode = Mode(raw.mode)
        slots = tuple(need.slot for need in raw.needs)
        filled = None if raw.lookup else slots  # a lookup's record can hold anything
        text = self._texts(raw.text, f"{path}.text", filled)
        answer = Answer(
            intent=intent,
            label=self._texts(raw.label, f"{path}.label", ()),
            mode=mode,
            text=text,
            general=self._texts(raw.general, f"{path}.general", ()),
            public=self._public(raw.public, f"{path}.public", text),
            not_found=self._texts(raw.not_found, f"{path}.not_found", slots),
            variants=tuple(
                self._variant(variant, f"{path}.variants[{index}]", filled)
                for index, variant in enumerate(raw.variants)
            ),
            needs=tuple(self._need(need, f"{path}.needs[{index}]") for index, need in enumerate(raw.needs)),
            lookup=raw.lookup,
            smalltalk=raw.smalltalk,
            resolves=raw.resolves,
        )
        _check_answer(answer, path)
        return answer

    def sentences(self, raw: Mapping[str, Any]) -> dict[str, Texts]:
        for name in raw:
            if name not in SENTENCES:
                raise BadShape(join("sentences", name), f"there is no such sentence; {near(name, SENTENCES)}")
        for name in SENTENCES:
            if raw.get(name) is None:
                raise BadShape(
                    join("sentences", name), "is missing; add it, the bot has to be able to say it."
                )
        return {name: self._texts(raw[name], f"sentences.{name}", SENTENCES[name]) for name in SENTENCES}

    def _need(self, raw: NeedFile, path: str) -> Need:
        ask = self._texts(raw.ask, f"{path}.ask", ())
        if not ask:
            raise BadShape(f"{path}.ask", "is missing; write how the bot asks for it.")
        return Need(slot=raw.slot, entity=raw.entity or raw.slot, ask=ask)

    def _variant(self, raw: VariantFile, path: str, filled: Collection[str] | None) -> Variant:
        if not raw.when:
            raise BadShape(f"{path}.when", "is empty; name a field of the lookup's answer and its value.")
        text = self._texts(raw.text, f"{path}.text", filled)
        if not text:
            raise BadShape(f"{path}.text", "is missing; write what the bot says then.")
        return Variant(when={key: str(value) for key, value in raw.when.items()}, text=text)

    def _public(self, raw: Any, path: str, text: dict[str, str]) -> dict[str, str]:
        """`true` says that the text itself holds nothing private."""
        if raw is not True:
            return self._texts(raw, path, ())
        for language, words in text.items():
            _check_places(words, f"{path} (text.{language})", ())
        return text

    def _texts(self, raw: Any, path: str, values: Collection[str] | None) -> dict[str, str]:
        """Language → text in the brand's form; languages that the brand does not speak are left out."""
        if raw is None:
            return {}
        first = self._brand.language
        if not isinstance(raw, dict):
            raise BadShape(path, f"name the language of the text: {{{first}: …}}.")
        for language in raw:
            if not isinstance(language, str) or not LANGUAGE.fullmatch(language):
                raise BadShape(join(path, str(language)), "is no language code; write one like de.")
        texts = {
            language: self._text(raw[language], f"{path}.{language}", values)
            for language in raw
            if language in self._brand.languages
        }
        if first not in texts:
            raise BadShape(
                f"{path}.{first}", "is missing; the brand's first language has to have every text."
            )
        return texts

    def _text(self, raw: Any, path: str, values: Collection[str] | None) -> str:
        if isinstance(raw, dict):
            return self._form(raw, path, values)
        if not isinstance(raw, str):
            raise BadShape(path, "a text is expected here; put quotes around it.")
        if not raw.strip():
            raise BadShape(path, "is empty; write the text or remove the key.")
        _check_places(raw, path, values)
        return raw.strip()

    def _form(self, raw: dict[Any, Any], path: str, values: Collection[str] | None) -> str:
        for form in raw:
            if form not in FORMS:
                raise BadShape(join(path, str(form)), f"is no form of address; {near(str(form), FORMS)}")
        wanted = self._brand.address
        if wanted not in raw:
            raise BadShape(f"{path}.{wanted}", f'is missing; the brand says "{wanted}" to its customers.')
        return self._text(raw[wanted], f"{path}.{wanted}", values)


def _check_places(text: str, path: str, values: Collection[str] | None) -> None:
    """Every `{place}` can be filled; None: with anything."""
    if set("{}") & set(PLACEHOLDER.sub("", text)):
        raise BadShape(path, "has a brace that belongs to no value; values are written {order_number}.")
    for name in PLACEHOLDER.findall(text):
        if values is not None and name not in values:
            choice = near(name, values) if values else "write it without."
            raise BadShape(path, f"{{{name}}} can be filled by nothing here; {choice}")


def _check_answer(answer: Answer, path: str) -> None:
    """What an answer cannot be without, and what it cannot be at the same time."""
    human = answer.mode is Mode.HUMAN
    asks = bool(answer.needs or answer.lookup)
    wrong = (
        (not answer.label, "label", "is missing; it is what a button and the desk call this intent."),
        (not human and not answer.text, "text", "is missing; write the answer, or say mode: human."),
        (
            human and asks,
            "mode",
            "a person asks and looks up; remove needs and lookup, or answer by machine.",
        ),
        (human and answer.smalltalk, "smalltalk", "is for what the bot says itself; remove it."),
        (
            bool(answer.variants) and not answer.lookup,
            "variants",
            "choose by a lookup's answer; name the lookup.",
        ),
        (
            bool(answer.lookup) and not answer.general,
            "general",
            "is missing; it is said where no lookup is configured.",
        ),
        (
            asks and not answer.public,
            "public",
            "is missing; a number must not be asked where others read along.",
        ),
    )
    for is_wrong, key, problem in wrong:
        if is_wrong:
            raise BadShape(f"{path}.{key}", problem)

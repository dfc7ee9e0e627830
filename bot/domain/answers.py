"""Automated answers: what the bot says for an intent, in which language, and what it needs first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from enum import StrEnum

from msgspec import Struct, field

from bot.domain.errors import TemplateFailed

PLACEHOLDER = re.compile(r"\{(\w+)\}")
ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(T.*)?")
DATE_FORMATS = {"de": "%d.%m.%Y", "en": "%d/%m/%Y"}

Texts = Mapping[str, str]  # language → text


class Mode(StrEnum):
    ANSWER = "answer"
    HUMAN = "human"  # always a person


class Need(Struct, frozen=True, kw_only=True):
    """A slot an answer cannot do without."""

    slot: str
    entity: str
    ask: Texts


class Variant(Struct, frozen=True, kw_only=True):
    """The text for one value of the lookup's answer."""

    when: dict[str, str]
    text: Texts


class Answer(Struct, frozen=True, kw_only=True):
    intent: str
    label: Texts  # on a button: "Where is my parcel?"
    mode: Mode = Mode.ANSWER
    text: Texts = field(default_factory=dict)
    general: Texts = field(default_factory=dict)  # when no lookup is configured
    public: Texts = field(default_factory=dict)  # where other people read along: nothing private
    not_found: Texts = field(default_factory=dict)
    variants: tuple[Variant, ...] = ()
    needs: tuple[Need, ...] = ()
    lookup: str = ""
    smalltalk: bool = False  # hello, thanks: never "the same question again"
    resolves: bool = False  # thanks, goodbye: the case is done


class AnswerBook(Struct, frozen=True, kw_only=True):
    """All answers, and the fixed sentences of the bot by name (`handed_off`, `clarify`…)."""

    answers: dict[str, Answer]
    sentences: dict[str, Texts]
    languages: tuple[str, ...]  # the first is what we fall back to
    version: str = ""  # hash of the content

    def sentence(self, name: str, language: str, values: Mapping[str, object]) -> str:
        """A fixed sentence, filled; raises `TemplateFailed`."""
        return fill(self.choose(self.sentences[name], language), values, language)

    def choose(self, texts: Texts, language: str) -> str:
        """The text in `language`, else in the first language that has one."""
        for candidate in (language, *self.languages):
            if candidate in texts:
                return texts[candidate]
        raise TemplateFailed("An answer has no text in any of the brand's languages; add one to answers.yml.")


def fill(template: str, values: Mapping[str, object], language: str) -> str:
    """Put values into `{name}` places: no attributes, no code; a missing or empty value raises `TemplateFailed`."""

    def value(match: re.Match[str]) -> str:
        found = values.get(match[1])
        if found is None or found == "":
            raise TemplateFailed(f"The answer needs {{{match[1]}}}, and there is no such value.")
        return shown(found, language)

    return PLACEHOLDER.sub(value, template)


def shown(value: object, language: str) -> str:
    """A value as people of that language write it."""
    if isinstance(value, str) and ISO_DATE.fullmatch(value):
        with suppress(ValueError):  # looks like a date and is none: shown as it is
            day = datetime.fromisoformat(value).date()
            return day.strftime(DATE_FORMATS.get(language, "%Y-%m-%d"))
    if isinstance(value, float):
        text = f"{value:.2f}"
        return text.replace(".", ",") if language == "de" else text
    return str(value)

"""Finds order numbers, addresses, dates and amounts, and what the training data lists.

Rules, not a model. Every finder works on what earlier ones left over, so a date is never an order number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from msgspec.structs import replace

from bot.domain.understanding import UNDERSTOOD_CHARACTERS, Context, Entity
from nlu.composed import compose, is_composed
from nlu.facts import Knowledge
from nlu.rules import order_numbers
from nlu.rules.listed import Listed, key
from nlu.rules.order_numbers import ORDER_NUMBER, SPACES
from nlu.rules.roles import Roles

FEWEST_IN = {"iban": 8, "phone": 6}  # digits; without them there is no need to look
MISTYPED = 0.5  # confidence in an IBAN whose checksum is wrong
# Where a wrong checksum is a slip; elsewhere two letters and digits are rather a parcel's tracking number.
IBAN_COUNTRIES = frozenset(
    "AD AT BE BG CH CY CZ DE DK EE ES FI FR GB GI GR HR HU IE IS IT LI LT LU LV MC MT NL NO PL PT RO SE SI SK SM"
    " TR".split()
)
TAKEN = "\0"  # in the working copy, where an earlier finder has been

_DIGIT = re.compile(r"\d")
_LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}")
# Spelled out, since the flag for letter case would let in letters like "İ" that no IBAN has.
_IBAN = re.compile(r"(?<!\w)[A-Za-z]{2}[0-9]{2}(?: ?[A-Za-z0-9]{4}){2,7}(?: ?[A-Za-z0-9]{1,3})?(?!\w)")
# Arabic, Persian and full-width digits, which people on such keyboards type.
_OTHER_DIGIT = re.compile("[\u0660-\u0669\u06f0-\u06f9\uff10-\uff19]")

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "januar jänner january jan",
            "februar feber february feb",
            "märz maerz march mrz mar",
            "april apr",
            "mai may",
            "juni june jun",
            "juli july jul",
            "august aug",
            "september sept sep",
            "oktober october okt oct",
            "november nov",
            "dezember december dez dec",
        ),
        1,
    )
    for name in names.split()
}
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DATES = re.compile(
    r"(?<![\w.])(?:(?P<y>(?:19|20)\d\d)-(?P<m>[01]?\d)-(?P<d>[0-3]?\d)"
    r"|(?P<d2>[0-3]?\d)\.\s?(?P<m2>[01]?\d)\.(?:\s?(?P<y2>(?:19|20)?\d\d))?"
    r"|(?P<d3>[0-3]?\d)/(?P<m3>[0-3]?\d)/(?P<y3>(?:19|20)?\d\d)|(?P<d7>[0-3]\d)/(?P<m7>[01]\d)"
    # "am 3.11" without its last point; "bis 3.10 €" is a price.
    r"|(?:(?<=\bam )|(?<=\bvom )|(?<=\bseit )|(?<=\bdem )|(?<=\bzum )|(?<=\bbis ))"
    r"(?P<d8>[0-3]?\d)\.(?P<m8>[01]?\d)(?![.,]?\d|\s?(?:[€$£%]|eur|chf|uhr))"
    rf"|(?P<d4>[0-3]?\d)(?:\.|st|nd|rd|th)?\s(?:of\s)?(?P<n4>{_MONTH})\b\.?(?:,?\s(?P<y4>(?:19|20)\d\d))?"
    rf"|(?P<n5>{_MONTH})\.?\s(?P<d5>[0-3]?\d)(?:st|nd|rd|th)?\b(?:,?\s(?P<y5>(?:19|20)\d\d))?"
    rf"|(?P<n6>{_MONTH})\.?\s(?P<y6>(?:19|20)\d\d))(?!\w)",
    re.IGNORECASE,
)

_CURRENCIES = {
    word: code
    for code, words in (
        ("EUR", "€ euro euros eur"),
        ("USD", "$ dollar dollars usd"),
        ("GBP", "£ pound pounds quid gbp pfund"),
        ("CHF", "chf franken francs fr."),
    )
    for word in words.split()
}
_MONEY = "|".join(re.escape(word) for word in sorted(_CURRENCIES, key=len, reverse=True))
_NUMBER = r"\d{1,3}(?:[., '’]\d{3}){1,4}(?:[.,]\d{1,2})?|\d{1,15}(?:[.,]\d{1,2})?"
_AMOUNTS = re.compile(
    rf"(?<![\w.,'’])(?:(?P<before>{_MONEY})\s?(?P<n1>{_NUMBER})"
    rf"|(?P<n2>{_NUMBER})(?:,-|,--)?\s?(?P<after>{_MONEY}))(?!\w)",
    re.IGNORECASE,
)

_PHONES = re.compile(
    rf"(?<![\w#-])(?:(?:\+|00)[1-9]\d{{0,2}}[{SPACES}/.()-]{{0,3}}(?:\(0\)[{SPACES}]?)?\d(?:[{SPACES}/.()-]{{0,2}}\d){{5,12}}"
    rf"|\(?0\d{{2,5}}\)?[{SPACES}]?[{SPACES}/-][{SPACES}]?\d(?:[{SPACES}/.-]?\d){{4,9}}|0\d{{9,11}}"
    rf"|\(\d{{3}}\)[{SPACES}]?\d{{3}}[{SPACES}-]\d{{4}}|\d{{3}}-\d{{3}}-\d{{4}})(?!\w)"
)
_CALLED = re.compile(
    r"(?:tel(?:efon)?(?:nummer|nr)?|handy(?:nummer|nr)?|mobil(?:nummer|e)?|phone(?: number)?|cell"
    r"|erreichbar unter"
    r"|(?:ruf|call|ring)\w{0,20}\b[^.!?\d]{0,25})[\s.:]{0,5}(?:ist|is|lautet|unter|on|at)?[\s:]{0,5}"
    rf"(\d[\d{SPACES}/-]{{4,15}}\d)",
    re.IGNORECASE,
)


class Entities:
    """The finders of one model: the built-in ones and what its training data lists."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._synonyms = {key(written): value for written, value in knowledge.synonyms.items()}
        self._regexes = [(name, re.compile(pattern, re.IGNORECASE)) for name, pattern in knowledge.regexes]
        self._listed = Listed(knowledge.lookups)
        self._roles = Roles(knowledge.roles)

    def find(self, text: str, context: Context) -> tuple[Entity, ...]:
        """In the order of the text, none inside another; offsets are those of `text`."""
        read = text[:UNDERSTOOD_CHARACTERS]
        if is_composed(read):
            return self._find(read, context)
        read, places = compose(read)
        return tuple(_as_written(entity, places) for entity in self._find(read, context))

    def _find(self, text: str, context: Context) -> tuple[Entity, ...]:
        left = text.replace(TAKEN, " ")
        if not left.isascii():
            left = _OTHER_DIGIT.sub(lambda digit: str(int(digit[0])), left)
        found: list[Entity] = []
        for finder in self._finders(left, context):
            for entity in finder(left):
                if TAKEN not in left[entity.start : entity.end]:
                    found.append(entity)
                    left = left[: entity.start] + TAKEN * (entity.end - entity.start) + left[entity.end :]
        found.sort(key=_start)
        return tuple(self._roles.play(text, entity) for entity in found)

    def _finders(self, text: str, context: Context) -> Iterator[Callable[[str], Iterable[Entity]]]:
        yield _addresses
        digits = len(_DIGIT.findall(text))
        if digits >= FEWEST_IN["iban"]:
            yield _ibans
        if digits:
            yield from (_dates, _amounts)
        if context.expects == ORDER_NUMBER:
            yield order_numbers.asked
        if digits:
            yield order_numbers.prefixed
        if digits >= FEWEST_IN["phone"]:
            yield _phones
        if digits >= order_numbers.FEWEST:
            yield from (order_numbers.cued, order_numbers.lone, order_numbers.bare)
        if self._regexes:
            yield self._by_regex
        if self._listed:
            yield self._by_lookup

    def _by_regex(self, left: str) -> Iterator[Entity]:
        for name, pattern in self._regexes:
            for match in pattern.finditer(left):
                group = 1 if match.re.groups and match[1] else 0
                if name == ORDER_NUMBER and match[group].isdigit():
                    continue  # plain numbers were judged already, by what stands around them
                if match[group]:
                    yield self._meant(name, match[group], match.span(group), "regex")

    def _by_lookup(self, left: str) -> Iterator[Entity]:
        for name, (start, end) in self._listed.find(left):
            yield self._meant(name, left[start:end], (start, end), "lookup")

    def _meant(self, name: str, value: str, span: tuple[int, int], extractor: str) -> Entity:
        shown = self._synonyms.get(key(value), value)
        return Entity(entity=name, value=shown, start=span[0], end=span[1], extractor=extractor)


def _start(entity: Entity) -> int:
    return entity.start


def _as_written(entity: Entity, places: list[int]) -> Entity:
    start = places[entity.start]
    return replace(entity, start=start, end=max(places[entity.end], start + 1))


def _found(name: str, value: str, span: tuple[int, int], confidence: float = 1.0) -> Entity:
    return Entity(
        entity=name, value=value, start=span[0], end=span[1], extractor="rule", confidence=confidence
    )


def _addresses(left: str) -> Iterator[Entity]:
    if "@" in left:
        for match in _MAIL.finditer(left):
            yield _found("email", match[0], match.span())
    if "/" in left or "www." in left:
        for match in _LINK.finditer(left):
            link = match[0].rstrip(".,;!?)")
            yield _found("url", link, (match.start(), match.start() + len(link)))


def _ibans(left: str) -> Iterator[Entity]:
    for match in _IBAN.finditer(left):
        value = re.sub(r"\s", "", match[0]).upper()
        if not 15 <= len(value) <= 34:
            continue
        if _is_checked(value):
            yield _found("iban", value, match.span())
        elif value[:2] in IBAN_COUNTRIES or " " in match[0]:
            yield _found("iban", value, match.span(), MISTYPED)


def _is_checked(iban: str) -> bool:
    """ISO 13616: the number, rearranged and read as digits, leaves 1 when divided by 97."""
    return int("".join(str(int(sign, 36)) for sign in iban[4:] + iban[:4])) % 97 == 1


def _dates(left: str) -> Iterator[Entity]:
    for match in _DATES.finditer(left):
        part = {key.rstrip("2345678"): value for key, value in match.groupdict().items() if value}
        month = _MONTHS.get(part.get("n", "").lower()) or int(part.get("m", 0))
        day = int(part.get("d", 0))
        if month > 12 >= day:  # 12/25 is written the American way
            month, day = day, month
        if 1 <= month <= 12 and 0 <= day <= _DAYS[month - 1] and (day or "y" in part):
            yield _found("date", _iso(part.get("y", ""), month, day), match.span())


def _iso(year: str, month: int, day: int) -> str:
    """2026-05-03; without a year --05-03, without a day 2026-05 (the short forms of ISO 8601)."""
    full = f"20{year}" if len(year) == 2 else year
    return f"{full or '-'}-{month:02d}" + (f"-{day:02d}" if day else "")


def _amounts(left: str) -> Iterator[Entity]:
    for match in _AMOUNTS.finditer(left):
        number = match["n1"] or match["n2"]
        currency = _CURRENCIES[(match["before"] or match["after"]).lower()]
        yield _found("amount", f"{_decimal(number)} {currency}", match.span())


def _decimal(number: str) -> str:
    """1.299,00 and 1,299.00 are 1299.00."""
    whole, cents = re.sub(r"[ '’]", "", number), ""
    if re.search(r"[.,]\d{1,2}$", whole):
        whole, cents = re.split(r"[.,](?=\d{1,2}$)", whole)
    return re.sub(r"[.,]", "", whole) + (f".{cents:0<2}" if cents else "")


def _phones(left: str) -> Iterator[Entity]:
    for match in _CALLED.finditer(left):
        yield _found("phone", _dialled(match[1]), match.span(1))
    for match in _PHONES.finditer(left):
        yield _found("phone", _dialled(match[0]), match.span())


def _dialled(number: str) -> str:
    return ("+" if number.startswith("+") else "") + re.sub(r"\D", "", number.replace("(0)", ""))

"""Finds order numbers, addresses, dates and amounts, and what the training data lists.

Rules, not a model: a number is an order number because of what stands around it, and because it is not something
else. Every finder works on what earlier ones left over, so a date never becomes an order number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from bot.domain.understanding import UNDERSTOOD_CHARACTERS, Context, Entity
from nlu.models import Knowledge

ORDER_NUMBER = "order_number"
TAKEN = "\0"  # in the working copy, where an earlier finder has been

# ── Addresses, dates, amounts ───────────────────────────────────────────────────────────────────

_DIGIT = re.compile(r"\d")
_LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)", re.IGNORECASE)
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
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DATES = re.compile(
    r"(?<![\w.])(?:(?P<y>(?:19|20)\d\d)-(?P<m>[01]?\d)-(?P<d>[0-3]?\d)"
    r"|(?P<d2>[0-3]?\d)\.\s?(?P<m2>[01]?\d)\.(?:\s?(?P<y2>(?:19|20)?\d\d))?"
    r"|(?P<d3>[0-3]?\d)/(?P<m3>[01]?\d)(?:/(?P<y3>(?:19|20)?\d\d))?"
    rf"|(?P<d4>[0-3]?\d)(?:\.|st|nd|rd|th)?\s(?:of\s)?(?P<n4>{_MONTH})\b\.?(?:,?\s(?P<y4>(?:19|20)\d\d))?"
    rf"|(?P<n5>{_MONTH})\.?\s(?P<d5>[0-3]?\d)(?:st|nd|rd|th)?\b(?:,?\s(?P<y5>(?:19|20)\d\d))?"
    rf"|(?P<n6>{_MONTH})\.?\s(?P<y6>(?:19|20)\d\d))(?!\w)",
    re.IGNORECASE,
)
_CURRENCIES = {"€": "EUR", "euro": "EUR", "euros": "EUR", "eur": "EUR", "$": "USD", "dollar": "USD", "dollars": "USD"} | {
    "usd": "USD", "£": "GBP", "pound": "GBP", "pounds": "GBP", "quid": "GBP", "gbp": "GBP", "pfund": "GBP"
} | {"chf": "CHF", "franken": "CHF", "francs": "CHF", "fr.": "CHF"}  # fmt: skip
_MONEY = "|".join(re.escape(word) for word in sorted(_CURRENCIES, key=len, reverse=True))
_NUMBER = r"\d{1,3}(?:[., ]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d{1,2})?"
_AMOUNTS = re.compile(
    rf"(?<![\w.,])(?:(?P<before>{_MONEY})\s?(?P<n1>{_NUMBER})|(?P<n2>{_NUMBER})(?:,-|,--)?\s?(?P<after>{_MONEY}))(?!\w)",
    re.IGNORECASE,
)
_PHONES = re.compile(
    r"(?<![\w#-])(?:(?:\+|00)[1-9]\d{0,2}[\s/.()-]{0,3}(?:\(0\)\s?)?\d(?:[\s/.()-]{0,2}\d){5,12}"
    r"|\(?0\d{2,5}\)?\s?[\s/-]\s?\d(?:[\s/.-]?\d){4,9}|0\d{9,11}|\(\d{3}\)\s?\d{3}[-\s]\d{4}|\d{3}-\d{3}-\d{4})(?!\w)"
)
_CALLED = re.compile(
    r"(?:tel(?:efon)?(?:nummer|nr)?|handy(?:nummer|nr)?|mobil(?:nummer|e)?|phone(?: number)?|cell|(?:ruf|call|ring)\w*\b[^.!?\d]{0,25}"
    r"|erreichbar unter)[\s.:]*(?:ist|is|lautet|unter|on|at)?[\s:]*(\d[\d\s/-]{4,15}\d)",
    re.IGNORECASE,
)

# ── Order numbers ───────────────────────────────────────────────────────────────────────────────

_DIGITS = r"\d{4,10}"
_PREFIXED = re.compile(rf"(?<![\w-])(?:NW\s?[-–_.:]?\s?|#\s?)({_DIGITS})(?![\w€$£%]|[.,]\d)", re.IGNORECASE)
_CUE = (
    r"(?:(?:order|bestell|auftrags|vorgangs|purchase)[\s-]?(?:nummer|number|nr|no|num|id)|bestellung(?:en)?|auftrag|order(?:s|ed)?|best|purchase"
    r"|sendung|lieferung|teillieferung|paket|päckchen|parcel|package|delivery|shipment|stornierung|retoure|rücksendung|return|refund(?: for)?"
    r"|nummer|number|nr|num|no|vorgang|rg|rechnung|invoice|zu)"
)
_NOT_ORDER = (
    r"(?:artikel|article|art|item|produkt|product|kunden|customer|rechnungs|invoice|gutschein|voucher|geschenk|gift|karten?|card|code|pin|tan|sms"
    r"|plz|postleitzahl|postcode|post code|zip|haus|tracking|sendungs|konto|account|model|modell|ean|seriennummer|serial|fehler|error|ending"
    r"|ends in|endet auf|endziffern?|fax|steuer|tax|ust|hausnummer|zimmer|room|page|seite)"
)
_CUED = re.compile(
    rf"\b{_CUE}\b[\s.:#-]*(?:(?:nummer|number|nr|no|num|ist|is|lautet|die|der|the|with|mit|my|von|for|zu|also|nämlich)\b[\s.:#-]*){{0,3}}"
    rf"({_DIGITS}(?!\d)|\d{{2,4}}(?: \d{{2,4}}){{1,3}}(?!\w))(?![€$£%\w]|[.,:/-]\d)",
    re.IGNORECASE,
)
_CONTRARY = re.compile(
    rf"{_NOT_ORDER}\w*[\s.:#-]*(?:nummer|number|nr|no|num|ist|is|lautet|mit|von|ending)?[\s.:#-]*(?:in\s|auf\s|ist\s|is\s)?(?:\d{{2,6}}[\s-])*$",
    re.IGNORECASE,
)
_BARE = re.compile(rf"(?<![\w#+.,/:-])({_DIGITS})(?!\w)(?![.,:/-]\d)")
_UNIT = re.compile(
    r"\s?(?:€|\$|£|%|°|(?:euro?s?|eur|dollars?|usd|pounds?|chf|franken|km|m|cm|mm|kg|g|gramm|ml|l|liter|w|watt|kw|kwh|v|volt|mah|ah|gb|mb|mhz|hz"
    r"|uhr|punkte?n?|points?|stück|pieces|pcs|follower|abonnenten|leute|people|personen|mal|times|tage?n?|days?|stunden|hours|jahre?n?|years?"
    r"|meter|meters|miles|lumen|brutto|netto|schritte|steps|mitarbeiter|employees)\b)",
    re.IGNORECASE,
)
_YEAR = re.compile(r"(?:19[5-9]\d|20[0-4]\d)$")
_CITY = re.compile(r"\s+[A-ZÄÖÜ][\w.-]+")
_STREET = re.compile(
    r"(?:\w*(?:str|straße|strasse|weg|gasse|platz|allee|ring|damm|street|road|avenue|lane|deich|ufer)\.?\s\d+\s?[a-z]?,?\s*"
    r"|\d\s?[a-z]?,\s*|\b(?:D|A|CH)-)$",
    re.IGNORECASE,
)
_POSTCODE = re.compile(r"\b(?:plz|postleitzahl|post ?code|zip)", re.IGNORECASE)
_ADDRESS = re.compile(
    r"\b(?:anschrift|adress|address|wohn|umzug|umgezogen|moved|moving|filiale)", re.IGNORECASE
)
_LONE = re.compile(
    r"\W*(?:(?:nw|order|bestell(?:ung|nummer|nr)|auftrag(?:snummer)?|nummer|number|nr|no|it'?s|it is|its|das ist|die|the|is|ist|meine|my|lautet|hier|here|also"
    r"|ok|okay|ja|yes|sorry|moment|bitte|please|danke|thanks|sie|es|it)\b\W*){0,6}(\d[\d\s./-]{1,16}\d)\W*(?:(?:bitte|please|pls|danke|thanks|thx|sorry)\W*)*",
    re.IGNORECASE,
)

_SURE, _LIKELY, _POSSIBLE = 1.0, 0.95, 0.6


class Entities:
    """The finders of one model: the built-in ones and what its training data lists."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._synonyms = knowledge.synonyms
        self._regexes = [(name, re.compile(pattern, re.IGNORECASE)) for name, pattern in knowledge.regexes]
        self._values = {
            value.lower(): name
            for name, values in knowledge.lookups.items()
            for value in values
            if value.strip()
        }
        self._longest = max((len(value.split()) for value in self._values), default=0)

    def find(self, text: str, context: Context) -> tuple[Entity, ...]:
        """In the order of the text, none inside another; offsets are those of `text`."""
        left = text[:UNDERSTOOD_CHARACTERS].replace(TAKEN, " ")
        found: list[Entity] = []
        for finder in self._finders(left, context):
            for entity in finder(left):
                if TAKEN not in left[entity.start : entity.end]:
                    found.append(entity)
                    left = left[: entity.start] + TAKEN * (entity.end - entity.start) + left[entity.end :]
        return tuple(sorted(found, key=lambda entity: entity.start))

    def _finders(self, text: str, context: Context) -> Iterator[Callable[[str], Iterable[Entity]]]:
        yield _addresses
        if _DIGIT.search(text):
            yield _ibans
            if context.expects == ORDER_NUMBER:
                yield _asked
            yield from (_dates, _amounts, _prefixed, _phones, _cued, _lone, _bare)
        if self._regexes:
            yield self._by_regex
        if self._values:
            yield self._by_lookup

    def _by_regex(self, left: str) -> Iterator[Entity]:
        for name, pattern in self._regexes:
            for match in pattern.finditer(left):
                group = 1 if match.re.groups and match[1] else 0
                value, (start, end) = match[group], match.span(group)
                if name == ORDER_NUMBER and value.isdigit():
                    continue  # plain numbers were judged above, by what stands around them
                if end > start and TAKEN not in value:
                    yield self._entity(name, value, start, end, "regex")

    def _by_lookup(self, left: str) -> Iterator[Entity]:
        words = [(match.start(), match.end()) for match in re.finditer(r"[\w'’&-]+", left)]
        taken = 0
        for first, (start, _) in enumerate(words):
            if start < taken:
                continue
            for _, end in reversed(words[first : first + self._longest]):
                name = self._values.get(left[start:end].lower())
                if name:
                    yield self._entity(name, left[start:end], start, end, "lookup")
                    taken = end
                    break

    def _entity(self, name: str, value: str, start: int, end: int, extractor: str) -> Entity:
        shown = self._synonyms.get(value.lower(), value)
        return Entity(entity=name, value=shown, start=start, end=end, extractor=extractor)


def _found(name: str, value: str, span: tuple[int, int], confidence: float = _SURE) -> Entity:
    return Entity(
        entity=name, value=value, start=span[0], end=span[1], extractor="rule", confidence=confidence
    )


def _addresses(left: str) -> Iterator[Entity]:
    if "@" in left:
        for match in _MAIL.finditer(left):
            yield _found("email", match[0], match.span())
    if "/" in left or "www." in left:
        for match in _LINK.finditer(left):
            yield _found("url", match[0].rstrip(".,;!?)"), match.span())


def _ibans(left: str) -> Iterator[Entity]:
    for match in _IBAN.finditer(left):
        value = re.sub(r"\s", "", match[0]).upper()
        if 15 <= len(value) <= 34 and _checked(value):
            yield _found("iban", value, match.span())


def _checked(iban: str) -> bool:
    """ISO 13616: the number, rearranged and read as digits, leaves 1 when divided by 97."""
    return int("".join(str(int(sign, 36)) for sign in iban[4:] + iban[:4])) % 97 == 1


def _dates(left: str) -> Iterator[Entity]:
    for match in _DATES.finditer(left):
        part = {key.rstrip("23456"): value for key, value in match.groupdict().items() if value}
        month = _MONTHS.get(part.get("n", "").lower()) or int(part.get("m", 0))
        day = int(part.get("d", 0))
        if month > 12 >= day:  # 12/25 is written the American way
            month, day = day, month
        if 1 <= month <= 12 and 0 <= day <= 31 and (day or "y" in part):
            yield _found("date", _iso(part.get("y", ""), month, day), match.span())


def _iso(year: str, month: int, day: int) -> str:
    """2026-05-03; without a year --05-03, without a day 2026-05 (ISO 8601 truncated forms)."""
    full = f"20{year}" if len(year) == 2 else year
    return f"{full or '-'}-{month:02d}" + (f"-{day:02d}" if day else "")


def _amounts(left: str) -> Iterator[Entity]:
    for match in _AMOUNTS.finditer(left):
        number = match["n1"] or match["n2"]
        currency = _CURRENCIES[(match["before"] or match["after"]).lower()]
        yield _found("amount", f"{_decimal(number)} {currency}", match.span())


def _decimal(number: str) -> str:
    """1.299,00 and 1,299.00 are 1299.00."""
    whole, cents = number.replace(" ", ""), ""
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


def _asked(left: str) -> Iterator[Entity]:
    """The bot asked for it: a lone number is the answer, even one that looks like a year."""
    match = _LONE.fullmatch(left) or _PREFIXED.search(left)
    if match is None:
        candidates = list(_BARE.finditer(left))
        match = candidates[0] if len(candidates) == 1 else None
    if match is not None and 4 <= len(_plain(match[1])) <= 10 and not _is_date(match[1]):
        yield _order(match, _SURE)


def _is_date(number: str) -> bool:
    return bool(_DATES.fullmatch(number))


def _prefixed(left: str) -> Iterator[Entity]:
    for match in _PREFIXED.finditer(left):
        before = left[max(0, match.start() - 25) : match.start()]
        if match[0][0] != "#" or not _CONTRARY.search(before):
            yield _order(match, _SURE)


def _cued(left: str) -> Iterator[Entity]:
    for match in _CUED.finditer(left):
        number = _plain(match[1])
        before = left[max(0, match.start() - 25) : match.start(1)]
        if 4 <= len(number) <= 10 and not _CONTRARY.search(before) and not _UNIT.match(left, match.end(1)):
            yield _order(match, _LIKELY)


def _lone(left: str) -> Iterator[Entity]:
    match = _LONE.fullmatch(left)
    if match is not None and 4 <= len(_plain(match[1])) <= 10 and not _YEAR.match(match[1]):
        yield _order(match, _LIKELY)


def _bare(left: str) -> Iterator[Entity]:
    for match in _BARE.finditer(left):
        before = left[max(0, match.start() - 30) : match.start()]
        something_else = (
            _YEAR.match(match[1])
            or _UNIT.match(left, match.end())
            or _CONTRARY.search(before)
            or _is_postcode(left, match, before)
        )
        if not something_else:
            yield _order(match, _POSSIBLE)


def _is_postcode(left: str, match: re.Match[str], before: str) -> bool:
    if len(match[1]) not in {4, 5}:
        return False
    city = _CITY.match(left, match.end())
    return bool(_POSTCODE.search(left) or _STREET.search(before) or (city and _ADDRESS.search(left)))


def _order(match: re.Match[str], confidence: float) -> Entity:
    start = match.start() if match.re is _PREFIXED else match.start(1)
    return _found(ORDER_NUMBER, _plain(match[1]), (start, match.end(1)), confidence)


def _plain(number: str) -> str:
    return re.sub(r"\D", "", number)

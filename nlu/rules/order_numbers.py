"""Which number is an order number: because of what stands around it, and because it is nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.domain.understanding import Entity

ORDER_NUMBER = "order_number"
SURE, LIKELY, POSSIBLE = 1.0, 0.95, 0.6
FEWEST, MOST = 4, 10  # digits
SPACES = " \t\u00a0\u2009\u202f\u3000"  # inside a number; another line is another number
BEFORE, AFTER = 30, 20  # characters that are looked at in front of a number, and behind it


def _any(words: str) -> str:
    """Alternatives, the longer ones first; a "+" stands for a space inside one."""
    return "|".join(word.replace("+", " ") for word in sorted(words.split(), key=len, reverse=True))


_CUES = _any(
    "bestellung bestellungen auftrag order orders ordered purchase sendung lieferung teillieferung paket"
    " päckchen parcel package delivery shipment stornierung retoure rücksendung return refund refund+for"
    " nummer number nr num no vorgang rg rechnung invoice zu best"
)
_COMPOUND_CUES = (
    rf"(?:{_any('order bestell auftrags vorgangs purchase')})[\s-]?(?:{_any('nummer number nr no num id')})"
)
_FILLING = _any("nummer number nr no num ist is lautet die der the with mit my von for zu also nämlich")
_OTHER_NUMBERS = _any(
    "artikel article art item produkt product kunden customer rechnungs invoice gutschein voucher geschenk"
    " gift karte card code pin tan sms plz postleitzahl postcode post+code zip haus tracking sendungs konto"
    " account model modell ean seriennummer serial fehler error ending ends+in endet+auf endziffern fax"
    " steuer tax ust hausnummer zimmer room page seite"
)
_UNITS = _any(
    "euro euros eur dollar dollars usd pound pounds chf franken km m cm mm kg g gramm ml l liter w watt kw"
    " kwh v volt mah ah gb mb mhz hz uhr punkt punkte punkten point points stück pieces pcs follower"
    " abonnenten leute people personen mal times tag tage tagen day days stunden hours jahr jahre jahren"
    " year years meter meters miles lumen brutto netto schritte steps mitarbeiter employees"
)
_STREETS = _any("str straße strasse weg gasse platz allee ring damm street road avenue lane deich ufer")
_LEADS = _any(
    "nw order bestellung bestellnummer bestellnr auftrag auftragsnummer nummer number nr no it's its it+is"
    " das+ist die the is ist meine my lautet hier here also ok okay ja yes sorry moment bitte please danke"
    " thanks sie es it"
)
_THANKS = _any("bitte please pls danke thanks thx sorry")
_DIGITS = rf"\d{{{FEWEST},{MOST}}}"

_PREFIXED = re.compile(rf"(?<![\w-])(?:NW\s?[-–_.:]?\s?|#\s?)({_DIGITS})(?![\w€$£%]|[.,]\d)", re.IGNORECASE)
_CUED = re.compile(
    rf"\b(?:{_COMPOUND_CUES}|{_CUES})\b[\s.:#-]*(?:(?:{_FILLING})\b[\s.:#-]*){{0,3}}"
    rf"({_DIGITS}(?!\d)|\d{{2,4}}(?: \d{{2,4}}){{1,3}}(?!\w))(?![€$£%\w]|[.,:/-]\d)",
    re.IGNORECASE,
)
_CONTRARY = re.compile(
    # An invoice for 4711 is one for order 4711.
    rf"(?:{_OTHER_NUMBERS})\w*[\s.:#-]*(?:(?!(?:for|zu)\b)(?:{_FILLING}|ending)[\s.:#-]*)?(?:(?:in|auf|ist|is)\s)?"
    r"(?:\d{2,6}[\s-])*$"
)
_BARE = re.compile(rf"(?<![\w#+.,/:-])({_DIGITS})(?!\w)(?![.,:/-]\d)")
_UNIT = re.compile(rf"\s?(?:[€$£%°]|(?:{_UNITS})\b)")
_YEARS = r"(?:19[5-9]\d|20[0-4]\d)"
_YEAR = re.compile(rf"{_YEARS}$")
_DAY, _MONTH = r"[0-3]?\d", r"[01]?\d"
_DATED = re.compile(
    rf"{_DAY}\s?-\s?{_DAY}|{_DAY}-{_DAY}-(?:\d\d|{_YEARS})|{_DAY} {_DAY} {_YEARS}"  # 24-12, 10 - 12, 24 12 2026
    rf"|{_MONTH}\s?[ ./-]\s?{_YEARS}|{_YEARS}\s?[./-]\s?(?:{_MONTH}(?:-{_DAY})?|{_YEARS})"  # 03-2026, 2025-2026
)
_CLOCK = re.compile(r"\b(?:um|gegen|at)\s$")  # 1830 is a time then
_GROUPED = re.compile(r"\d+(?:[./]\d{3,})+")  # 104.711 or 2026/4711, but no price, date, time or 4711/2
_COMPUTER = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")  # its address
_DOTTED = re.compile(r"[./]")
_CITY = re.compile(r"\s+[A-ZÄÖÜ][\w.-]+")
_STREET = re.compile(rf"(?:(?:{_STREETS})\.?\s\d+\s?[a-z]?,?\s*|\d\s?[a-z]?,\s*|\b(?:d|a|ch)-)$")
_POSTCODE = re.compile(r"\b(?:plz|postleitzahl|post ?code|zip)")
_ADDRESS = re.compile(r"\b(?:anschrift|adress|address|wohn|umzug|umgezogen|moved|moving|filiale)")
_LONE = re.compile(
    rf"\W*(?:(?:{_LEADS})\b\W*){{0,6}}(\d[\d{SPACES}./-]{{1,16}}\d)\W*(?:(?:{_THANKS})\W*){{0,3}}",
    re.IGNORECASE,
)


def asked(text: str) -> Iterator[Entity]:
    """After the bot asked for it: a lone number is the answer, even one that looks like a year or has dots in it."""
    match = _LONE.fullmatch(text) or _PREFIXED.search(text) or _only_one(text)
    if match and _is_long_enough(match) and _may_be_meant(match[1]):
        yield _order(match, SURE)


def _may_be_meant(number: str) -> bool:
    if _DATED.fullmatch(number) or _COMPUTER.fullmatch(number):
        return False
    return bool(_GROUPED.fullmatch(number)) or not _DOTTED.search(number)


def _only_one(text: str) -> re.Match[str] | None:
    """The one number of a sentence that is no year and no measure."""
    numbers = [
        one for one in _BARE.finditer(text) if not (_YEAR.match(one[1]) or _is_measured(text, one.end()))
    ]
    return numbers[0] if len(numbers) == 1 else None


def prefixed(text: str) -> Iterator[Entity]:
    """NW-4711, nw 4711, #4711."""
    for match in _PREFIXED.finditer(text):
        if not match[0].startswith("#") or not _CONTRARY.search(_before(text, match)):
            yield _order(match, SURE)


def cued(text: str) -> Iterator[Entity]:
    """Bestellung 4711, order no. 104 711."""
    for match in _CUED.finditer(text):
        before = text[max(0, match.start() - BEFORE) : match.start(1)].lower()
        if _is_long_enough(match) and not _CONTRARY.search(before) and not _is_measured(text, match.end(1)):
            yield _order(match, LIKELY)


def lone(text: str) -> Iterator[Entity]:
    """A message that is nothing but a number; what has dots or slashes in it may be a price, a date or a time."""
    match = _LONE.fullmatch(text)
    if match and _is_long_enough(match) and not _is_something_else(match[1]):
        yield _order(match, LIKELY)


def _is_something_else(number: str) -> bool:
    return bool(_DOTTED.search(number) or _YEAR.match(number) or _DATED.fullmatch(number))


def bare(text: str) -> Iterator[Entity]:
    """A number somewhere in a sentence that is no year, amount, postcode or other kind of number."""
    numbers = [match for match in _BARE.finditer(text) if not _YEAR.match(match[1])]
    written = text.lower() if numbers else ""
    postcodes, addresses = bool(_POSTCODE.search(written)), bool(_ADDRESS.search(written))
    for match in numbers:
        before = _before(text, match)
        is_postcode = len(match[1]) in {4, 5} and (
            postcodes or _STREET.search(before) or (addresses and _CITY.match(text, match.end()))
        )
        is_time = len(match[1]) == FEWEST and _CLOCK.search(before)
        if not (is_postcode or is_time or _is_measured(text, match.end()) or _CONTRARY.search(before)):
            yield _order(match, POSSIBLE)


def _is_measured(text: str, end: int) -> bool:
    return bool(_UNIT.match(text[end : end + AFTER].lower()))


def _is_long_enough(match: re.Match[str]) -> bool:
    return FEWEST <= len(_plain(match[1])) <= MOST


def _before(text: str, match: re.Match[str]) -> str:
    """In lower case, which is searched several times as fast as any case is."""
    return text[max(0, match.start() - BEFORE) : match.start()].lower()


def _order(match: re.Match[str], confidence: float) -> Entity:
    start = match.start() if match.re is _PREFIXED else match.start(1)
    return Entity(
        entity=ORDER_NUMBER,
        value=_plain(match[1]),
        start=start,
        end=match.end(1),
        extractor="rule",
        confidence=confidence,
    )


def _plain(number: str) -> str:
    return re.sub(r"\D", "", number)

"""The rule for "I want a person", in German and English.

Whoever asks for a person gets one: that must not depend on a model's mood, so it is written down here. Words
are first turned into a few symbols ("ich möchte mit einem echten Menschen reden" → WANT WITH A REAL PERSON
SPEAK), then a clause is compared with patterns of symbols. What we do not know becomes a dot and keeps
symbols apart, so that speaking *about* people ("ich möchte mich über einen Mitarbeiter beschweren") matches
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from nlu.features import LONGEST_WORD
from nlu.rules.quotes import own_words, straight

_ENDINGS = ("", "e", "en", "em", "er", "es")


def _inflected(stems: str) -> str:
    return " ".join(stem + ending for stem in stems.split() for ending in _ENDINGS)


_SYMBOLS = {
    "PERSON": (
        "mensch menschen menschn mänsch minsch mitarbeiter mitarbeiterin mitarbeiterinnen mitarbeitern"
        " supportmitarbeiter beraterinnen kolleginnen"
        " person berater beraterin kundenberater kundenbetreuer ansprechpartner ansprechpartnerin"
        " sachbearbeiter sachbearbeiterin kollege kollegen kollegin agenten verkäufer human humans people"
        " persons agent agents representative rep reps operator employee employees advisor adviser"
        " colleague colleagues"
    ),
    "BOSS": "vorgesetzte vorgesetzten vorgesetzter chef chefin boss supervisor manager",
    "SOMEONE": (
        "jemand jemanden jemandem irgendjemand irgendjemanden irgendwen irgendwem öpperem oim"
        " someone somebody anyone anybody"
    ),
    "DESK": "kundenservice kundendienst kundensupport kundenbetreuung support fachabteilung",
    "BOT": "bot bots chatbot chatbots roboter robot robots ki ai",
    "MACHINE": "computer maschine maschin machine automat automaten computern maschinen",
    "REAL": _inflected("echt richtig real menschlich lebendig wirklich persönlich kompetent")
    + " real actual live living proper genuine competent richtign lebende lebenden",
    "A": (
        "ein einen einem eine einer nen nem ner ne n an am en eme enem me eim irgendeinen irgendeinem"
        " irgendeine a any some one another 'nen 'nem 'ne 'n"
    ),
    "THE": (
        "der die das den dem the your euer eure euren eurem eurer ihr ihre ihren ihrem ihrer dein deine"
        " deinen deinem this diese diesem diesen"
    ),
    "WANT": (
        "will möchte mecht möcht moechte wui wott well brauch brauche bräuchte benötige wünsche verlange"
        " bitte hätte hätt lass lasst gib gebt geben gebts jib hol holt holen schick schickt schicken want"
        " wanna need get give gimme gie like prefer rather require demand send bring please pls plz instead"
        " statt"
    ),
    "SPEAK": (
        "sprechen reden redn schreiben chatten telefonieren quatschen schwätza schwätzen unterhalten"
        " verbinden verbinde verbindet verbunden weiterverbinden weiterleiten weitergeleitet weitergeben"
        " leiten leite leitet durchstellen durchgestellt stell stellt stellen schtellet übergeben"
        " kontaktieren erreichen erreiche wenden talk speak chat connect connected transfer transferred put"
        " pass hand forward reach switch escalate contact"
    ),
    "SAY": "rede red redt spreche sprich sprech schreib chatte",
    "WITH": "mit mit'm an zu zum zur bei to with over through on onto",
    "NO": (
        "nicht nich net ned nix kein keine keinen keinem keiner nie no not don't dont never ohne without"
        " doesn't won't"
    ),
    "CAN": "kann könnte koennte können kannst soll sollte darf can could may can't cant cannot would chan",
    "ME": "mich mir me us uns mi",
    "YOU": "du you u dich sie",
    "BE": "bist bin ist is are am be bisch sind bes",
    "STOP": "stop stopp skip schluss genug enough weg hate",
    "HELP": (
        "helfen hilft übernehmen annehmen antworten antwortet anschauen kümmern melden schauen help answer"
        " take look check handle assist"
    ),
    "ASSISTANCE": "hilfe unterstützung gespräch termin kontakt beratung assistance",
    "CALL": "ruf ruft rufen rufe anrufen zurückrufen anruft zurückruft call ring phone",
    "CALLBACK": "rückruf callback",
    "UM": "um",
    "OR": "oder or odder od",
    "AVAILABLE": "erreichbar verfügbar available working online",
    "PAST": "promised supposed versprochen wollten wollte sollte said tried",
    "WHEN": "wann when hours öffnungszeiten",
    "WHOM": "wem",
    "WORK": (
        "arbeiten bewerben bewerbung job jobs stelle stellen ausbildung praktikum gesucht sucht suchen"
        " einstellen werden gehalt verdient hiring hire apply career vacancies vacancy salary become"
        " internship loben danken beschweren gefeuert thank fired complain"
    ),
    "POLITE": (
        "hallo hi hey hello moin ok okay danke thanks jetzt now sofort endlich her gewünscht asap"
        " immediately today heute hier here there dringend urgent urgently nötig angenehm"
    ),
    # Said in between, and saying nothing here.
    "": (
        "ich i i'd i'll id ick wir we sich mal nur auch einfach lieber doch gern gerne unbedingt nun dann"
        " direkt kurz noch wieder da ja halt vielleicht just directly straight back be have of it also"
        " und and denn eigentlich really möglichst zurück wants up in haben dazu dafür hierzu hierfür ran first second once fucking damn bloody"
        " verdammt verdammten verdammte"
    ),
}
_SYMBOL = {word: symbol for symbol, words in _SYMBOLS.items() for word in words.split()}

# What is more than one word, put into one that the table knows.
_PHRASES = (
    ("mit arbeiter", "mitarbeiter"),
    (r"human beings?", "human"),
    (
        r"(?:customer )?(?:service|support|care|sales) (?:agent|rep|representative|advisor|employee)s?",
        "agent",
    ),
    (r"(?:staff members?|members? of (?:your |the )?(?:staff|team|service))", "agent"),
    (
        r"(?:from|of|on|in|vom|aus dem|aus eurem) (?:your |the )?(?:staff|team|support|service|company)",
        "real",
    ),
    (r"(?:aus fleisch und blut|mit puls|of flesh and blood|i can|we can|who can)", "real"),
    (r"customer (?:service|support|care)|(?:support|service)[ -](?:team|department|desk)", "support"),
    (r"(?:right|relevant|responsible) department|(?:richtigen?|zuständigen?) abteilung", "support"),
    (r"one of (?:your|the)|eine[rnm]? (?:eurer|ihrer|deiner|der)", "ein"),
    (r"(?:wer|wen|wem|was) (?=echte|richtige)", "jemand "),
    (r"get (?:a )?hold of|get through|get in touch", "reach"),
    (r"(?:prefer|rather|like) (?:speaking|talking|chatting)", "want speak"),
    (r"call back", "callback"),
    (r"wäre? mir (?:\w+ )?lieber|would be (?:so much |much )?(?:better|nice)", "bitte"),
    (r"(?:wen|wem) (?:zum|für zum) (?:reden|sprechen|quatschen|schreiben)", "jemanden sprechen"),
    (r"(?:echte|richtige|lebende|lebendige|wirkliche)n? leuten?", "echte menschen"),
    (
        (
            r"(?:habt|hobts|habts|haben|hamm?|hams|hast|do|have) (?:ihr|sie|s|du|you)(?: guys)?(?: (?:da|hier|auch|have|got|any))*"
            r" (?=(?:echte|richtige|lebende|lebendige|menschliche|real|actual|living|proper)\w{0,2} )"
        ),
        "exists ",
    ),
    (r"a (?:quick |short |little )?(?:word|chat) with", "speak with"),
    (r"komme? (?:ich|man) (?=(?:an|zu|zum|zur) )", "erreiche "),
    (
        (
            r"(?:(?:das|es|dies|alles|mal|lieber|kurz|auch|gern|bitte) ){0,4}"
            r"(?:(?:am|per|übers?|via) telefon|telefonisch) (?:klären|besprechen|regeln|machen|lösen)"
            r"|(?:sort|discuss|settle|clear|do|solve|talk)(?: (?:about|through))?(?: (?:this|it|that|things|everything))?"
            r"(?: (?:out|up|through))? (?:over|on|by|via) (?:the )?(?:phone|telephone)"
        ),
        "speak with someone",
    ),
    (r"(?:automated|automatic|automatische) (?:answers|replies|responses|antworten)", "bot"),
    (r"would like|'d like|id like", "want"),
    (r"gibt es|gibts|gibt's|is there|are there", "exists"),
    (r"bot aus", "stop bot"),
)
_PHRASE = re.compile("|".join(rf"\b({pattern})\b" for pattern, _ in _PHRASES))
_SYMBOL |= {"exists": "EXISTS"}

_ONE = "(?:A )?(?:REAL ){0,4}(?:DESK )?(?:PERSON|BOSS(?! \\.))(?: PERSON)?"
_ANY_ONE = f"(?:(?:THE )?{_ONE}|(?:THE )?DESK|(?:REAL )?SOMEONE)"
_REQUESTS = re.compile(
    "|".join(
        rf"(?:^|(?<= ))(?:{pattern})(?= |$)"
        for pattern in (
            # a wish, and whom for
            rf"(?<!YOU )WANT (?:(?:ME|WITH|POLITE|WANT|CAN|YOU|STOP) ){{0,8}}{_ONE}",
            r"WANT (?:ME )?THE BOSS",
            rf"(?:ASSISTANCE|HELP) (?:\. |WITH ){_ONE}|REAL ASSISTANCE|WANT (?:\. )?REAL SPEAK",
            # to speak, and with whom
            rf"(?<!THE )SPEAK (?:(?:\.|THE|SPEAK) ){{0,2}}(?:(?:ME|WITH|WANT|YOU|POLITE) ){{0,8}}{_ANY_ONE}",
            rf"WITH {_ANY_ONE} (?:\S+ ){{0,3}}(?:SPEAK|SAY)",
            rf"(?:THE )?(?:{_ONE}|SOMEONE) (?:POLITE |WANT |WITH )*SPEAK",
            r"(?:CAN|WANT) (?:(?:POLITE|WANT|CAN) ){0,3}WITH WHOM SPEAK",
            # somebody real, and is there one
            "SOMEONE REAL|REAL SOMEONE|^BE SOMEONE$",
            r"SOMEONE (?:\. ){0,2}BE NO (?:A )?BOT",
            rf"EXISTS (?:POLITE )*(?:NO )?(?:A )?REAL PERSON(?! \.)|{_ONE} (?:POLITE )*AVAILABLE",
            # who is to act
            rf"(?:CAN|WANT) (?:ME )?(?:WANT )?{_ONE} (?:\S+ ){{0,3}}HELP|PERSON CAN HELP",
            r"CALL (?:YOU )?(?:WANT )?ME|CALL (?:A )?(?:SOMEONE|PERSON)",
            r"(?:ME|SOMEONE|PERSON) (?:(?:SOMEONE|WANT|POLITE|A|PERSON) ){0,8}CALL(?: ME)?",
            r"(?:WANT|UM) (?:A )?CALLBACK|CALLBACK (?:WANT|POLITE|UM)",
            # anything but a machine
            r"NO WITH (?:A |THE )*(?:BOT|MACHINE)|NO WANT (?:(?:WITH|SPEAK|A|THE) ){0,8}(?:BOT|MACHINE)",
            r"(?<!BE )(?<!YOU )NO (?:A )?BOT|STOP (?:WITH )?(?:THE )?BOT|WITH YOU SAY NO",
        )
    )
)
_ALONE = re.compile(
    r"(?:NO YOU ?)?(?:(?:POLITE|WANT|A) )*(?:REAL )*(?:(?:PERSON|BOSS|DESK) ?)+(?:(?:POLITE|WANT|CALL) ?)*"
)
_MARKED = re.compile(r"\b(?:A|REAL|WANT|POLITE|NO YOU)\b")
# "kein Mensch hat geantwortet", "I don't want a human"; but "warum kann ich nicht mit wem reden" asks.
_DENIED = re.compile(
    r"(?<!CAN )(?<!EXISTS )(?<!EXISTS POLITE )NO (?:WANT )?(?:(?:SPEAK|WITH|THE|A|REAL) )*"
    r"(?:PERSON|SOMEONE|DESK|BOSS)(?: SPEAK)?"
    r"|(?:NO|PAST) (?:(?:YOU|WITH|ME) )*CALL(?: ME)?"
)
# Opening hours, jobs and praise, and "are you a person or a machine?".
_ELSEWHERE = re.compile(
    r"\bWHEN\b|PERSON OR\b|\bOR (?:A )?(?:REAL )*(?:PERSON|BOT|MACHINE)|^(?!.*\bSPEAK\b).*\bWORK\b"
)

_CLAUSE = re.compile(r"[.,;:!?\n()…]+|\s[-–—]+\s|\b(?:aber|sondern|but|weil|because)\b")
_WORD = re.compile(rf"[\w']{{1,{LONGEST_WORD}}}")

# Slips are put right in words that are long enough to be told from others.
_KEYWORDS = frozenset(
    word for symbol in ("PERSON", "SOMEONE", "DESK") for word in _SYMBOLS[symbol].split() if len(word) >= 5
)
LONGEST = 20
_OTHER_WORDS = frozenset("beraten personen persona argent operate rente oimel menschlich".split())


def _shortened(word: str) -> list[str]:
    return [word[:place] + word[place + 1 :] for place in range(len(word))]


_SLIPS = {form: keyword for keyword in sorted(_KEYWORDS) for form in _shortened(keyword) if len(form) >= 4}


# No request is without one of these symbols, or a word that a phrase turns into one.
_TELLING = frozenset("PERSON BOSS SOMEONE DESK REAL CALL CALLBACK BOT MACHINE SAY".split())
_TELLING_WORDS = frozenset(
    "arbeiter being beings service support care sales staff team department abteilung desk automated automatic"
    " automatische fleisch flesh puls wer wen wem company telefon telefonisch phone telephone".split()
)


@lru_cache(maxsize=4096)
def _tells(word: str) -> bool:
    return _symbol(word) in _TELLING or word in _TELLING_WORDS


_WISH = re.compile(r"\b(?:WANT|SPEAK|SAY|CALL)\b")


def without_declined(text: str) -> str | None:
    """What else a text says that wants no person, given as for `wants_person`; None when it declines nobody."""
    clauses = _CLAUSE.split(own_words(straight(text)))
    left = [_beside(clause) if _declines(_symbols(clause)) else clause for clause in clauses]
    return "\n".join(left) if left != clauses else None


def _declines(clause: str) -> bool:
    return bool(_DENIED.search(clause) and _WISH.search(clause))


def _beside(clause: str) -> str:
    """The words of a clause that no wish is made of."""
    return " ".join(word for word in _WORD.findall(clause) if _symbol(word) == ".")


def wants_person(text: str, words: Iterable[str]) -> bool:
    """Whether a text asks for a person, given as `nlu.features.normalise` and `tokens` leave it."""
    if not any(map(_tells, words)):
        return False
    plain = own_words(straight(text))
    plain = _PHRASE.sub(lambda match: _PHRASES[(match.lastindex or 1) - 1][1], plain)
    clauses = [_symbols(clause) for clause in _CLAUSE.split(plain)]
    return bool(_ALONE.fullmatch(" ".join(filter(None, clauses)))) or any(map(_asks, clauses))


def _asks(clause: str) -> bool:
    clause = _DENIED.sub(".", clause)
    if not clause or _ELSEWHERE.search(clause):
        return False
    if _ALONE.fullmatch(clause) and _MARKED.search(clause):
        return True
    return bool(_REQUESTS.search(clause))


def _symbols(clause: str) -> str:
    found = (_symbol(word) for word in _WORD.findall(clause))
    return " ".join(symbol for symbol in found if symbol)


@lru_cache(maxsize=4096)  # the same words come again and again
def _symbol(word: str) -> str:
    known = _SYMBOL.get(word)
    if known is None:
        known = _SYMBOL.get(_corrected(word), ".")
    return known


def _corrected(word: str) -> str:
    """The keyword that somebody typing `word` meant, if one letter is wrong, missing, extra or swapped."""
    if not 5 <= len(word) <= LONGEST or word in _OTHER_WORDS:
        return word
    if word in _SLIPS:
        return _SLIPS[word]
    return next(
        (_SLIPS.get(form, form) for form in _shortened(word) if form in _SLIPS or form in _KEYWORDS), word
    )

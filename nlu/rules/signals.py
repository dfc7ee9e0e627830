"""The words that say something is urgent, in German and English, with what they weigh.

A pattern is matched at the start of a word, in the text in lower case (the flag for it would make every
alternative three times as slow). Points add up (see `nlu.urgency`); the floor is the least urgent a message
with this signal can be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from msgspec import Struct

from bot.domain.understanding import Level
from nlu.rules.patterns import openings


class Signal(Struct, frozen=True, eq=False):
    """One kind of reason. `deniable`: "nicht dringend" and "nobody was hurt" take it back."""

    name: str
    points: float
    pattern: re.Pattern[str]
    floor: Level = Level.LOW
    deniable: bool = True


_SPELLINGS = str.maketrans({"ä": "(?:ä|ae)", "ö": "(?:ö|oe)", "ü": "(?:ü|ue)", "ß": "(?:ß|ss)"})


def _signal(
    name: str, points: float, patterns: str, floor: Level = Level.LOW, *, deniable: bool = True
) -> Signal:
    alternatives = "|".join(
        line.strip() for line in patterns.translate(_SPELLINGS).splitlines() if line.strip()
    )
    return Signal(name, points, re.compile(rf"(?<!\w)(?:{alternatives})"), floor, deniable)


_DAY = (
    r"(?:heute|morgen|übermorgen|montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag"
    r"|today|tonight|tomorrow|monday|tuesday|wednesday|thursday|friday|saturday|sunday)"
    r"(?: (?:abend|früh|mittag|nachmittag|vormittag|nacht|morning|evening|noon|night))?"
)
_DEVICE = (
    r"(?:toaster|akku|gerät|powerbank|kabel|stecker|heizdecke|decke|föhn|wasserkocher|maschine|kocher|küche"
    r"|haus|wohnung|es|das|teil|ding)"
)
_BODY = r"(?:mich|mir|sich|hand|hände|finger|arm|arme|bein|beine|kind|tochter|sohn|baby|gesicht|zunge)"
_HEIGHT = r"(?:leiter|hocker|hochbett|gurt|klettergurt|seil|hängematte|schaukel|treppe)"
# So that it is no handle that fell off.
_SOMEBODY = "|".join(
    rf"(?<=\b{who} )"
    for who in "i he she we son daughter husband wife mum mom dad mother father child kid boy girl baby".split()
)
_SITE = r"(?:seite|webseite|kasse|site|shop|app|website|server|checkout|page|system)"
_ASKED = r"(?:angerufen|geschrieben|kontaktiert|gemailt|nachgefragt|gemeldet)"
_MESSAGE = r"(?:time|message|e?-?mail|attempt|request|complaint)"
_OFTEN = r"(?:several|multiple|many|three|four|five|\d+) times"
_PAID = r"(?:abgebucht|belastet|abgezogen|berechnet|bezahlt|kassiert|gezahlt|eingezogen|überwiesen|gebucht)"
_CHARGED = r"(?:charged|billed|debited|paid|taken|took|deducted|booked)"
_TWICE = r"(?:doppelt|zweimal|zwei ?mal|2 ?x|2 ?mal|dreimal|mehrfach)"

SIGNALS: tuple[Signal, ...] = (
    _signal(
        "danger",
        8.0,
        rf"""
        feuer (?:gefangen|gefasst)|in flammen|stichflamme|flammen? (?:kam|schlug|aus)|flamme kam
        wohnungsbrand|brandgefahr
        (?:hat|hatte|haben) (?:\w+ ){{0,2}}(?:gebrannt|geraucht|gequalmt|gefunkt)
        (?:an)?gefangen zu brennen|anfing zu brennen
        {_DEVICE} (?:\w+ ){{0,2}}(?:brennt|raucht|qualmt|schmort)(?! durch)
        strom(?:schlag|schläge|schlg)\w*|elektrische[rnm]? schlag|eine? (?:gewischt|gefeuert) (?:ge|be)kommen
        verbrüh\w+|brandwunde\w*|verbrennung\w*|brandblase\w*|{_BODY} (?:\w+ ){{0,4}}verbrannt
        verletzt(?!\s(?:mein\w*|unser\w*|die|das|den)\s(?:recht|privat|daten|vertrag|gesetz|urheber))
        verletzungen|verletzung (?:an|am|durch|im)|schnittwunde\w*
        {_BODY} (?:\w+ ){{0,4}}(?:geschnitten|aufgeschnitten)|musste genäht
        ins krankenhaus|notarzt|notaufnahme|krankenwagen|feuerwehr|musste(?:n)? zum arzt
        (?:(?<=von der )|(?<=vom )|(?<=von dem )|(?<=mit dem )|(?<=mit der )|(?<=aus dem )){_HEIGHT} (?:\w+ ){{0,2}}(?:abgestürzt|(?:herunter|hinunter|runter)?(?:gestürzt|gefallen))
        allergische[rn]? (?:reaktion|schock)|allergisch reagiert|atemnot|erstick(?:t|en)|vergift\w+
        lebensgef\w+|verschluckt
        (?<!preise )(?<!preise sind )(?<!kosten sind )explodiert|explosion\b|blutet|blute\b|geblutet|gasgeruch
        gas (?:tritt aus|ausgetreten)
        rauch (?:kam|aus|und)|funken (?:kam|aus|sprüh|flog|ge)\w*|verschmort|durchgeschmort|kurzschluss
        caught fire|catch(?:es|ing) fire|(?:is|was|were|are) on fire|(?:in|into) flames
        set (?:\w+ ){{0,3}}on fire|flames? (?:came|coming|out|from)
        electric(?:al)? shock|electrocut\w+|got (?:a shock|zapped|shocked by)|gave me a shock
        burn(?:ed|t) (?:my|her|his|our|me|myself|herself|himself)\b|scald\w+|second[- ]degree
        (?<!to )injur(?:ed|y|ies)\b|(?:got|was|were|been|badly) hurt\b
        hurt (?:my|his|her|himself|herself|myself)\b|cut (?:my|his|her) (?:hand|finger|arm|leg|face)
        (?:ended up|went|go|taken|rushed) (?:\w+ )?(?:to|in) (?:the )?hospital|hospitali[sz]ed|ambulance
        emergency room|fire brigade|needed stitches|had to see a doctor
        allergic reaction|anaphyla\w+|(?:trouble|problems) breathing|breathing problems
        struggl(?:es|ed|ing) to breathe|(?:barely|hardly) breathe
        (?:{_SOMEBODY})fell (?:off|from|down|out of|through)\b
        chok(?:ed|ing) on|(?:child|baby|son|daughter|toddler|kid|she|he|dog) (?:\w+ )?swallowed
        poison(?:ed|ing|ous)|bleeding
        exploded|exploding|explosion\b|smoke (?:came|coming|from|pouring|and)
        started (?:smoking|burning|to burn|to smoke)|sparks? (?:came|coming|flew|from|and|out)
        (?:plug|cable|charger|socket|cord|battery|wire)(?:'s| is| has)? (?:\w+ )?melt(?:ed|ing)
        melted the socket|gas leak\w*|leak(?:s|ing) gas|burning smell
        smell(?:s|ed|ing)? (?:of )?(?:burnt|burning|gas)
        """,
        Level.CRITICAL,
    ),
    _signal(
        "danger to life",
        8.0,
        r"""
        bringe? mich um|(?:will|möchte|mag) nicht mehr leben|nehm\w* mir das leben|suizid\w*|selbstmord\w*
        (?:krieg|bekomm)(?:e|t|en)? (?:\w+ ){0,2}(?:keine|kaum|schlecht|schwer) luft
        (?:keine|kaum|schlecht|schwer) luft (?:mehr )?(?:bekomm|krieg)\w*|nicht (?:mehr )?atmen
        (?:will|möchte|wollte|werde) (?:\w+ ){0,2}sterben\b|umbringen (?:will|werde|möchte)|mich umbringen
        bewusstlos\w*|atmet (?:\w+ )?nicht|(?:hat|hatte|mit|einen) (?:einen )?(?:herzinfarkt|schlaganfall)
        kill(?:ing)? (?:my ?self|me\b)|end my life|suicid\w+|(?:don'?t|do not|no longer) want to live
        want(?:ed)? to die\b|(?:can'?t|cannot|couldn'?t) (?:breathe|get (?:any )?air)|not breathing|stopped breathing
        unconscious\b|(?:is|am|was|are) having a (?:heart attack|stroke)|passed out
        """,
        Level.CRITICAL,
        deniable=False,
    ),
    _signal(
        "threat of violence",
        8.0,
        r"""
        bombendrohung|bombe (?:im|in|bei|unter|gelegt|legen|hochgehen)
        bring(?:e|en)? (?:euch|sie|dich|ihn) (?:\w+ ){0,3}um\b|erschie(?:ß|ss)\w*|abstech\w*|abknall\w*
        zünde?n? (?:euch|eure?[nm]?|ihre?[nm]?|den|das) (?:\w+ ){0,2}an\b|(?:euch|eure?[nm]?) (?:\w+ ){0,2}anzünden
        bomb (?:in|at|inside|under|threat|your)|(?<!won't )(?<!wouldn't )kill (?:you|all of you|your)\b
        (?:burn|blow) (?:down|up) (?:your|the|this)|burn your (?:\w+ )?(?:store|shop|house|place|office|warehouse)
        shoot (?:you|up)\b|stab you\b|come (?:over )?(?:there )?and hurt you
        """,
        Level.CRITICAL,
        deniable=False,
    ),
    _signal(
        "security",
        4.0,
        r"""
        gehackt|hacker\w*|(?:konto|account) (?:\w+ ){0,2}(?:übernommen|missbraucht|geknackt)|unbefugt\w*
        datenleck|phishing|identitätsdiebstahl
        (?:kreditkarte|karte|kartendaten|daten|identität) (?:\w+ ){0,2}(?:geklaut|gestohlen|missbraucht)
        in meinem namen (?:\w+ ){0,3}bestellt
        fremde[rn]? (?:bestellung\w*|zugriff|person (?:\w+ ){0,3}konto)
        jemand (?:\w+ ){0,2}(?:mit|über|auf) (?:mein\w*) (?:\w+ ){0,2}(?:bestellt|zugegriffen|eingeloggt)
        hacked|(?:account|card) (?:\w+ ){0,2}(?:compromised|taken over|breached|stolen|cloned)
        unauthori[sz]ed|identity theft|data (?:breach|leak)|fraudulent
        (?:someone|somebody) (?:else )?(?:has |is )?(?:order|us|logg|access)(?:ed|ing)? (?:\w+ ){0,3}my
        (?:someone|somebody) (?:else )?(?:has )?got into my
        orders? (?:that )?i (?:did not|didn'?t|never) (?:place|make|order)
        """,
        Level.HIGH,
    ),
    _signal(
        "money taken twice",
        3.0,
        rf"""
        {_TWICE} (?:\w+ ){{0,3}}{_PAID}|{_PAID} (?:\w+ ){{0,2}}{_TWICE}
        doppelte (?:abbuchung|zahlung|belastung|rechnung)|zwei abbuchungen
        {_CHARGED} (?:\w+ ){{0,6}}(?:twice|double|two times|2x|2 times)
        (?:double|duplicate) (?:charge|payment|billing|debit)s?|two (?:charges|payments|debits)
        twice (?:charged|billed|debited)|double[- ](?:charged|billed)
        """,
        Level.HIGH,
    ),
    _signal(
        "legal",
        3.0,
        r"""
        (?:rechts)?anw(?:a|ä)lt\w*|rechtliche\w* schritt\w*|verklag\w+|klage (?:ein|er)\w+
        (?:straf)?anzeige (?:erstatt\w+|stellen)|zeige? (?:euch|sie) an\b
        verbraucherzentrale|verbraucherschutz|schlichtungsstelle|mahnbescheid|vor gericht|gerichtlich\w*
        frist (?:von|bis|gesetzt|läuft|ist)|setze (?:ihnen|euch) (?:\w+ ){0,3}frist
        datenschutzbeh\w+|aufsichtsbeh\w+|abmahn\w+
        (?:my|our|to a|with a|the) (?:lawyers?|solicitors?|attorneys?)\b|lawyers? will
        legal (?:action|steps|proceedings)|su(?:e|ing) you|(?:take|taking|see) you (?:to|in) court
        small claims
        trading standards|ombudsman|consumer (?:protection|rights|advice)
        final (?:notice|warning|deadline)|letter before action|data protection (?:authority|complaint)
        report(?:ing)? you to
        """,
        Level.HIGH,
    ),
    _signal(
        "deadline",
        2.0,
        rf"""
        bis (?:spätestens )?(?:zum )?(?!heute (?:\w+ ){{0,6}}(?:nicht|nichts|nix|keine?[nmrs]?|niemand|keiner)\b){_DAY}|bis (?:spätestens )?\d{{1,2}} uhr
        spätestens (?:bis |am )?{_DAY}|(?:heute|morgen) noch|noch (?:heute|morgen)\b
        (?:in|innerhalb von|binnen) (?:einer|zwei|drei|\d+) (?:stunden?|h)\b
        (?:hochzeit|geburtstag|beerdigung|abreise|flug|feier) (?:ist )?(?:schon )?(?:am )?{_DAY}
        {_DAY} (?:ist )?(?:die |der |mein\w* |unser\w* )?(?:hochzeit|geburtstag|beerdigung|abreise|flug)
        (?:brauche|benötige|brauchen|benötigen) (?:(?!bis )\w+ ){{0,6}}(?:heute|morgen|übermorgen)
        (?:fliege|verreise|fahre) (?:\w+ )?(?:heute|morgen|übermorgen)
        (?:by|before|until|latest) (?:the end of )?(?:{_DAY}|noon|\d{{1,2}} ?(?:am|pm|o'clock))
        need (?:\w+ ){{0,5}}(?:today|tonight|tomorrow)
        (?:wedding|funeral|birthday|flight|party)(?: is)? (?:on )?{_DAY}
        {_DAY} is (?:the|my|our) (?:\w+ )?(?:wedding|funeral|birthday|flight|party)
        (?:in|within) (?:the next )?(?:an|one|two|three|\d+) hours?\b
        (?:leave|leaving|fly|flying|travel\w*) (?:\w+ )?(?:today|tonight|tomorrow)|deadline
        """,
        deniable=False,
    ),
    _signal(
        "says it is urgent",
        2.0,
        r"""
        (?<!wie )dringend\w*|dringlich\w*|eilt\b|eilig\w*
        sofort\b(?!\s?(?:kauf|überweisung|lieferbar|verfügbar|wieder|zu\b|ab\b|danach|abgestürzt|geschlossen))
        umgehend|unverzüglich|schnellstm\w+|notfall|pressiert|so schnell wie möglich
        urgent(?:ly)?\b|asap\b|a\.s\.a\.p|immediately|emergency\b(?! room)|(?<!order )right (?:now|away)
        straight ?away|as soon as possible|time[- ]sensitive
        """,
    ),
    _signal(
        "says it can wait",
        -3.0,
        r"""
        nicht (?:(?:so|sehr|besonders|wirklich|sonderlich|mal|mehr|gerade) ){0,3}(?:dringend|dringlich|eilig)
        (?:keineswegs|keinesfalls|alles andere als) (?:dringend|dringlich|eilig)
        keine? (?:eile|hektik|stress)|kein notfall|eilt (?:(?:ja|mir|auch|überhaupt|gar|absolut|wirklich|also|echt) ){0,2}nicht
        hat (?:noch |auch |ruhig )?zeit\b
        wenn (?:ihr|sie|du) (?:mal |gerade )?zeit|in aller ruhe|no (?:rush|hurry|urgency|pressure)
        not (?!only )(?:at all |\w+ )?urgent|isn'?t (?:at all |\w+ )?urgent|(?:far from|anything but) urgent
        not an emergency|no emergency|nothing urgent
        whenever you (?:have|get|can)|take your time|in no hurry|when you get a chance
        """,
        deniable=False,
    ),
    _signal(
        "outage",
        2.0,
        rf"""
        (?:geht|funktioniert|läuft) (?:\w+ )?(?:gar )?nichts mehr|nichts (?:geht|funktioniert|läuft) mehr
        totalausfall|komplett (?:down|tot|ausgefallen)
        {_SITE} (?:ist |sind )?(?:\w+ ){{0,2}}(?:down|tot|ausgefallen|offline|nicht erreichbar)
        {_SITE}(?:'s)? (?:is |are |has been )?(?:\w+ ){{0,2}}(?:down|offline|dead)\b
        nothing works|outage
        """,
        deniable=False,
    ),
    _signal(
        "many people affected",
        2.0,
        r"""
        alle (?:kunden|nutzer|kollegen)|niemand kann|keiner kann|produktion steht|betrieb steht
        all (?:our |your |the )?(?:customers|users|staff)|no ?body can|no one can|everyone is affected
        """,
        deniable=False,
    ),
    _signal(
        "repeated contact",
        2.0,
        rf"""
        zum (?:dritten|vierten|fünften|sechsten|x-?ten|hundertsten|wiederholten|\d+\.?) ?mal
        (?:drei|vier|fünf|sechs|zehn|mehr|\d+) ?mal {_ASKED}
        (?:mehrfach|mehrmals|schon oft) {_ASKED}
        (?:dritte|vierte|fünfte|\d\.) (?:mal|nachricht|mail|anfrage|beschwerde)\b
        (?:third|fourth|fifth|sixth|umpteenth|\d+(?:rd|th)) {_MESSAGE}
        (?:called|written|emailed|contacted|asked|messaged) (?:\w+ ){{0,3}}{_OFTEN}
        """,
        deniable=False,
    ),
    _signal(
        "waiting long",
        1.0,
        r"""
        schon wieder|immer noch (?:nicht|kein\w*|nichts)|seit (?:\w+ )?(?:wochen|monaten|\d+ tagen)
        keine (?:antwort|rückmeldung|reaktion)
        (?:niemand|keiner) (?:\w+ ){0,2}(?:antwortet|meldet sich|reagiert)
        yet again|still (?:no|not|nothing|haven'?t|hasn'?t|waiting)\b|no (?:reply|replies|answer|response)
        (?:nobody|no one) (?:\w+ )?(?:answer|repl|respon)\w+|for (?:weeks|months|\d+ weeks)
        ignor(?:ing|ed) (?:me|my)
        """,
        deniable=False,
    ),
    _signal(
        "may leave",
        1.5,
        r"""
        nie wieder|nie mehr|kündig\w*|zur konkurrenz|wechs(?:le|eln) (?:zu|den anbieter)
        (?:letzte|letztes) (?:bestellung|mal) (?:bei|dass)|(?:mich|kunde) (?:\w+ )?(?:los|verloren)
        never (?:again|order\w*|buy\w*|shop\w*|use)|last time i
        cancel my (?:account|membership|subscription)|tak(?:e|ing) my (?:business|money)
        switch(?:ing)? to (?:amazon|another|a competitor)|lost (?:me as )?a customer
        """,
        deniable=False,
    ),
    _signal(
        "money at risk",
        2.0,
        r"""
        (?:im minus|konto überzogen|mahngebühr\w*|inkasso\w*|rücklastschrift\w*|zahlungserinnerung|mahnung)
        geld (?:ist )?weg|miete (?:\w+ )?(?:zahlen|bezahlen)|käuferschutz\w*|rückbuch\w+|zurückbuchen
        overdrawn|overdraft|debt collect\w+|collection agency|bailiffs?|pay (?:my|the) (?:rent|bills)
        money (?:is|has) gone|charge ?back|paypal (?:dispute|claim|case)
        """,
        deniable=False,
    ),
    _signal(
        "vulnerable person",
        1.5,
        r"""
        im krankenhaus|schwanger\w*|rollstuhl\w*|(?:geh|seh|schwer)?behindert\w*|pflegebedürftig\w*
        pflegefall|(?:krebs|herz|demenz|schwer|tod) ?krank\w*|chemo\w*|diabetiker\w*|insulin|medikament\w*
        säugling\w*|neugeboren\w*|mein(?:em)? baby|unser(?:em)? baby|alleinerziehend\w*
        [89]\d ?-?jährig\w*|[89]\d jahre alt
        in (?:the )?hospital|pregnant|wheelchair|disabled|disability|elderly|dementia|cancer\b|chemo\w*
        diabetic|medication|newborn|my baby|our baby|single (?:mum|mom|dad|parent)|[89]\d[- ]years?[- ]old
        """,
    ),
    _signal(
        "insult",
        1.5,
        r"""
        arsch\w*|scheiß\w*|scheiss\w*|idiot\w*|depp\w*|vollidiot\w*|saftladen|drecks?\w*laden|dreckiger
        verarsch\w*|abzock\w*|betrüger\w*|betrug\b|verbrecher\w*|fick\w*|hurens\w*|wichs\w*|verpiss\w*
        fuck\w*|f\*+k\w*|shit\w*|bullshit|bastards?|assholes?|arseholes?|morons?|scam\w*|thieves|crooks
        wankers?|dickheads?|piss(?:ed)? off
        """,
        deniable=False,
    ),
    _signal(
        "anger",
        1.0,
        r"""
        unverschämt\w*|frechheit|lächerlich\w*|inakzeptabel|unfassbar\w*|zumutung|katastroph\w*|sauerei
        stinksauer|reicht'?s? (?:mir )?jetzt|eine schande|unmöglich\w* (?:service|laden|verein)
        ridiculous|unacceptable|disgrace\w*|disgust\w+|pathetic|outrageous|appalling|furious|fed up
        joke of a|useless
        """,
        deniable=False,
    ),
    _signal(
        "threatens to go public",
        1.5,
        r"""
        an die (?:presse|medien|öffentlichkeit|zeitung)|öffentlich machen
        (?:schlechte|negative|miese|1[- ]sterne?|ein[- ]sterne?)[- ](?:bewertung|rezension)
        (?:trustpilot|google)[- ]?bewertung|shitstorm|poste (?:das|es) (?:überall|öffentlich)
        (?:go|going) (?:public|to the (?:press|media|papers))
        (?:bad|negative|1[- ]star|one[- ]star) review|tell everyone|go viral
        all over (?:social media|twitter|facebook|instagram)
        """,
        deniable=False,
    ),
)


# ── Which signals a text can have at all ────────────────────────────────────────────────────────

OPENING = 5  # characters that are looked up before a pattern is tried; with more, few texts begin alike
_WORD = re.compile(r"\w+")


def candidates(lower: str) -> list[tuple[Signal, list[int]]]:
    """The signals that some word of the text may be the start of, with where these words stand."""
    places: dict[int, list[int]] = {}
    for word in _WORD.finditer(lower):
        start = word.start()
        for number in _begun(lower[start : start + OPENING]):
            places.setdefault(number, []).append(start)
    return [(SIGNALS[number], places[number]) for number in sorted(places)]


def matches(signal: Signal, places: Iterable[int], lower: str) -> Iterator[re.Match[str]]:
    """As `finditer` of the pattern, at these places only."""
    end = 0
    for place in places:
        if place >= end and (match := signal.pattern.match(lower, place)):
            yield match
            end = match.end()


@lru_cache(maxsize=8192)  # the same words come again and again
def _begun(opening: str) -> set[int]:
    """The numbers of the signals that may start like this."""
    return set().union(*(_STARTS.get(opening[:length], ()) for length in range(1, len(opening) + 1)))


_STARTS: dict[str, list[int]] = {}
for _number, _one in enumerate(SIGNALS):
    for _start in openings(_one.pattern.pattern, OPENING):
        _STARTS.setdefault(_start, []).append(_number)

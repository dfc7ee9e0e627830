"""German, English or neither, for the short texts people write in chats.

Small words tell more than long ones and are always there, so a list of them, a few endings and the
conversation's language as a hint do better on "wo bleibt mein paket" than a model of long texts would.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from functools import lru_cache

HINT = 0.6  # what the conversation's language weighs; one small word is worth 1
ENOUGH = 0.45  # less is a guess, and a guess is worse than nothing

_GERMAN = (
    "der die das den dem des ein eine einen einem einer eines und oder aber nicht kein keine keinen ist"
    " sind bin bist war waren wird werden wurde wurden hat habe haben hab hatte hast habt ich du er es wir"
    " ihr sie mich mir dich dir sich uns euch ihnen ihn ihm mein meine meinen meinem meiner dein deine sein"
    " seine unser unsere euer eure eurem euren kann kannst können könnt konnte könnte will willst wollte"
    " möchte moechte muss müssen musste soll sollte darf dürfen für fuer mit ohne von vom zu zum zur bei"
    " beim aus nach über ueber unter auf auch noch nur schon mal doch wenn dann dass daß weil ob wie wo"
    " wann warum wieso weshalb wer wen wem welche welcher welches welchen hier dort da heute gestern morgen"
    " jetzt immer wieder mehr sehr gut gerne gern bitte danke hallo moin ja nein nee nö jo klar okee"
    " tschüss tschau servus grüezi guten tag abend morgen geht gibt gibts kommt kam bekommen brauche brauch"
    " bestellung bestellt bestellen bestelle paket päckchen lieferung geliefert sendung rechnung rückgabe"
    " retoure gutschein größe konto geld zahlung bezahlen bezahlt passwort anmelden umtausch umtauschen"
    " zurück zurückgeben stornieren storno adresse kaputt falsch falsche falschen fehlt fehlen angekommen"
    " erhalten angerufen öffnungszeiten geschäft filiale laden wünsche mitarbeiter mensch menschen sprechen"
    " reden telefonnummer hilfe frage abbestellen kündigen löschen garantie ware artikel verfügbar"
    " lieferbar schicken verschickt versand kosten kostet euren eurer ihre ihren ihrem ihrer i ned net isch"
    " nix nen nem is viel zeit leute bis seit vor ab am im ans ins um euro stück uhr tage tagen wochen"
    " stunden unverschämt schlecht super toll sauer drecksladen wetter witz bekomme erstattung erstattet"
    " abgebucht doppelt lastschrift kreditkarte wars jemand niemand nichts etwas was wer jetz ick ik dat"
    " wat nich isses haste habts häts het mi mer ma kriag kriege krieg woher wohin bewerbung ausbildung"
    " stelle praktikum presse journalistin händler gewerbe datenschutz daten vielen dank liebe grüße mfg"
    " herzlichen brauchs nimmer nimma raus guad mei meim moinsen jawollja ne bittschön unterwegs tach klaro jupp"
)
_ENGLISH = (
    "the a an and or but not no is are am was were will would be been being has have had having do does"
    " did i you your yours he she it its we they them their our ours us me my mine his her this that these"
    " those there can cannot could should must may might shall want wanna need like for with without from"
    " of off on at to too by about into over under after before also still only just already yet again if"
    " then because what where when why who whom which how here today yesterday tomorrow now always more"
    " very good please pls plz thanks thank thx hello hi hey yes yeah yep nope goodbye bye morning evening"
    " goes get got getting give given come came arrive arrived order orders ordered ordering parcel package"
    " delivery delivered deliver shipment shipping ship shipped invoice receipt return returns returned"
    " refund refunded voucher size account money payment pay paid password login log exchange cancel"
    " address broken damaged wrong missing received opening hours store open close closed talk speak human"
    " person agent someone somebody anyone help question unsubscribe delete warranty item items available"
    " stock send sent cost costs much many long time people until since ago day days week weeks hours awful"
    " bad great nice angry weather joke charged twice double card tell know see find work works working"
    " isnt dont cant wont im ive id u ur r any some all one two three new old first last next phone call"
    " number customer service job jobs apply press journalist wholesale data privacy love lovely cheers"
    " heya toodles gonna gotta shop website page app track tracking buy bought purchase gift discount coupon change swap"
    " rude useless real robot"
)
_OTHER = (
    # Small words of the neighbours: French, Spanish, Italian, Portuguese, Dutch, Polish, Turkish, Nordic…
    "je suis est le les un une du et où ma mon mes votre vous nous pas pour dans avec merci bonjour"
    " commande colis livraison quand c'est j'ai dov'è il lo gli che non sono è mio mia ordine pacco grazie"
    " ciao quando per buongiorno sera spedizione el los las una y está dónde donde mi pedido paquete"
    " gracias hola cuando cuándo qué quiero por favor tengo envío o os não meu minha onde pedido encomenda"
    " obrigado olá quero foi bom dia het een niet mijn waar bestelling pakket dank wanneer ik jullie graag"
    " hoe heb kan jij mij wil nog zijn bedankt goedemorgen levering gdzie jest moja moje moj zamówienie"
    " paczka dziękuję kiedy nie dzień dobry proszę czy mam się na z nerede siparişim kargom ne zaman"
    " teşekkürler merhaba lütfen benim bir ve için değil nasıl istiyorum var är mitt min jag inte hej tack"
    " paket när och det ett hvor mit ikke jeg tak pakke hvornår unde este comanda mea când mulțumesc kde je"
    " moje objednávka balík děkuji dobrý den"
)
_SHARED = frozenset(
    (
        "an am in so da war die man will bald also arm hat was us es no a i is mi het ik kan o on not min"
        " mit je ma me du un y z na var det ne"
    ).split()
)

_WORDS: dict[str, tuple[float, float, float]] = {}
for _place, _list in enumerate((_GERMAN, _ENGLISH, _OTHER)):
    for _word in _list.split():
        _weights = [*_WORDS.get(_word, (0.0, 0.0, 0.0))]
        _weights[_place] = 0.5 if _word in _SHARED else 1.0
        _WORDS[_word] = (_weights[0], _weights[1], _weights[2])

# The look of words that are in no list: letters, endings, and stems that German puts together as it likes.
_SHAPES = (
    re.compile(
        r"[äöüß]|sch(?!ed)|(?:ung|ungen|keit|heit|lich\w{0,2}|isch\w{0,2}|chen|iert|ieren|tz|ge\w{3,}t)$"
        r"|^(?:ver|zu|be|an|auf|aus|ein|ge)\w{5,}(?:en|t)$|liefer|versand|sendung|bestell|rechnung|karte"
        r"|guthaben|gewähr|reparatur|garantie|konto|zahl|termin|tausch|rück|kunden|preis|kauf|schein|beleg"
        r"|schaden|wort|mappe|frag|menge|defekt|stell|zeit|anzeige"
    ),
    re.compile(
        r"(?:ing|ed|ly|tion|ness|ful|ght|wh\w+|ous|able|ck|oo\w|ty|ance|ence|ible|est)$"
        r"|^(?:th|wh|sh|kn|un)\w{2,}|ea|ou(?!r$)|y$|ship|refund|track|deliver|gift"
        r"|reset|request|company|sales?$|crew|sign"
    ),
    re.compile(r"[àâçèêëîïñòóôõùúûœæøåąćęłńśźżğışčďěňřšťůžțăâ]|ij|(?:ção|ções|ción|zione|que|ujące|eaux?)$"),
)
_SHAPE = 0.5  # what a look weighs
_FOREIGN = re.compile(r"[\u0370-\u1cff\u2c00-\ud7ff]")  # Greek, Cyrillic, Arabic, Hebrew, Indic, East Asian…
_LETTERS = re.compile(r"[^\W\d_]")


def language(words: Iterable[str], hint: str = "") -> str:
    """One of "de", "en" and "" for `nlu.features.tokens` of a text; `hint` is the conversation's language."""
    german = english = other = 0.0
    for word in words:
        weights = _speaks_for(word)
        german, english, other = german + weights[0], english + weights[1], other + weights[2]
    german += HINT * (hint == "de")
    english += HINT * (hint == "en")
    best = max(german, english)
    if best < ENOUGH or other > best or german == english:
        return ""
    return "de" if german > english else "en"


@lru_cache(maxsize=4096)  # the same words come again and again
def _speaks_for(word: str) -> tuple[float, float, float]:
    """What a word says for German, for English and for any other language."""
    if not _LETTERS.match(word):
        return 0.0, 0.0, 0.0
    if _FOREIGN.match(word):
        return 0.0, 0.0, math.inf
    return _WORDS.get(word) or _by_shape(word)


def _by_shape(word: str) -> tuple[float, float, float]:
    german, english, other = (_SHAPE if shape.search(word) else 0.0 for shape in _SHAPES)
    return german, english, 2 * other

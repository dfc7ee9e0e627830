"""What the rest of the server says to agents in English, said in German; what has no place here stays as it is.

A part in braces is what the sentence is about; `state`, `message_state`, `level` and `channel` are said in words.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_CASE = r"Case #(?P<number>\d+)"
_STATE = r"(?P<state>[a-z]+)"

# ── Why a file did not come along ──
_FILES = (
    (
        r"Slack does not let the app read files; an operator has to add the scope files:read\.",
        "Slack lässt die App keine Dateien lesen; der Betrieb muss das Recht files:read ergänzen.",
    ),
    (
        r"Only (?P<number>\d+) files of a message are taken along\.",
        "Mehr als {number} Dateien einer Nachricht gehen nicht mit.",
    ),
    (r"The file was deleted\.", "Die Datei wurde gelöscht."),
    (r"The file is empty\.", "Die Datei ist leer."),
    (r"(?:It|The file) is larger than (?P<size>\d+) MB\.", "Sie ist größer als {size} MB."),
    (r"The file is not there any more\.", "Die Datei gibt es nicht mehr."),
    (
        r"The file is not kept at Slack.+",
        "Die Datei liegt nicht bei Slack, sondern woanders; bitte selbst anhängen.",
    ),
    (
        r"The file is older than this workspace's plan keeps\.",
        "Die Datei ist älter, als der Tarif dieses Workspace aufhebt.",
    ),
    (
        r"It is a (?:post|canvas) of Slack's, not a file; copy its text\.",
        "Das ist ein Dokument von Slack, keine Datei; bitte den Text kopieren.",
    ),
    (r"It is a list of Slack's, not a file\.", "Das ist eine Liste von Slack, keine Datei."),
    (
        r"(?:Slack did not hand the file over.*|What came is not the whole file\.)",
        "Slack gibt die Datei gerade nicht her; bitte noch einmal anhängen.",
    ),
)

# ── Notes, for everybody under the card ──
_NOTES = (
    (r"#(?P<number>\d+) still waits for somebody\.", "#{number} wartet noch auf jemanden."),
    (
        r"Nobody took #(?P<number>\d+) over; it is (?P<department>.+)'s now\.",
        "Niemand hat #{number} übernommen; der Fall liegt jetzt bei {department}.",
    ),
    (
        r"Nobody took #(?P<number>\d+) over since its owner did not reply\.",
        "Niemand hat #{number} übernommen, seit die Antwort ausblieb.",
    ),
    (
        r"The promised time has passed without a reply; the customer was told\.",
        "Die zugesagte Zeit ist ohne Antwort vergangen; der Kunde weiß Bescheid.",
    ),
    (
        r"(?P<name>.+), the customer is still waiting for a reply; the case goes back soon\.",
        "{name}, der Kunde wartet noch auf eine Antwort; sonst geht der Fall bald zurück.",
    ),
    (
        r"(?P<name>.+) did not reply in time; the case waits for somebody again\.",
        "{name} hat nicht rechtzeitig geantwortet; der Fall wartet wieder auf jemanden.",
    ),
    (
        r"(?P<name>.+) assigned #(?P<number>\d+) to (?P<to>.+)\.",
        "{name} hat #{number} an {to} gegeben.",
    ),
    (
        r"Its owner has left; the case waits for somebody again\.",
        "Wer den Fall hatte, ist nicht mehr da; er wartet wieder auf jemanden.",
    ),
    (
        r"(?P<name>.+) has left; the case waits for somebody again\.",
        "{name} ist nicht mehr da; der Fall wartet wieder auf jemanden.",
    ),
    (
        r"This channel cannot change what was sent\. The customer still reads: (?P<words>.*)",
        "Dieser Kanal kann Gesendetes nicht ändern. Beim Kunden steht weiter: {words}",
    ),
    (
        r"(?P<desk>\w+) does not show all of #(?P<number>\d+): (?P<text>.+) All of it is at /console\.",
        "{desk} zeigt nicht alles von #{number}: {text} Alles steht unter /console.",
    ),
    (r"#(?P<number>\d+) is awake again\.", "#{number} ist wieder da."),
    (
        r"It waited too long to be sent without a look\.",
        "Die Nachricht lag zu lange, um sie ungesehen zu senden.",
    ),
    (r"(?P<text>.+) It goes out by itself at (?P<at>.+)\.", "{text} Sie geht um {at} von selbst hinaus."),
)

# ── Why something stayed internal or was refused, for whoever tried it ──
_REFUSALS = (
    (
        rf"{_CASE} is {_STATE}: this stayed internal\. The customer can open it again\.",
        "Fall #{number} ist „{state}“: Das blieb intern. Der Kunde kann ihn wieder öffnen.",
    ),
    (r"This stayed internal\. (?P<text>.+)", "Das blieb intern. {text}"),
    (
        r"This stayed internal: it was written before you claimed the case, or changed before we heard of it\.",
        "Das blieb intern: Es stand da, bevor der Fall übernommen war, oder wurde geändert, bevor es hier ankam.",
    ),
    (
        r"This stays a note: an edit never sends\. Write it anew for the customer\.",
        "Das bleibt eine Notiz: Ändern sendet nie. Für den Kunden bitte neu schreiben.",
    ),
    (
        r"Claim case #(?P<number>\d+) first: only its owner speaks to the customer\.",
        "Erst Fall #{number} übernehmen: Mit dem Kunden spricht nur, wer ihn hat.",
    ),
    (
        r"(?P<name>.+) has case #(?P<number>\d+): add your text as a note, or claim the case after a release\.",
        "{name} hat Fall #{number}: als Notiz geht es trotzdem, oder übernehmen, sobald der Fall freigegeben ist.",
    ),
    (r"(?P<name>.+) has case #(?P<number>\d+) already\.", "{name} hat Fall #{number} schon."),
    (
        r"The reply window of (?P<channel>\w+) is closed: this would not be delivered\. (?P<text>.+)",
        "Das Antwortfenster von {channel} ist zu: Das käme nicht an. {text}",
    ),
    (r"They have to write first\.", "Der Kunde muss zuerst schreiben."),
    (rf"{_CASE} is {_STATE} already\.", "Fall #{number} ist schon „{state}“."),
    (
        rf"{_CASE} is {_STATE}; wait for the customer to write again\.",
        "Fall #{number} ist „{state}“; er geht weiter, wenn der Kunde wieder schreibt.",
    ),
    (
        rf"{_CASE} is {_STATE} and cannot be assigned\.",
        "Fall #{number} ist „{state}“ und lässt sich nicht zuweisen.",
    ),
    (
        rf"{_CASE} is {_STATE}; only a claimed case can be released\.",
        "Fall #{number} ist „{state}“; freigeben lässt sich nur ein übernommener.",
    ),
    (
        rf"{_CASE} is {_STATE}; claim it before you snooze it\.",
        "Fall #{number} ist „{state}“; zurückstellen lässt sich nur ein übernommener.",
    ),
    (
        rf"{_CASE} is {_STATE} and cannot be moved\.",
        "Fall #{number} ist „{state}“ und lässt sich nicht verschieben.",
    ),
    (rf"{_CASE} is in .+ already\.", "Fall #{number} ist schon dort."),
    (
        rf"{_CASE} is {_STATE}; only a person's case can go back to the bot\.",
        "Fall #{number} ist „{state}“; an den Bot geht nur zurück, was ein Mensch hat.",
    ),
    (
        r"The time to snooze until has passed; choose a later one\.",
        "Diese Zeit ist vorbei; bitte eine spätere wählen.",
    ),
    (
        r"A case sleeps for a century at most; choose an earlier time\.",
        "Länger als ein Jahrhundert geht nicht; bitte eine frühere Zeit wählen.",
    ),
    (r"The (?:reply|note) is empty; write something first\.", "Der Text fehlt noch."),
    (
        r"The new text is empty; delete the message instead\.",
        "Der neue Text ist leer; stattdessen lässt sich die Nachricht löschen.",
    ),
    (
        r"The customer may have it already, so it cannot become a note; delete it instead\.",
        "Der Kunde hat es vielleicht schon, eine Notiz wird daraus nicht mehr; löschen geht.",
    ),
    (r"This was sent or taken back already\.", "Das ist schon gesendet oder zurückgenommen."),
    (
        r"The message is (?P<message_state>\w+); (?:there is nothing .+|look again in a moment)\.",
        "Die Nachricht ist schon weiter: {message_state}.",
    ),
    (
        r"Only a message in doubt can be confirmed by hand\.",
        "Bestätigen lässt sich nur, was vielleicht angekommen ist.",
    ),
    (
        r"It may have arrived; say first whether it did \(Send again, It arrived\)\.",
        "Vielleicht ist es angekommen; erst sagen, ob es das ist (Noch einmal senden, Ist angekommen).",
    ),
    (
        r"It was taken back or made a note meanwhile; write it anew for the customer\.",
        "Das wurde inzwischen zurückgenommen oder zur Notiz gemacht; bitte neu schreiben.",
    ),
    (r"Only your own words can be changed\.", "Ändern lassen sich nur die eigenen Worte."),
    (
        r"There is nothing of it at the customer's that could be changed\.",
        "Beim Kunden ist davon nichts, was sich ändern ließe.",
    ),
    (
        r"This channel cannot change what was sent; write another message\.",
        "Dieser Kanal kann Gesendetes nicht ändern; bitte eine neue Nachricht schreiben.",
    ),
    (
        r"The case changed while you acted on it; look at it again\.",
        "Der Fall hat sich inzwischen geändert; bitte noch einmal ansehen.",
    ),
)

SPOKEN = frozenset({"state", "message_state", "channel"})  # parts that `words` has a word for
GERMAN: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), said) for pattern, said in (*_FILES, *_NOTES, *_REFUSALS)
)
# Both languages: the level and the reasons are the engine's words.
CALLS = re.compile(r"#(?P<number>\d+) is (?P<level>[a-z]+): (?P<reasons>.+)\.", re.DOTALL)


def in_german(text: str, word: Callable[[str, str], str], *, inside: bool = False) -> str:
    """`word` says a named part in German, where it is one of a vocabulary. A sentence may hold another one, and
    that is as deep as it goes.
    """

    def part(name: str, said: str) -> str:
        if name == "text":
            return said if inside else in_german(said, word, inside=True)
        return word(name, said)

    for pattern, said in GERMAN:
        if match := pattern.fullmatch(text):
            return said.format(**{name: part(name, found) for name, found in match.groupdict().items()})
    return text

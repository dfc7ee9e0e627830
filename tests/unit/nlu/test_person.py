"""Whoever asks for a person gets one; whoever only speaks of people does not."""

import time

import pytest

from nlu.features import normalise, tokens
from nlu.rules.person import wants_person, without_declined

ASKS = (
    "give me a fucking human",
    "kann ich mit einer eurer Mitarbeiterinnen sprechen",
    "ist da jemand?",
    "ich will den Chef sprechen",
    "ich will mit einem Menschen sprechen",
    "Kann ich bitte mit einem Mitarbeiter reden?",
    "Mitarbeiter!",
    "MENSCH BITTE",
    "Verbinden Sie mich mit dem Kundenservice",
    "verbinde mich mit einem echten menschen",
    "ich brauche einen Berater",
    "Gibt es hier auch jemand Richtiges?",
    "Kann mich bitte mal jemand anrufen?",
    "bitte um Rückruf",
    "ich will keinen bot",
    "Bitte kein Bot mehr, das bringt nichts",
    "nicht mit nem bot, mit einem menschen",
    "Warum kann ich nicht mit einem Menschen sprechen?",
    "Gibt es hier keinen echten Mitarbeiter?",
    "Hol mir deinen Chef",
    "Ich möchte den Vorgesetzten sprechen",
    "leiten Sie mich an einen Kollegen weiter",
    "echte Person",
    "Wo ist mein Paket? Ach egal, gib mir einen Menschen.",
    "mit'm Mitarbeiter reden",
    "I want to talk to a human",
    "agent",
    "representative please",
    "Operator!!",
    "Let me speak to a real person",
    "can I talk to someone",
    "get me a human",
    "stop the bot",
    "no bots please",
    "connect me with customer service",
    "I don't want to chat with a machine",
    "please have somebody from your team contact me",
    "Not you, a human!",
    "call me back please",
    "transfer me to an agent",
    "Is there anyone I can talk to?",
    "why can't I talk to a human?",
    "I'd rather speak to a person",
    "Ich möchte mit einem Mitarbeiter verbunden werden",
    "I want to speak to a manager to complain",
    "M e n s c h",
    "H U M A N",
    "Ｍｅｎｓｃｈ　ｂｉｔｔｅ",
    "ｒｅａｌ　ｐｅｒｓｏｎ",
    "kann ich da mal mit wem reden",
    "habt ihr da auch echte Leute?",
    "do you have real people there",
    "ich brauch wen zum Reden",
    "ein Mensch wäre mir lieber",
    "a real person would be better",
    "please put me through to the right department",
    "could I have a quick word with someone",
    "Wie komme ich an einen Kollegen ran?",
    "Dazu hätte ich lieber einen Ansprechpartner",
    "können wir das kurz telefonisch besprechen?",
    "can we discuss this over the phone",
)

MISSPELLED = (
    "ich will mit einem menchen sprechen",
    "mitarbieter bitte",
    "mit arbeiter sprechen",
    "kann ich mit nem mitarbeitr reden",
    "ich brauch nen anspechpartner",
    "humna please",
    "talk to a represenative",
    "I want a real persn",
    "speak to somone",
)

DOES_NOT_ASK = (
    "",
    "Wo ist mein Paket 4711?",
    "Kann ich bei euch als Mitarbeiter anfangen?",
    "Sucht ihr Mitarbeiter?",
    "Ich möchte Mitarbeiter bei euch werden",
    "kein Mensch hat geantwortet",
    "Es hat sich noch kein Mitarbeiter gemeldet",
    "Ich will nicht mit einem Menschen sprechen",
    "Ich brauche keinen Mitarbeiter, nur die Rechnung",
    "Bist du ein Mensch?",
    "Spreche ich mit einem echten Menschen?",
    "Ist das ein Bot oder ein Mensch?",
    "Ich möchte mich über einen Mitarbeiter beschweren",
    "Der Mitarbeiter am Telefon war sehr unfreundlich",
    "Ein Mitarbeiter hat mir gesagt, dass das Paket heute kommt",
    "Auf der Seite steht „Mit einem Mitarbeiter sprechen“, was bedeutet das",
    "Mensch, wo bleibt denn mein Paket",
    "Kann mir jemand sagen, wo mein Paket ist?",
    "Gibt es einen Rückruf für die Heizdecke?",
    "Könnt ihr mich beraten, welche Größe passt?",
    "Habt ihr auch Zelte für vier Personen?",
    "ich brauche ein Zelt für eine Person",
    "beweis mir dass du kein roboter bist",
    "Kann eine zweite Person das Paket annehmen?",
    "I don't want a human, just tell me the price",
    "no human answered me for days",
    "Nobody answered my mails, not one agent",
    "I spoke to an agent yesterday and he promised a refund",
    "Are you a human?",
    "am I talking to a robot?",
    "Can I work as an agent for you?",
    "I want to thank the agent who helped me",
    "Is this tent for one person or two?",
    "The delivery person left it outside",
    "someone stole my parcel",
    "I need someone to sign for it, my neighbour can do that",
    "Please don't call me, write instead",
    "You promised to call me back on Monday",
    "When can I reach your customer service by phone?",
    'The button says "talk to an agent" and nothing happens',
    "> I want to talk to a human\nwhere is my parcel",
    "my wife wrote 'I want to talk to a human', what is that about",
    "‚ich will einen Menschen sprechen‘ stand da",
    "Do you sell robots?",
    "do you support PayPal",
    "thanks for your support",
    "Ich möchte ein Boss Hemd",
    "Is anyone affected by the delay?",
    "Mit wem spreche ich?",
    "Habt ihr auch richtige Wanderschuhe für zwei Leute?",
    "do you have real leather shoes for big people",
    "Leute, wo bleibt mein Paket",
    "in which department do you sell tents",
    "Die andere Farbe wäre mir lieber",
    "Das haben wir doch schon am Telefon geklärt",
    "your colleague sorted it over the phone",
    "Ist das Telefon noch lieferbar?",
    "Wie komme ich an meine Rechnung?",
)


def asks(text: str) -> bool:
    plain = normalise(text)
    return wants_person(plain, tokens(plain))


@pytest.mark.parametrize("text", ASKS)
def test_asking_for_a_person_is_heard(text: str) -> None:
    assert asks(text)


@pytest.mark.parametrize("text", MISSPELLED)
def test_a_slip_of_the_finger_does_not_keep_anybody_from_a_person(text: str) -> None:
    assert asks(text)


@pytest.mark.parametrize("text", DOES_NOT_ASK)
def test_speaking_of_people_is_not_asking_for_one(text: str) -> None:
    assert not asks(text)


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("Ich will NICHT mit einem Menschen sprechen", ""),
        ("ich brauch keinen Mitarbeiter, wo ist mein Paket", "wo ist mein paket"),
        (
            "ich will nicht mit einem menschen sprechen sag mir wo mein paket steckt",
            "sag wo mein paket steckt",
        ),
        ("Please don't call me. Where is my refund?", "where is my refund"),
        ("I don't want to talk to an agent, just cancel it", "just cancel it"),
    ],
)
def test_who_wants_no_person_is_heard_for_what_else_they_say(text: str, rest: str) -> None:
    left = without_declined(normalise(text))
    assert left is not None
    assert " ".join(tokens(left.replace("?", ""))) == rest


@pytest.mark.parametrize(
    "text", ["Gib mir einen Menschen", "kein Mensch antwortet", "no agent helped me", "nein"]
)
def test_who_has_seen_no_person_declines_nobody(text: str) -> None:
    assert without_declined(normalise(text)) is None


@pytest.mark.parametrize("piece", ["mit einem ", "ich will bitte ", "hilfe ", "_", "nicht mit "])
def test_a_long_text_is_read_in_milliseconds(piece: str) -> None:
    text = normalise(piece * 2000)
    words = tokens(text)
    started = time.process_time()
    wants_person(text, words)
    assert time.process_time() - started < 0.3

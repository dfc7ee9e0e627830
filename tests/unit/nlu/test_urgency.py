"""What makes a message urgent, what does not, and that the reasons can be checked."""

import time

import pytest

from bot.domain.understanding import Context, Level, Sentiment, Urgency
from nlu.urgency import Known, urgency


def judged(text: str, **known: object) -> Urgency:
    return urgency(text, Known(**known))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "Der Wasserkocher hat gebrannt",
        "Ich habe einen Stromschlag vom Toaster bekommen",
        "Mein Kind hat sich an der Lampe verletzt",
        "Akku ist explodiert",
        "allergische Reaktion auf die Bettwäsche",
        "the heater caught fire",
        "your kettle gave me an electric shock",
        "smoke came out of the toaster",
        "My daughter was injured by the broken glass",
        "mein Vater ist von der Leiter gefallen",
        "ich kriege kaum Luft",
        "my son fell off the bunk bed",
        "she is struggling to breathe",
        "seit heute krieg ich schlecht Luft",
        "bin mit dem Klettergurt abgestürzt",
        "ich will nicht mehr leben",
    ],
)
def test_danger_to_people_is_critical_whatever_else_is_said(text: str) -> None:
    assert judged(text).level is Level.CRITICAL
    assert judged(f"Keine Eile, no rush: {text}").level is Level.CRITICAL


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Mein Account wurde gehackt", 'security: "gehackt"'),
        ("someone ordered something with my account", "security"),
        ("Ihr habt zweimal abgebucht", 'money taken twice: "zweimal abgebucht"'),
        ("I was charged two times", 'money taken twice: "charged two times"'),
        ("Ich gehe zum Anwalt", 'legal: "Anwalt"'),
        ("you will hear from my lawyer", 'legal: "my lawyer"'),
        ("Ich setze Ihnen hiermit eine Frist", "legal"),
    ],
)
def test_security_money_and_law_are_at_least_high(text: str, reason: str) -> None:
    found = judged(text)
    assert found.level is Level.HIGH
    assert found.reasons[0].startswith(reason)


@pytest.mark.parametrize(
    "text",
    [
        "I will burn down your store",
        "there is a bomb in the parcel",
        "ich bringe euch alle um",
        "I am going to kill you all",
        "ich zünde euren Laden an",
        "ich will sterben",
        "I want to die",
        "i am going to kill my self",
        "she is unconscious after using it",
        "mein Vater ist bewusstlos",
        "er atmet nicht mehr",
        'Ich denke an "Suizid"',
        "ich will „nicht mehr leben“, versteht ihr, ich will nicht mehr leben",
        'my wife said "I cannot breathe any more" and fell',
        'Hallo, mein Akku "brennt", bitte helfen Sie',
    ],
)
def test_a_threat_and_despair_are_critical_in_quotation_marks_too(text: str) -> None:
    found = judged(text)
    assert found.level is Level.CRITICAL
    assert found.reasons


@pytest.mark.parametrize(
    "text",
    [
        "die Farbe ist echt bombe",
        "it won't kill you to answer",
        "Wie zünde ich die Kerze am besten an?",
        "this lamp is the bomb",
        "Wann bringt ihr das Paket um die Ecke?",
    ],
)
def test_big_words_are_no_threat(text: str) -> None:
    assert judged(text).level is Level.NORMAL


@pytest.mark.parametrize(
    "text",
    [
        "No idea who hacked my account",
        "I don't know who hacked my account",
        "my account was hacked not funny",
        "Mein Konto wurde gehackt\nKein Login mehr möglich",
        "Mein Konto wurde gehackt kein Witz",
        'my "account" was "hacked"',
    ],
)
def test_whoever_does_not_know_why_does_not_deny_it(text: str) -> None:
    assert judged(text).level is Level.HIGH


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Ich habe mich verbru\u0308ht", "danger"),
        ("Das Gera\u0308t brennt", "danger"),
        ("Ich habe mich verbrueht", "danger"),
        ("Stromschlaege vom Geraet", "danger"),
        ("mein Konto wurde ge\u00adhackt", "security"),
        ("ich will eine Rueckbuchung", "money at risk"),
        ("zum fuenften Mal", "repeated contact"),
        ("so eine Scheisse", "insult"),
        ("Rechtsanwaeltin eingeschaltet", "legal"),
    ],
)
def test_a_signal_is_heard_in_every_spelling(text: str, name: str) -> None:
    assert judged(text).reasons[0].startswith(name)


@pytest.mark.parametrize(
    "text",
    [
        "Dringend! Ich brauche das Paket bis heute Abend",
        "I need it by tomorrow, this is urgent",
        "zum dritten Mal schreibe ich, und keine Antwort",
        "das ist jetzt das dritte Mal, und immer noch nichts",
        "Ich bin im Rollstuhl und brauche das Bett bis morgen",
        "nothing works, all our customers are affected",
    ],
)
def test_signals_add_up_to_high(text: str) -> None:
    assert judged(text).level is Level.HIGH


@pytest.mark.parametrize(
    "text",
    [
        "Wo ist mein Paket?",
        "Where is my parcel?",
        "Mein Paket ist immer noch nicht da",
        "Ich brauche dringend die Rechnung",
        "Habt ihr heute noch offen?",
        "Die Lampe brennt nicht",
        "is there a deadline for returns",
        "Wann kommt mein Paket? Ich fahre morgen in Urlaub",
        "Die Preise sind explodiert",
        "Die App ist mit dem Warenkorb abgestürzt",
        "the price fell down to 20 euros",
        "the lid fell off",
        "a wheel fell off my bike",
        "ein Bein ist vom Hocker abgefallen",
        "mir ist der Stuhl runtergefallen",
        "die Luftmatratze hält schlecht Luft",
        "I'm shocked how nice it is",
        "add insult to injury",
        "Euer Saftladen nervt",
        "leckere Gerichte mit dem Wok",
        "Habt ihr Rauchmelder und Feuerlöscher?",
        "my chocolate melted in the post",
        "Ihr verletzt meine Rechte",
        "Ist Sofortüberweisung möglich?",
        "I am at the hospital, deliver it to my brother",
    ],
)
def test_an_everyday_message_is_normal(text: str) -> None:
    assert judged(text).level is Level.NORMAL


@pytest.mark.parametrize(
    "text",
    [
        "Zum Glück wurde niemand verletzt",
        "nobody was hurt",
        "es hat nicht gebrannt",
        "No, I have not been charged twice",
        "mein Konto wurde nicht gehackt",
        'Auf der Packung steht "Vorsicht, Stromschlag"',
        "Die Anleitung sagt „bei Atemnot zum Arzt“, was heißt das?",
        "> the heater caught fire\nwhat does this mean?",
        "my wife wrote 'my lawyer will sue you', what is that about",
        "On the box: ‘electric shock’, is it safe?",
        "I won’t call my lawyer",
        "ich will keinen Anwalt",
        "verletzt wurde zum Glück niemand",
        "gehackt worden ist es nicht",
    ],
)
def test_what_is_denied_or_quoted_does_not_count(text: str) -> None:
    assert judged(text).level is Level.NORMAL


@pytest.mark.parametrize(
    "text",
    [
        "Keine Eile, wo ist mein Paket?",
        "nicht dringend",
        "no rush",
        "It's not urgent at all",
        "it isn’t urgent",
        "it is not urgent that you answer today",
        "not at all urgent",
        "far from urgent",
        "eilt nicht",
        "das eilt überhaupt nicht",
        "gar nicht mal so dringend",
        "eilt wirklich nicht",
        "keineswegs dringend",
    ],
)
def test_what_can_wait_is_low(text: str) -> None:
    found = judged(text)
    assert found.level is Level.LOW
    assert found.reasons[0].startswith("says it can wait")


def test_not_being_able_to_wait_is_no_denial() -> None:
    assert any(reason.startswith("deadline") for reason in judged("das kann nicht bis morgen warten").reasons)


@pytest.mark.parametrize(
    "text",
    [
        "I can’t breathe",
        "I do not want to live any more",
        "no wonder it caught fire",
        "not only did the charger spark, it burnt my hand and exploded",
        "Keine Antwort und mein Kind blutet",
        "Es hat nicht nur geraucht, sondern mein Kind verletzt",
        "'cause the heater caught fire at my parents' house",
        "'n Funke und der Toaster brennt, wie 'n Grill",
        "I don't know why it caught fire",
        "I have no idea how the battery exploded",
        "without warning it exploded",
        "for no reason it caught fire",
        "ohne Vorwarnung explodiert",
        "Ich weiß nicht warum das Gerät brennt",
        "Keine Ahnung wie das Gerät Feuer gefangen hat",
        "Das Gerät brennt kein Witz",
        "the heater caught fire not funny",
        "Ich wurde verletzt\nKein Ersatz bekommen",
    ],
)
def test_a_denial_of_something_else_takes_nothing_back(text: str) -> None:
    assert judged(text).level is Level.CRITICAL


def test_the_intent_gives_its_level_only_when_it_is_likely() -> None:
    prior = {"intent": "charged_twice", "prior": "high"}
    assert judged("Geld weg?", confidence=0.9, **prior).level is Level.HIGH
    assert judged("Geld?", confidence=0.3, **prior).level is Level.NORMAL
    assert judged("hallo", intent="greeting", prior="low", confidence=0.9).level is Level.LOW
    assert (
        judged("hallo, es brennt in der Küche: Küche brennt", prior="low", confidence=0.9).level
        is Level.CRITICAL
    )


def test_a_customer_in_no_hurry_takes_a_step_off_the_prior_but_never_off_danger() -> None:
    assert judged("keine Eile", prior="high", confidence=0.9).level is Level.NORMAL
    assert judged("keine Eile", prior="critical", confidence=0.9).level is Level.CRITICAL


@pytest.mark.parametrize(
    "text",
    [
        "bis heute ist die Gutschrift nicht da",
        "bis heute keine Antwort auf die Frage nach der Farbe",
        "die App geht auf und sofort wieder zu",
        "wie dringend muss ich bestellen",
        "If I order right now, what does it cost",
    ],
)
def test_words_of_haste_that_press_for_nothing_are_no_reason(text: str) -> None:
    told = " ".join(judged(text).reasons)
    assert "deadline" not in told
    assert "urgent" not in told


def test_reasons_quote_what_the_customer_wrote() -> None:
    found = judged("Brauche das bis heute Abend, DRINGEND")
    assert set(found.reasons) == {'deadline: "bis heute Abend"', 'says it is urgent: "DRINGEND"'}


def test_shouting_is_a_weak_sign() -> None:
    found = judged("WO IST DENN NUN MEIN PAKET!!!")
    assert found.level is Level.NORMAL
    assert set(found.reasons) == {"capital letters", "exclamation marks"}
    assert found.score > judged("Wo ist denn nun mein Paket").score


def test_the_conversation_raises_to_high_and_not_further() -> None:
    context = Context(repeats=4, waited_seconds=30 * 3600, public=True, reach=2_000_000)
    found = judged("Wo ist mein Paket?", context=context, sentiment=Sentiment(label="negative", score=-0.6))
    assert found.level is Level.HIGH
    assert found.reasons == (
        "4 unanswered messages before",
        "waiting for 30 h",
        "public post, 2,000,000 followers",
    )


def test_waiting_orders_messages_inside_a_level() -> None:
    scores = [
        judged("Wo ist mein Paket?", context=Context(waited_seconds=hours * 3600)).score
        for hours in (0, 2, 8)
    ]
    assert scores == sorted(set(scores))


def test_a_friendly_public_post_is_no_reason() -> None:
    context = Context(public=True, reach=50_000)
    assert (
        judged("Tolle Jacke!", context=context, sentiment=Sentiment(label="positive", score=0.7)).reasons
        == ()
    )


def test_letters_that_grow_in_lower_case_do_not_shift_the_words() -> None:
    assert judged("İİİİ mein Konto wurde gehackt").reasons == ('security: "gehackt"',)


@pytest.mark.parametrize("piece", ["bis ", "'a ", "hat hat ", '"a ', "nicht ", "bis montag ", "!" * 3])
def test_a_long_text_is_read_in_milliseconds(piece: str) -> None:
    started = time.process_time()
    judged(piece * 100_000)
    assert time.process_time() - started < 0.3

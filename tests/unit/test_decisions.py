"""What the bot does about a message: every rule by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from bot.domain.cases import Asked, Case, CaseState, Handoff, Reason
from bot.domain.decisions import decide, opening
from bot.domain.errors import TemplateFailed
from bot.domain.messages import Press, Role
from bot.domain.turns import Decision, LookupResult, Turn
from bot.domain.understanding import Level, Sentiment, Urgency
from tests.builders import ADA, HERE, NOON, answer, book, case, order_number, policy, turn

SHIPPED = LookupResult(record={"status": "shipped", "order_number": "4711"})


def first(decision: Decision) -> str:
    return decision.says[0].text if decision.says else ""


def with_number(**changes: Any) -> Turn:
    return turn("parcel", entities=(order_number("4711"),), **changes)


def test_a_question_is_answered() -> None:
    decision = decide(case(), turn("hours"), policy(), NOON)
    assert first(decision) == "About hours."
    assert decision.says[0].role is Role.ANSWER


def test_an_answer_that_needs_a_slot_asks_for_it() -> None:
    decision = decide(case(), turn("parcel"), policy(), NOON)
    assert first(decision) == "Which order number?"
    assert decision.case.asked == Asked(question="q1", intent="parcel", slot="order_number")


def test_a_number_that_comes_alone_belongs_to_what_was_asked() -> None:
    asked = decide(case(), turn("parcel"), policy(), NOON).case
    alone = turn("", 0.0, entities=(order_number("4711"),))
    assert decide(asked, alone, policy(), NOON).lookup.values == {"order_number": "4711"}  # type: ignore[union-attr]
    decision = decide(asked, replace(alone, lookup=SHIPPED), policy(), NOON)
    assert first(decision) == "4711 is on its way."
    assert decision.case.asked is None


def test_a_number_in_the_same_message_is_not_asked_for_again() -> None:
    assert first(decide(case(), with_number(lookup=SHIPPED), policy(), NOON)) == "4711 is on its way."


def test_a_number_given_earlier_is_not_asked_for_again() -> None:
    known = case(slots={"order_number": "4711"})
    assert decide(known, turn("parcel"), policy(), NOON).lookup is not None


def test_a_question_that_the_answers_do_not_ask_any_more_holds_up_nobody() -> None:
    asked = decide(case(), turn("parcel"), policy(), NOON).case
    book = policy().book
    without = {name: answer for name, answer in book.answers.items() if name != "parcel"}
    needless = {**book.answers, "parcel": replace(book.answers["parcel"], needs=())}
    for answers in (without, needless):
        now = replace(policy(), book=replace(book, answers=answers))
        assert first(decide(asked, turn("hours"), now, NOON)) == "About hours."


def test_what_cannot_be_a_slot_is_asked_for_once_more_and_then_goes_to_a_person() -> None:
    asked = decide(case(), turn("parcel"), policy(), NOON).case
    again = decide(asked, turn("", 0.0), policy(), NOON)
    assert first(again) == "Once more: Which order number?"
    assert decide(again.case, turn("", 0.0), policy(), NOON).hand_off is Reason.SLOT_MISSING


def test_another_question_instead_of_the_slot_is_answered() -> None:
    asked = decide(case(), turn("parcel"), policy(), NOON).case
    assert first(decide(asked, turn("hours"), policy(), NOON)) == "About hours."


def test_without_a_lookup_the_general_text_is_given() -> None:
    assert first(decide(case(), turn("parcel"), policy(lookups=frozenset()), NOON)) == "Usually three days."


def test_a_lookup_that_fails_hands_off() -> None:
    failed = LookupResult(failed="timed out")
    decision = decide(case(), with_number(lookup=failed), policy(), NOON)
    assert (decision.hand_off, decision.detail) == (Reason.LOOKUP_FAILED, "timed out")


def test_an_unknown_number_is_asked_for_once_more_and_then_goes_to_a_person() -> None:
    unknown = with_number(lookup=LookupResult())
    decision = decide(case(), unknown, policy(), NOON)
    assert first(decision) == "I cannot find 4711."
    assert decide(decision.case, unknown, policy(), NOON).hand_off is Reason.NOT_FOUND


def test_in_public_nothing_private_is_said() -> None:
    public = replace(HERE, public=True)
    decision = decide(case(), with_number(address=public, lookup=SHIPPED), policy(), NOON)
    assert first(decision) == "Please write to us privately."


def test_in_public_an_answer_without_a_public_form_asks_to_write_privately() -> None:
    public = replace(HERE, public=True)
    assert (
        first(decide(case(), turn("hours", address=public), policy(), NOON))
        == "Please write to us privately."
    )


def test_who_asks_for_a_person_gets_one_whatever_the_model_says() -> None:
    decision = decide(case(), turn("hours", wants_person=True), policy(), NOON)
    assert decision.hand_off is Reason.ASKED_FOR_PERSON


def test_who_says_what_the_person_is_for_gets_one_who_knows_about_that() -> None:
    about = decide(case(intent="hours"), turn("returns", wants_person=True), policy(), NOON)
    assert about.case.intent == "returns"
    unsure = decide(case(intent="hours"), turn("returns", 0.2, wants_person=True), policy(), NOON)
    assert unsure.case.intent == "hours"


def test_asking_for_a_person_once_more_is_no_matter_of_its_own() -> None:
    waits = case(state=CaseState.WAITING, intent="hours")
    knows = policy(book=book(answer("person"), answer("hours")))
    assert decide(waits, turn("person", wants_person=True), knows, NOON).case.matters == ()
    (matter,) = decide(waits, turn("returns"), policy(), NOON).case.matters
    assert matter.intent == "returns"


def test_critical_goes_to_a_person_at_once() -> None:
    urgent = turn("hours", urgency=Urgency(level=Level.CRITICAL, reasons=("smoke",)))
    assert decide(case(), urgent, policy(), NOON).hand_off is Reason.CRITICAL


def test_an_intent_marked_human_goes_to_a_person() -> None:
    assert decide(case(), turn("press"), policy(), NOON).hand_off is Reason.INTENT_IS_HUMAN


def test_an_intent_nobody_wrote_an_answer_for_goes_to_a_person() -> None:
    assert decide(case(), turn("unheard_of"), policy(), NOON).hand_off is Reason.INTENT_IS_HUMAN


def test_low_confidence_asks_once_with_the_likeliest_two_and_then_hands_off() -> None:
    unsure = decide(case(), turn("hours", 0.3), policy(), NOON)
    assert [button.choice for button in unsure.says[0].buttons] == ["hours", "returns", "none", "person"]
    assert decide(unsure.case, turn("hours", 0.3), policy(), NOON).hand_off is Reason.LOW_CONFIDENCE


def test_what_no_confidence_is_enough_for_is_handed_off_without_a_question() -> None:
    never = policy(thresholds={"hours": 2.0})
    handed = decide(case(), turn("hours", 0.99), never, NOON)
    assert (handed.hand_off, handed.detail, handed.says) == (Reason.LOW_CONFIDENCE, "hours", ())
    assert decide(case(), turn("hours", 0.3), never, NOON).rule == "clarify"  # it may be about something else
    assert decide(case(), turn("hours", 0.99), policy(), NOON).hand_off is None


def test_a_pressed_button_is_an_answer() -> None:
    unsure = decide(case(), turn("hours", 0.3), policy(), NOON).case
    pressed = turn("", 0.0, press=Press(question="q1", choice="returns"))
    assert first(decide(unsure, pressed, policy(), NOON)) == "About returns."


def test_the_same_button_in_words_is_an_answer_too() -> None:
    unsure = decide(case(), turn("hours", 0.3), policy(), NOON).case
    assert first(decide(unsure, turn("returns", 0.5), policy(), NOON)) == "About returns."


def test_a_press_on_an_outdated_question_says_so() -> None:
    pressed = turn("", 0.0, press=Press(question="q0", choice="returns"))
    assert first(decide(case(), pressed, policy(), NOON)) == "That question is closed."


def test_a_choice_that_was_never_offered_is_not_taken() -> None:
    unsure = decide(case(), turn("hours", 0.3), policy(), NOON).case
    pressed = turn("", 0.0, press=Press(question="q1", choice="press"))
    assert first(decide(unsure, pressed, policy(), NOON)) == "That question is closed."


def test_the_person_button_works_even_when_its_question_is_outdated() -> None:
    pressed = turn("", 0.0, press=Press(question="q0", choice="person"))
    assert decide(case(), pressed, policy(), NOON).hand_off is Reason.ASKED_FOR_PERSON


def test_neither_of_the_two_goes_to_a_person() -> None:
    unsure = decide(case(), turn("hours", 0.3), policy(), NOON).case
    pressed = turn("", 0.0, press=Press(question="q1", choice="none"))
    assert decide(unsure, pressed, policy(), NOON).hand_off is Reason.LOW_CONFIDENCE


def test_the_same_question_again_goes_to_a_person() -> None:
    answered = decide(case(), turn("hours"), policy(), NOON).case
    assert decide(answered, turn("hours"), policy(), NOON).hand_off is Reason.REPEATED


def test_the_same_question_about_another_order_is_answered() -> None:
    answered = decide(case(), with_number(lookup=SHIPPED), policy(), NOON).case
    other = turn(
        "parcel", entities=(order_number("4712"),), lookup=LookupResult(record={"status": "shipped"})
    )
    assert first(decide(answered, other, policy(), NOON)) == "4712 is on its way."


def test_a_greeting_may_come_twice() -> None:
    greeted = decide(case(), turn("greeting"), policy(), NOON).case
    assert first(decide(greeted, turn("greeting"), policy(), NOON)) == "About greeting."


def test_thanks_resolve_the_case() -> None:
    assert decide(case(), turn("thanks"), policy(), NOON).resolve == "answered"


def test_what_cannot_be_read_is_said_once_and_then_goes_to_a_person() -> None:
    silent = turn("", 0.0, readable=False)
    decision = decide(case(), silent, policy(), NOON)
    assert first(decision) == "I cannot read that."
    assert decision.says[0].buttons[0].choice == "person"
    assert decide(decision.case, silent, policy(), NOON).hand_off is Reason.UNREADABLE


def test_a_photo_does_not_close_the_question_before_it() -> None:
    asked = decide(case(), turn("parcel"), policy(), NOON).case
    shown = decide(asked, turn("", 0.0, readable=False, question="q2"), policy(), NOON).case
    number = turn("", 0.0, entities=(order_number("4711"),), lookup=SHIPPED)
    assert first(decide(shown, number, policy(), NOON)) == "4711 is on its way."


def test_a_day_old_message_gets_an_apology_and_a_person() -> None:
    decision = decide(case(), turn("greeting", at=NOON - timedelta(days=1)), policy(), NOON)
    assert (first(decision), decision.hand_off) == ("Sorry for the long silence.", Reason.STALE)


def test_very_upset_and_urgent_goes_to_a_person() -> None:
    furious = turn(
        "hours", sentiment=Sentiment(label="negative", score=-0.9), urgency=Urgency(level=Level.HIGH)
    )
    assert decide(case(), furious, policy(), NOON).hand_off is Reason.UPSET


def test_an_answer_that_cannot_be_filled_is_an_error_and_not_half_a_sentence() -> None:
    broken = policy(book=book(answer("hours", text={"en": "Until {closing}."})))
    with pytest.raises(TemplateFailed, match="closing"):
        decide(case(), turn("hours"), broken, NOON)


# ── While people have the case ──────────────────────────────────────────────────────────────────


def test_while_waiting_the_bot_is_silent() -> None:
    held = case(state=CaseState.WAITING, handoff=Handoff(reason=Reason.CRITICAL, at=NOON))
    assert decide(held, turn("hours"), policy(), NOON + timedelta(minutes=1)).says == ()


def test_while_waiting_one_notice_per_interval() -> None:
    held = case(state=CaseState.WAITING, handoff=Handoff(reason=Reason.CRITICAL, at=NOON))
    later = NOON + timedelta(minutes=11)
    decision = decide(held, turn("hours", at=later), policy(), later)
    assert first(decision) == "Still waiting."
    assert decide(decision.case, turn("hours", at=later), policy(), later).says == ()


def test_who_waits_without_a_handoff_is_told_so_too() -> None:
    """An agent took the case from the bot and gave it back."""
    decision = decide(case(state=CaseState.WAITING), turn("hours"), policy(), NOON)
    assert first(decision) == "Still waiting."


def test_while_claimed_the_bot_says_nothing_at_all() -> None:
    held = case(state=CaseState.CLAIMED, owner=ADA)
    assert decide(held, turn("hours", at=NOON), policy(), NOON + timedelta(hours=1)).says == ()


def test_a_second_matter_is_kept_beside_the_first_while_people_have_the_case() -> None:
    held = case(state=CaseState.CLAIMED, owner=ADA, intent="hours")
    both = decide(held, turn("returns"), policy(), NOON).case
    assert both.intent == "hours"
    assert [matter.intent for matter in both.matters] == ["returns"]


def test_a_message_wakes_a_snoozed_case_for_the_same_agent() -> None:
    asleep = case(state=CaseState.SNOOZED, owner=ADA, snoozed_until=NOON + timedelta(days=1))
    woken = decide(asleep, turn("hours"), policy(), NOON).case
    assert (woken.state, woken.owner) == (CaseState.CLAIMED, ADA)


def test_urgency_rises_by_itself_and_never_falls() -> None:
    high = case(urgency=Urgency(level=Level.HIGH, reasons=("deadline",)))
    assert decide(high, turn("hours"), policy(), NOON).case.urgency.level is Level.HIGH
    critical = turn("hours", urgency=Urgency(level=Level.CRITICAL))
    assert decide(high, critical, policy(), NOON).case.urgency.level is Level.CRITICAL


def test_urgency_set_by_an_agent_stays() -> None:
    calmed = case(urgency=Urgency(level=Level.LOW), urgency_by_agent=True, state=CaseState.CLAIMED, owner=ADA)
    high = turn("hours", urgency=Urgency(level=Level.HIGH))
    assert decide(calmed, high, policy(), NOON).case.urgency.level is Level.LOW


# ── After the end ───────────────────────────────────────────────────────────────────────────────

DONE = case(state=CaseState.RESOLVED, resolved_at=NOON, intent="hours")
BY_PERSON = replace(DONE, owners=("Ada",), last_owner=ADA)


@pytest.mark.parametrize(
    ("previous", "said", "days", "kind"),
    [
        (None, turn("hours"), 0, "new"),
        (DONE, turn("thanks"), 0, "append"),
        (DONE, turn("hours"), 1, "bot"),
        (DONE, turn("hours"), 8, "new"),
        (BY_PERSON, turn("hours"), 1, "person"),
        (BY_PERSON, turn("", 0.0), 1, "person"),
        (BY_PERSON, turn("returns"), 1, "bot"),
        (BY_PERSON, turn("thanks"), 1, "append"),
        (BY_PERSON, turn("hours"), 8, "new"),
        (BY_PERSON, turn("", 0.0, press=Press(question="q0", choice="hours")), 1, "bot"),
    ],
)
def test_what_a_message_means_after_the_end(previous: Case | None, said: Turn, days: int, kind: str) -> None:
    assert opening(previous, said, policy(), NOON + timedelta(days=days)).kind == kind

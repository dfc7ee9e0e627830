"""What every store must do, whichever database is behind it."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from msgspec import Raw, Struct
from msgspec.structs import replace

from bot.domain.accounts import Session, Setting
from bot.domain.cases import Case, CaseState
from bot.domain.customers import Customer
from bot.domain.errors import StoreUnavailable
from bot.domain.journal import Did, Entry
from bot.domain.messages import Event, EventState, Message
from bot.domain.ports import (
    Add,
    Applied,
    Changes,
    Conflict,
    Delete,
    Duplicate,
    Expect,
    Insert,
    Movable,
    Outcome,
    Query,
    Store,
    Update,
    Write,
)
from bot.domain.schema import COLLECTIONS
from tests.contracts.records import (
    ADDRESS,
    EXAMPLES,
    NOW,
    case,
    closed,
    customer,
    entry,
    event,
    message,
    session,
    setting,
)

MINUTE = timedelta(minutes=1)

TEXTS = {
    "a megabyte": "Paket 📦 " * 120_000,
    "NUL": "before\0after",
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈",
    "right to left": "אין לי את החבילה \u202egnp.exe",
    "a lone surrogate": "half an emoji \ud83d and on",
    "quotes": "\"'; DROP TABLE events; --\\ $set {x}",
    "empty": "",
}

RAWS = {
    "spaces": b'{ "a" : [1, 2.50, 12345678901234567890123] }',
    "a lone surrogate": rb'{"text": "half an emoji \ud83d and on", "$raw": 1}',
    "bytes that are no text": b'{"text": "\xff\xfe\xed\xa0\x80"}',
    "no JSON": b"a=1&b=2",
    "nothing": b"",
}


class StoreContract:
    """Inherit, and give a fresh and empty store."""

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    # ── What was written is read ────────────────────────────────────────────────────────────────

    def test_there_is_an_example_of_every_kind(self) -> None:
        assert set(EXAMPLES) == set(COLLECTIONS)

    @pytest.mark.parametrize("kind", EXAMPLES, ids=lambda kind: kind.__name__)
    async def test_a_record_comes_back_as_it_was(self, store: Store, kind: type[Struct]) -> None:
        await insert(store, EXAMPLES[kind])
        assert await store.get(kind, EXAMPLES[kind].id) == EXAMPLES[kind]  # type: ignore[attr-defined]

    async def test_an_id_that_is_not_there_is_none(self, store: Store) -> None:
        assert await store.get(Customer, "nobody") is None

    @pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
    async def test_any_text_survives(self, store: Store, text: str) -> None:
        kept = await insert(store, event("e1", text=text, language=text[:9]))
        assert await store.get(Event, "e1") == kept

    @pytest.mark.parametrize("text", [text[:100] for text in TEXTS.values()], ids=TEXTS)
    async def test_any_text_can_be_asked_for_and_is_unique(self, store: Store, text: str) -> None:
        kept = await insert(store, event(f"id {text}", address=replace(ADDRESS, account=text)))
        again = event("again", kept.external_id, address=kept.inbound.address)
        assert await store.find(Query(kind=Event, equals={"account": text})) == [kept]
        assert await store.apply(inserts(again)) == Duplicate(kind=Event, id=kept.id)

    @pytest.mark.parametrize("raw", RAWS.values(), ids=RAWS)
    async def test_a_raw_payload_is_kept_to_the_byte(self, store: Store, raw: bytes) -> None:
        await insert(store, event("e1", raw=Raw(raw), text="\ud83d"), event("e2", raw=Raw(raw)))
        for kept in await store.find(Query(kind=Event)):
            assert bytes(kept.inbound.raw) == raw

    async def test_what_looks_like_our_own_marks_is_only_data(self, store: Store) -> None:
        strange = {"$raw": "x", "$$raw": "\ud83d", "": [{"$raw": None}]}
        kept = await insert(store, setting("s1", value=strange))
        assert await store.get(Setting, "s1") == kept

    async def test_a_raw_payload_outlives_the_store(self, store: Store) -> None:
        await insert(store, event("e1", raw=Raw(b'{"kept": true}')))
        kept = await store.get(Event, "e1")
        await store.close()
        assert kept
        assert bytes(kept.inbound.raw) == b'{"kept": true}'

    async def test_a_write_is_seen_by_the_next_read(self, store: Store) -> None:
        for n in range(20):
            await insert(store, entry(f"j{n}"))
            assert await store.count(Query(kind=Entry)) == n + 1
            assert len(await store.find(Query(kind=Entry))) == n + 1

    # ── Queries ─────────────────────────────────────────────────────────────────────────────────

    async def test_equal_fields_must_all_hold(self, store: Store) -> None:
        await insert(store, message("m1", case="a"), message("m2", case="a", customer="other"))
        assert await found(store, Query(kind=Message, equals={"case": "a", "customer": "other"})) == ["m2"]

    async def test_a_tuple_asks_for_any_of_its_values(self, store: Store) -> None:
        kinds = {"j1": Did.SENT, "j2": Did.FAILED, "j3": Did.NOTED}
        await insert(store, *(entry(name, kind=kind) for name, kind in kinds.items()))
        assert await found(store, Query(kind=Entry, equals={"kind": (Did.SENT, Did.NOTED)})) == ["j1", "j3"]

    async def test_an_empty_tuple_asks_for_nothing(self, store: Store) -> None:
        await insert(store, entry("j1"))
        assert await found(store, Query(kind=Entry, equals={"kind": ()})) == []

    async def test_none_asks_for_what_is_not_set(self, store: Store) -> None:
        await insert(store, case("s1", number=1), case("s2", number=2, due_at=NOW))
        assert await found(store, Query(kind=Case, equals={"due_at": None})) == ["s1"]

    async def test_none_may_stand_among_values(self, store: Store) -> None:
        dues = (None, NOW, NOW + MINUTE)
        await insert(store, *(case(f"s{n}", number=n, due_at=due) for n, due in enumerate(dues)))
        assert await found(store, Query(kind=Case, equals={"due_at": (None, NOW)})) == ["s0", "s1"]

    async def test_a_property_can_be_asked_for(self, store: Store) -> None:
        await insert(store, case("s1", number=1), closed("s2", number=2))
        assert await found(store, Query(kind=Case, equals={"is_open": True})) == ["s1"]
        assert await found(store, Query(kind=Case, equals={"is_open": False})) == ["s2"]

    async def test_enums_may_be_asked_for_by_value(self, store: Store) -> None:
        await insert(store, case("s1", number=1), closed("s2", number=2))
        assert await found(store, Query(kind=Case, equals={"state": "resolved"})) == ["s2"]

    async def test_until_includes_its_bound_and_after_does_not(self, store: Store) -> None:
        await insert(store, *(entry(f"j{n}", at=NOW + n * MINUTE) for n in range(4)))
        span = Query(kind=Entry, after={"at": NOW}, until={"at": NOW + 2 * MINUTE})
        assert await found(store, span) == ["j1", "j2"]

    async def test_times_are_told_apart_by_the_microsecond(self, store: Store) -> None:
        await insert(store, entry("j1", at=NOW), entry("j2", at=NOW + timedelta(microseconds=1)))
        assert await found(store, Query(kind=Entry, until={"at": NOW})) == ["j1"]

    async def test_a_bound_leaves_out_what_is_not_set(self, store: Store) -> None:
        await insert(store, case("s1", number=1), case("s2", number=2, due_at=NOW))
        assert await found(store, Query(kind=Case, until={"due_at": NOW})) == ["s2"]
        assert await found(store, Query(kind=Case, after={"due_at": NOW - MINUTE})) == ["s2"]

    async def test_the_id_can_be_asked_for_like_a_field(self, store: Store) -> None:
        await insert(store, *(customer(f"k{n}") for n in range(5)))
        page = Query(kind=Customer, after={"id": "k1"}, order="id", limit=2)
        assert await ids(store, page) == ["k2", "k3"]

    async def test_order_is_up_or_down(self, store: Store) -> None:
        for n, seconds in enumerate((2, 0, 1)):
            await insert(store, case(f"s{n}", number=n, opened_at=NOW + seconds * MINUTE))
        assert await ids(store, Query(kind=Case, order="opened_at")) == ["s1", "s2", "s0"]
        assert await ids(store, Query(kind=Case, order="-opened_at")) == ["s0", "s2", "s1"]

    async def test_ties_keep_the_order_they_came_in(self, store: Store) -> None:
        for n in range(5):
            await insert(store, entry(f"j{n}"))
        assert await ids(store, Query(kind=Entry, order="at")) == ["j0", "j1", "j2", "j3", "j4"]
        backwards = Query(kind=Entry, equals={"customer": "k1"}, order="-at")
        assert await ids(store, backwards) == ["j4", "j3", "j2", "j1", "j0"]

    async def test_the_limit_cuts_after_ordering(self, store: Store) -> None:
        await insert(store, *(entry(f"j{n:03}", at=NOW - n * MINUTE) for n in range(150)))
        assert await ids(store, Query(kind=Entry, order="at", limit=2)) == ["j149", "j148"]
        assert len(await store.find(Query(kind=Entry, limit=120))) == 120

    async def test_a_count_knows_no_limit(self, store: Store) -> None:
        await insert(store, *(entry(f"j{n}", kind=Did.SENT if n % 3 else Did.NOTED) for n in range(9)))
        assert await store.count(Query(kind=Entry, equals={"kind": Did.SENT}, limit=1)) == 6

    async def test_a_lane_is_read_in_order_and_only_what_is_undone(self, store: Store) -> None:
        for n in range(4):
            await store.apply(unit(Insert(record=event(f"e{n}"), scope="lane:k1")))
        done = replace(event("e1"), seq=2, state=EventState.DONE)
        await store.apply(unit(Update(record=done)))
        undone = {"lane": "k1", "state": EventState.PENDING}
        assert await ids(store, Query(kind=Event, equals=undone, order="seq")) == ["e0", "e2", "e3"]

    @pytest.mark.parametrize(
        "query",
        [
            Query(kind=Message, equals={"text": "Hallo"}),
            Query(kind=Message, until={"text": "Hallo"}),
            Query(kind=Message, after={"text": "Hallo"}),
            Query(kind=Message, order="-text"),
        ],
        ids=["equals", "until", "after", "order"],
    )
    async def test_a_field_that_is_not_kept_is_named(self, store: Store, query: Query[Message]) -> None:
        with pytest.raises(ValueError, match="'text'"):
            await store.find(query)

    # ── Units ───────────────────────────────────────────────────────────────────────────────────

    async def test_an_update_counts_the_version_up(self, store: Store) -> None:
        kept = await insert(store, case("s1", number=1))
        assert await store.apply(unit(Update(record=replace(kept, language="en")))) == Applied()
        assert await store.get(Case, "s1") == replace(kept, language="en", version=1)

    async def test_an_update_moves_what_can_be_asked_for(self, store: Store) -> None:
        kept = await insert(store, case("s1", number=1))
        await store.apply(unit(Update(record=replace(kept, state=CaseState.RESOLVED))))
        assert await found(store, Query(kind=Case, equals={"is_open": True})) == []
        assert await found(store, Query(kind=Case, equals={"state": CaseState.RESOLVED})) == ["s1"]

    async def test_an_update_of_an_old_version_is_a_conflict(self, store: Store) -> None:
        kept = await insert(store, case("s1", number=1))
        await store.apply(unit(Update(record=replace(kept, language="en"))))
        assert await store.apply(unit(Update(record=kept))) == Conflict(kind=Case, id="s1")
        assert await store.get(Case, "s1") == replace(kept, language="en", version=1)

    async def test_an_update_of_what_is_not_there_is_a_conflict(self, store: Store) -> None:
        gone = unit(Update(record=case("s1", number=1)))
        assert await store.apply(gone) == Conflict(kind=Case, id="s1")

    async def test_of_many_updates_at_once_one_wins(self, store: Store) -> None:
        kept = await insert(store, case("s1", number=1))
        claims = [replace(kept, language=f"{n}") for n in range(10)]
        outcomes = await at_once(store, [unit(Update(record=claim)) for claim in claims])
        assert outcomes.count(Applied()) == 1
        assert outcomes.count(Conflict(kind=Case, id="s1")) == 9
        winner = claims[outcomes.index(Applied())]
        assert await store.get(Case, "s1") == replace(winner, version=1)

    async def test_a_guard_holds_the_unit_to_a_version(self, store: Store) -> None:
        kept = await insert(store, case("s1", number=1))
        guard = Expect(kind=Case, id="s1", version=0)
        first = Changes(guards=(guard,), writes=(Update(record=kept), Insert(record=entry("j1"))))
        late = Changes(guards=(guard,), writes=(Insert(record=entry("j2")),))
        assert await store.apply(first) == Applied()
        assert await store.apply(late) == Conflict(kind=Case, id="s1")
        assert await found(store, Query(kind=Entry)) == ["j1"]

    async def test_a_guard_on_what_is_not_there_is_a_conflict(self, store: Store) -> None:
        guard = Expect(kind=Case, id="s1", version=0)
        unguarded = Changes(guards=(guard,), writes=(Add(counter="never"),))
        assert await store.apply(unguarded) == Conflict(kind=Case, id="s1")

    async def test_a_deleted_record_is_gone_and_its_place_is_free(self, store: Store) -> None:
        await insert(store, event("e1", "x1"))
        await store.apply(unit(Delete(kind=Event, id="e1")))
        assert await store.get(Event, "e1") is None
        assert await store.apply(inserts(event("e2", "x1"))) == Applied()

    async def test_deleting_twice_is_deleting_once(self, store: Store) -> None:
        gone = unit(Delete(kind=Session, id="t1"))
        await insert(store, session("t1"))
        assert [await store.apply(gone), await store.apply(gone)] == [Applied(), Applied()]

    async def test_a_second_record_of_an_id_is_a_duplicate(self, store: Store) -> None:
        kept = await insert(store, customer("k1"))
        again = inserts(customer("k1", language="xx"))
        assert await store.apply(again) == Duplicate(kind=Customer, id="k1")
        assert await store.get(Customer, "k1") == kept

    async def test_a_known_event_is_named_by_its_first_id(self, store: Store) -> None:
        await insert(store, event("e1", "x1"))
        assert await store.apply(inserts(event("e2", "x1"))) == Duplicate(kind=Event, id="e1")

    async def test_the_same_external_id_of_another_account_is_another_event(self, store: Store) -> None:
        await insert(store, event("e1", "x1"))
        elsewhere = event("e2", "x1", address=replace(ADDRESS, account="other"))
        assert await store.apply(inserts(elsewhere)) == Applied()

    async def test_ten_times_the_same_event_at_once_is_one(self, store: Store) -> None:
        twins = [inserts(event(f"e{n}", "x1")) for n in range(10)]
        outcomes = await at_once(store, twins)
        (kept,) = await store.find(Query(kind=Event))
        assert outcomes.count(Applied()) == 1
        assert outcomes.count(Duplicate(kind=Event, id=kept.id)) == 9

    async def test_a_customer_has_one_open_case(self, store: Store) -> None:
        await insert(store, case("s1", number=1, customer="k1"))
        second = inserts(case("s2", number=2, customer="k1"))
        assert await store.apply(second) == Duplicate(kind=Case, id="s1")

    async def test_closed_cases_leave_the_place_free(self, store: Store) -> None:
        await insert(store, *(closed(f"s{n}", number=n, customer="k1") for n in range(3)))
        assert await store.apply(inserts(case("s9", number=9, customer="k1"))) == Applied()

    async def test_a_case_cannot_reopen_beside_an_open_one(self, store: Store) -> None:
        old = closed("s1", number=1, customer="k1")
        await insert(store, old, case("s2", number=2, customer="k1"))
        reopened = unit(Update(record=replace(old, state=CaseState.BOT)))
        assert await store.apply(reopened) == Duplicate(kind=Case, id="s2")
        assert await store.get(Case, "s1") == old

    async def test_the_open_case_is_named_not_a_closed_one(self, store: Store) -> None:
        await insert(store, closed("s1", number=1, customer="k1"), case("s2", number=2, customer="k1"))
        third = inserts(case("s3", number=3, customer="k1"))
        assert await store.apply(third) == Duplicate(kind=Case, id="s2")

    async def test_one_unit_may_close_a_case_and_open_the_next(self, store: Store) -> None:
        kept = await insert(store, case("s1", number=1, customer="k1"))
        turn = unit(
            Update(record=replace(kept, state=CaseState.RESOLVED)),
            Insert(record=case("s2", number=2, customer="k1")),
        )
        assert await store.apply(turn) == Applied()

    async def test_a_refused_unit_leaves_nothing(self, store: Store) -> None:
        await insert(store, event("e1", "x1"), case("s1", number=1))
        refused = unit(
            Add(counter="received"),
            Delete(kind=Case, id="s1"),
            Insert(record=entry("j1"), scope="k1"),
            Insert(record=event("e2", "x1")),
        )
        assert await store.apply(refused) == Duplicate(kind=Event, id="e1")
        assert await store.counters("") == {}
        assert await store.get(Case, "s1") is not None
        assert await found(store, Query(kind=Entry)) == []

    async def test_a_refused_unit_does_not_hinder_its_neighbours(self, store: Store) -> None:
        await insert(store, event("known", "x1"))
        units = [inserts(event(f"e{n}", "x1" if n == 3 else f"y{n}"), entry(f"j{n}")) for n in range(6)]
        outcomes = await at_once(store, units)
        assert outcomes == [Duplicate(kind=Event, id="known") if n == 3 else Applied() for n in range(6)]
        assert await store.count(Query(kind=Entry)) == 5

    async def test_a_wrong_value_fails_alone_and_aloud(self, store: Store) -> None:
        wrong = inserts(customer("k1"), customer("k2", pseudonym=7))
        outcomes = await asyncio.gather(
            store.apply(wrong), store.apply(inserts(customer("k3"))), return_exceptions=True
        )
        assert isinstance(outcomes[0], ValueError | TypeError)
        assert outcomes[1] == Applied()
        assert await found(store, Query(kind=Customer)) == ["k3"]

    async def test_a_kind_nobody_keeps_is_refused(self, store: Store) -> None:
        with pytest.raises(TypeError, match="Address"):
            await store.apply(inserts(ADDRESS))

    # ── Sequences, counters, numbers ────────────────────────────────────────────────────────────

    async def test_a_scope_counts_its_records(self, store: Store) -> None:
        for n in range(1, 4):
            outcome = await store.apply(unit(Insert(record=entry(f"j{n}"), scope="k1")))
            assert outcome == Applied(sequences=(n,))
        assert [kept.seq for kept in await store.find(Query(kind=Entry, order="seq"))] == [1, 2, 3]

    async def test_scopes_count_apart_and_kinds_may_share_one(self, store: Store) -> None:
        mixed = unit(
            Insert(record=message("m1"), scope="k1"),
            Insert(record=customer("k1")),
            Insert(record=entry("j1"), scope="k1"),
            Insert(record=entry("j2"), scope="k2"),
        )
        assert await store.apply(mixed) == Applied(sequences=(1, 2, 1))

    async def test_a_scope_has_no_gaps_under_load(self, store: Store) -> None:
        await insert(store, event("known", "x"))
        units = [
            unit(
                Insert(record=event(f"e{n}", "x" if n % 5 == 0 else f"y{n}"), scope=f"lane{n % 2}"),
                Insert(record=entry(f"j{n}"), scope="k1"),
            )
            for n in range(200)
        ]
        outcomes = await at_once(store, units)
        given = [outcome.sequences for outcome in outcomes if isinstance(outcome, Applied)]
        assert sorted(seq for _, seq in given) == list(range(1, 161))
        assert sorted(seq for seq, _ in given) == sorted([*range(1, 81), *range(1, 81)])

    async def test_a_sequence_follows_the_order_of_asking(self, store: Store) -> None:
        units = [unit(Insert(record=entry(f"j{n:02}"), scope="k1")) for n in range(50)]
        await at_once(store, units)
        assert await ids(store, Query(kind=Entry, order="seq")) == [f"j{n:02}" for n in range(50)]

    async def test_counters_add_up_and_are_read_by_prefix(self, store: Store) -> None:
        adds = [Add(counter="sent:webchat", by=2), Add(counter="sent:telegram"), Add(counter="senta")]
        await at_once(store, [unit(add) for add in adds * 10])
        await store.apply(unit(Add(counter="sent:telegram", by=-1)))
        assert await store.counters("sent:") == {"sent:webchat": 20, "sent:telegram": 9}

    async def test_a_prefix_is_not_a_pattern(self, store: Store) -> None:
        await store.apply(unit(Add(counter="a%b"), Add(counter="axb"), Add(counter="a.b")))
        assert await store.counters("a%") == {"a%b": 1}

    async def test_case_numbers_start_at_1001_and_are_never_given_twice(self, store: Store) -> None:
        numbers = await asyncio.gather(*(store.number() for _ in range(200)))
        assert min(numbers) == 1001
        assert len(set(numbers)) == 200

    # ── Copying ─────────────────────────────────────────────────────────────────────────────────

    async def test_everything_is_read_page_by_page(self, store: Movable) -> None:
        names = [f"j{n:03}" for n in range(120)] + ["\ud83d"]
        await insert(store, *map(entry, names))
        pages = [[kept.id for kept in page] async for page in store.everything(Entry)]
        assert [id for page in pages for id in page] == names
        assert max(map(len, pages)) < 100
        assert [page async for page in store.everything(Case)] == []

    async def test_counting_goes_on_behind_what_was_copied(self, store: Movable) -> None:
        await store.apply(
            unit(Insert(record=entry("j1"), scope="k1"), Insert(record=entry("j2"), scope="k1"))
        )
        await store.go_on_after({"k1": 1, "k2": 7, "cases.number": 1041, "\ud83d": 2})
        assert await store.sequences() == {"k1": 2, "k2": 7, "cases.number": 1041, "\ud83d": 2}
        outcome = await store.apply(unit(Insert(record=entry("j3"), scope="k2")))
        assert outcome == Applied(sequences=(8,))
        assert await store.number() == 1042

    async def test_a_copied_record_keeps_version_and_sequence(self, store: Store) -> None:
        kept = await insert(store, case("s1", number=1, version=7))
        assert await store.get(Case, "s1") == kept
        assert await store.apply(unit(Update(record=kept))) == Applied()
        await insert(store, entry("j1", seq=9))
        assert [one.seq for one in await store.find(Query(kind=Entry))] == [9]

    async def test_a_record_can_be_replaced_in_one_unit(self, store: Store) -> None:
        await insert(store, case("s1", number=1, version=3))
        other = case("s1", number=1, language="xx")
        assert await store.apply(unit(Delete(kind=Case, id="s1"), Insert(record=other))) == Applied()
        assert await store.get(Case, "s1") == other

    # ── The end ─────────────────────────────────────────────────────────────────────────────────

    async def test_closing_finishes_what_was_accepted(self, store: Store) -> None:
        accepted = [asyncio.create_task(store.apply(inserts(entry(f"j{n}")))) for n in range(50)]
        await asyncio.sleep(0)
        await store.close()
        assert await asyncio.gather(*accepted) == [Applied()] * 50

    async def test_a_closed_store_says_so(self, store: Store) -> None:
        await store.close()
        await store.close()
        calls = (
            store.apply(unit(Add(counter="x"))),
            store.get(Event, "e1"),
            store.find(Query(kind=Event)),
            store.find(Query(kind=Event, limit=10_000)),
            store.count(Query(kind=Event)),
            store.counters(""),
            store.number(),
        )
        for call in calls:
            with pytest.raises(StoreUnavailable):
                await call


def unit(*writes: Write) -> Changes:
    return Changes(writes=writes)


def inserts(*records: Struct) -> Changes:
    return unit(*(Insert(record=record) for record in records))


async def insert(store: Store, *records: Any) -> Any:
    """Insert and return the first."""
    assert await store.apply(inserts(*records)) == Applied()
    return records[0]


async def at_once(store: Store, units: list[Changes]) -> list[Outcome]:
    return await asyncio.gather(*map(store.apply, units))


async def ids(store: Store, query: Query[Any]) -> list[str]:
    return [record.id for record in await store.find(query)]


async def found(store: Store, query: Query[Any]) -> list[str]:
    """The ids a query finds, whatever their order."""
    return sorted(await ids(store, query))

"""The recordings have the shape in which Telegram writes its updates.

Names, ids and words in them are invented. Which fields there are, and which come twice under an old name, is what
https://github.com/tdlib/telegram-bot-api (Client.cpp) writes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.telegram.updates import FILES
from tests.contracts.connector_contract import PAYLOADS

RECORDINGS = sorted((PAYLOADS / "telegram").glob("*.json"))
LEGACY = {
    "user": {"forward_from", "forward_date"},
    "hidden_user": {"forward_sender_name", "forward_date"},
    "chat": {"forward_from_chat", "forward_date"},
    "channel": {"forward_from_chat", "forward_from_message_id", "forward_date"},
}
NAMED = {"private": "first_name", "group": "title", "supergroup": "title", "channel": "title"}


def objects(value: Any, key: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object in a recording, with the key it stands under."""
    if isinstance(value, dict):
        yield key, value
        for name, inner in value.items():
            yield from objects(inner, name)
    for inner in value if isinstance(value, list) else ():
        yield from objects(inner, key)


@pytest.fixture(params=RECORDINGS, ids=lambda path: path.stem)
def recording(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def found(recording: Path) -> list[tuple[str, dict[str, Any]]]:
    return list(objects(json.loads(recording.read_bytes())))


def test_there_is_one_of_every_kind_and_no_number_comes_twice() -> None:
    numbers = Counter(json.loads(path.read_bytes())["update_id"] for path in RECORDINGS)
    assert len(RECORDINGS) > 100
    assert [number for number, times in numbers.items() if times > 1] == []


def test_an_update_is_written_as_on_the_wire(recording: Path) -> None:
    """The number on a line of its own, no blanks, nothing but ASCII."""
    first, second = recording.read_text(encoding="ascii").split("\n")
    update = json.loads(first + second)
    assert first == f'{{"update_id":{update["update_id"]},'
    (kind,) = set(update) - {"update_id"}
    assert second == f'"{kind}":{json.dumps(update[kind], separators=(",", ":"))}}}'


def test_people_and_chats_say_who_they_are(recording: Path) -> None:
    for key, one in found(recording):
        if "is_bot" in one:
            assert {"id", "first_name"} <= set(one), key
        if key in {"chat", "sender_chat", "actor_chat"}:
            assert NAMED[one["type"]] in one, key


def test_a_file_has_a_handle_a_lasting_id_and_a_size(recording: Path) -> None:
    for key, one in found(recording):
        if key in {*FILES, "thumbnail", "thumb"}:
            assert {"file_id", "file_unique_id", "file_size"} <= set(one), key


def test_a_thumbnail_comes_under_its_old_name_too(recording: Path) -> None:
    for _, one in found(recording):
        assert one.get("thumbnail") == one.get("thumb")


def test_a_forward_has_its_old_fields_too(recording: Path) -> None:
    for _, one in found(recording):
        if "forward_origin" in one:
            assert set(one) >= LEGACY[one["forward_origin"]["type"]]


def test_an_entity_lies_within_its_text(recording: Path) -> None:
    for _, one in found(recording):
        for text, entities in (("text", "entities"), ("caption", "caption_entities")):
            units = len(one.get(text, "").encode("utf-16-le")) // 2 if isinstance(one.get(text), str) else 0
            assert all(
                0 <= mark["offset"] < mark["offset"] + mark["length"] <= units
                for mark in one.get(entities, ())
            )

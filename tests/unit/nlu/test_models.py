"""Model files: found again as they were, noticed when they were not."""

import os
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from bot.domain.errors import BadData, Unknown
from nlu import models
from nlu.calibration import Logistic
from nlu.facts import Facts, Knowledge
from nlu.models import Model, Models, out_of_fold
from nlu.rules.roles import Role
from tests.unit.nlu.conftest import NOW


def older(model: Model, days: int, id: str) -> Model:
    return msgspec.structs.replace(model, id=id, created_at=NOW - timedelta(days=days))


def test_a_model_comes_back_as_it_was_saved(model: Model, tmp_path: Path) -> None:
    Models(tmp_path).save(model)
    loaded = Models(tmp_path).load(model.id)
    assert (loaded.id, loaded.created_at, loaded.facts) == (model.id, model.created_at, model.facts)
    assert all(np.array_equal(loaded.arrays[name], model.arrays[name]) for name in model.arrays)
    assert [path.name for path in tmp_path.iterdir()] == [f"{model.id}.npz"]


def test_a_model_file_holds_no_code(model: Model, tmp_path: Path) -> None:
    path = Models(tmp_path).save(model)
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            np.lib.format.read_array(archive.open(name), allow_pickle=False)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_a_file_cut_short_is_named_with_the_remedy(model: Model, tmp_path: Path, share: float) -> None:
    path = Models(tmp_path).save(model)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(BadData, match=f"{path.name}.*switchboard train.*switchboard rollback"):
        Models(tmp_path).load(model.id)


@pytest.mark.parametrize("place", [0.01, 0.2, 0.5, 0.7, 0.95])
def test_one_altered_byte_is_noticed(model: Model, tmp_path: Path, place: float) -> None:
    path = Models(tmp_path).save(model)
    content = bytearray(path.read_bytes())
    content[int(len(content) * place)] ^= 0x10
    path.write_bytes(bytes(content))
    with pytest.raises(BadData, match=path.name):
        Models(tmp_path).load(model.id)


def test_another_models_content_under_this_name_is_noticed(model: Model, tmp_path: Path) -> None:
    path = Models(tmp_path).save(model)
    path.rename(tmp_path / "0123456789abcdef.npz")
    with pytest.raises(BadData, match="its content is not what its name says"):
        Models(tmp_path).load("0123456789abcdef")


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 nonsense", b"\x93NUMPY\x01\x00"])
def test_a_file_that_is_something_else_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "abc.npz").write_bytes(content)
    with pytest.raises(BadData, match=r"abc\.npz"):
        Models(tmp_path).load("abc")
    assert Models(tmp_path).summaries()[0].damaged


@pytest.mark.parametrize("id", ["nope", "../../etc/passwd", "", "a b"])
def test_a_model_that_is_not_there_is_unknown(tmp_path: Path, id: str) -> None:
    with pytest.raises(Unknown, match="switchboard models"):
        Models(tmp_path).load(id)


def test_models_are_listed_newest_first_and_damaged_ones_last(model: Model, tmp_path: Path) -> None:
    models = Models(tmp_path)
    for days, id in ((2, "old"), (0, "new"), (1, "middle")):
        models.save(older(model, days, id))
    (tmp_path / "broken.npz").write_bytes(b"x")
    assert [one.id for one in models.summaries()] == ["new", "middle", "old", "broken"]
    first = models.summaries()[0]
    assert (first.intents, first.examples, first.engine) == (5, 42, "embedded")
    assert first.scores["accuracy"] > 0


@pytest.mark.parametrize("created_at", [datetime(1, 1, 1), datetime(1, 1, 1, tzinfo=UTC)])  # noqa: DTZ001
def test_a_strange_date_spoils_no_list(model: Model, tmp_path: Path, created_at: datetime) -> None:
    models = Models(tmp_path)
    models.save(msgspec.structs.replace(model, created_at=created_at))
    (found,) = models.summaries()
    assert bool(found.damaged) == (created_at.tzinfo is None)


def test_a_folder_that_is_not_there_has_no_models(tmp_path: Path) -> None:
    models = Models(tmp_path / "later")
    assert (models.summaries(), models.prune(3)) == ([], [])


def test_pruning_keeps_the_newest_and_never_takes_a_protected_one(model: Model, tmp_path: Path) -> None:
    models = Models(tmp_path)
    for days in range(5):
        models.save(older(model, days, f"m{days}"))
    assert models.prune(2, protect={"m4"}) == ["m2", "m3"]
    assert [one.id for one in models.summaries()] == ["m0", "m1", "m4"]


def test_a_failed_save_leaves_nothing_behind(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(BadData, match=r"cannot be saved \(No space left on device\); check `nlu\.models`"):
        Models(tmp_path).save(model)
    assert list(tmp_path.iterdir()) == []


def test_the_cross_validation_is_in_the_model(model: Model) -> None:
    rows = list(out_of_fold(model))
    assert len(rows) == model.facts.examples
    assert rows[0].text == "Wo ist mein Paket?"
    assert {row.expected for row in rows} == set(model.facts.intents)
    assert all(0 <= row.confidence <= 1 and 0 <= row.out_of_scope <= 1 for row in rows)
    right = sum(row.expected == row.predicted for row in rows) / len(rows)
    assert right == pytest.approx(model.facts.scores["accuracy"], abs=1e-4)


@pytest.mark.parametrize("changed", [{"urgent": None}, {"something_newer": 7}])
def test_a_version_that_knows_other_facts_gives_a_file_the_same_id(
    model: Model, tmp_path: Path, changed: dict[str, object]
) -> None:
    facts = {**msgspec.to_builtins(model.facts), **changed}
    written = msgspec.json.encode({key: value for key, value in facts.items() if value is not None})
    id = models._name(written, "embedded", model.arrays)
    members = {
        "facts": np.frombuffer(written, np.uint8),
        "created_at": np.frombuffer(b"2026-11-22T12:00:00Z", np.uint8),
    }
    np.savez(tmp_path / f"{id}.npz", allow_pickle=False, **model.arrays, **members)
    assert Models(tmp_path).load(id).facts.intents == model.facts.intents


HEADERS = {  # what stands in the directory of an archive, and where in an entry of it
    "a version nobody reads": (6, 0xFF),
    "encrypted": (8, 0x01),
    "strongly encrypted": (8, 0x40),
    "patched": (8, 0x20),
    "a method nobody knows": (10, 0xFF),
}


@pytest.mark.parametrize("what", HEADERS)
def test_an_altered_directory_is_damage_like_any_other(model: Model, tmp_path: Path, what: str) -> None:
    path = Models(tmp_path).save(model)
    content, (place, value) = bytearray(path.read_bytes()), HEADERS[what]
    for entry in (match.start() for match in re.finditer(rb"PK\x01\x02", bytes(content))):
        content[entry + place] = value
    path.write_bytes(bytes(content))
    with pytest.raises(BadData, match="switchboard train"):
        Models(tmp_path).load(model.id)
    assert Models(tmp_path).summaries()[0].damaged


def test_a_file_that_unpacks_to_more_than_it_is_takes_no_memory(model: Model, tmp_path: Path) -> None:
    path = tmp_path / f"{model.id}.npz"
    np.savez_compressed(path, allow_pickle=False, **{**model.arrays, "facts": np.zeros(50_000_000, np.uint8)})
    with pytest.raises(BadData, match="holds more than its size"):
        Models(tmp_path).load(model.id)
    assert "holds more than its size" in Models(tmp_path).summaries()[0].damaged


def test_an_array_that_says_it_is_huge_is_damage(model: Model, tmp_path: Path) -> None:
    path = Models(tmp_path).save(model)
    shape = f"({len(model.facts.intents)},)".encode()
    path.write_bytes(
        path.read_bytes().replace(shape + b", }" + b" " * 20, b"(99999999999999,), }" + b" " * 7)
    )
    with pytest.raises(BadData, match="switchboard train"):
        Models(tmp_path).load(model.id)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("weights", lambda array: array * np.float16("nan")),
        ("weights", lambda array: array[:, 1:]),
        ("weights", lambda array: array.astype(np.int32)),
        ("bias", lambda array: array[1:]),
        ("idf", lambda array: array[:, None]),
        ("words", lambda array: array[: array.size // 2]),
        ("near_columns", lambda array: array + np.uint16(60_000)),
        ("near_starts", lambda array: array[::-1]),
        ("near_intents", lambda array: array[:-1]),
        ("oof_predicted", lambda array: array + 50),
        ("oof_confidence", lambda array: array[1:]),
        ("bias", lambda _: None),
        ("words", lambda array: np.where(array == ord("o"), np.uint8(0xFF), array)),
        ("oof_texts", lambda array: array[: array.size // 2]),
        ("oof_texts", lambda array: np.where(array == ord("o"), np.uint8(0xFF), array)),
    ],
)
def test_arrays_that_do_not_fit_each_other_are_refused(
    model: Model, tmp_path: Path, name: str, change: Callable[[NDArray[Any]], NDArray[Any] | None]
) -> None:
    arrays = dict(model.arrays)
    changed = change(arrays.pop(name))
    if changed is not None:
        arrays[name] = changed
    made = msgspec.structs.replace(model, id=models.name(model.facts, arrays), arrays=arrays)
    Models(tmp_path).save(made)
    with pytest.raises(BadData, match=name):
        Models(tmp_path).load(made.id)


def test_a_model_that_was_never_judged_is_refused(model: Model, tmp_path: Path) -> None:
    arrays = {key: array[:0] if key.startswith("oof_") else array for key, array in model.arrays.items()}
    made = msgspec.structs.replace(model, id=models.name(model.facts, arrays), arrays=arrays)
    Models(tmp_path).save(made)
    with pytest.raises(BadData, match="oof_expected"):
        Models(tmp_path).load(made.id)


def changed(**facts: Any) -> Callable[[Facts], Facts]:
    return lambda found: msgspec.structs.replace(found, **facts)


def judged_by(weights: int) -> Logistic:
    return Logistic(weights=(1.0,) * weights, bias=0.0, low=(0.0,) * weights, high=(1.0,) * weights)


@pytest.mark.parametrize(
    ("complaint", "change"),
    [
        ("temperature", changed(temperature=0.0)),
        ("temperature", changed(temperature=-1.0)),
        ("correct", changed(correct=judged_by(6))),
        ("strange", changed(strange=judged_by(0))),
        ("intents", changed(intents=("out_of_scope",) * 5)),
        ("regex", changed(knowledge=Knowledge(regexes=(("order_number", "NW-(?P<x"),)))),
        ("regex", changed(knowledge=Knowledge(regexes=(("order_number", "a(?i)b"),)))),
        ("urgency", changed(knowledge=Knowledge(urgency={"refund": "soon"}))),
        ("roles", changed(knowledge=Knowledge(roles=(Role(entity="city", count=0, cues={}),)))),
    ],
)
def test_facts_that_nothing_could_be_understood_by_are_refused(
    model: Model, tmp_path: Path, complaint: str, change: Callable[[Facts], Facts]
) -> None:
    facts = change(model.facts)
    made = msgspec.structs.replace(model, id=models.name(facts, model.arrays), facts=facts)
    path = Models(tmp_path).save(made)
    with pytest.raises(BadData, match=rf"{path.name}: .*{complaint}"):
        Models(tmp_path).load(made.id)


def test_a_pipe_named_like_a_model_is_a_damaged_one_and_nobody_waits_for_it(
    model: Model, tmp_path: Path
) -> None:
    Models(tmp_path).save(model)
    os.mkfifo(tmp_path / "0123456789abcdef.npz")
    assert [bool(one.damaged) for one in Models(tmp_path).summaries()] == [False, True]
    with pytest.raises(BadData, match="it is no file"):
        Models(tmp_path).load("0123456789abcdef")


@pytest.mark.parametrize("inside", [b"no archive", None])
def test_nobody_is_advised_to_run_what_is_inside(tmp_path: Path, inside: bytes | None) -> None:
    path = tmp_path / "abc.npz"
    if inside is None:
        np.savez(path, facts=np.array([{}], dtype=object), allow_pickle=True)
    else:
        path.write_bytes(inside)
    with pytest.raises(BadData, match="something other than numbers and texts") as error:
        Models(tmp_path).load("abc")
    assert "pickle" not in str(error.value)


def test_a_model_that_goes_while_the_folder_is_listed_is_no_accident(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Models(tmp_path).save(model)
    listed = [tmp_path / "gone.npz", *tmp_path.glob("*.npz")]
    monkeypatch.setattr(Path, "glob", lambda *_: iter(listed))
    found = [(one.id, bool(one.damaged)) for one in Models(tmp_path).summaries()]
    assert found == [(model.id, False), ("gone", True)]


def test_a_damaged_model_is_not_given_to_others(model: Model, tmp_path: Path) -> None:
    path = Models(tmp_path).save(model)
    assert Models(tmp_path).read(model.id) == path.read_bytes()
    path.write_bytes(path.read_bytes()[:-30] + bytes(30))
    with pytest.raises(BadData, match="cannot be used"):
        Models(tmp_path).read(model.id)


def altered(path: Path, array: str = "weights") -> None:
    """One byte of an array, so that the head of the file says nothing of it."""
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo(f"{array}.npy").header_offset + 400
    content = bytearray(path.read_bytes())
    content[start] ^= 0x10
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("name", ["{}.backup.npz", "copy of {}.npz", "{} (1).npz", "{}-old.npz"])
def test_a_file_that_is_not_named_like_a_model_is_none(model: Model, tmp_path: Path, name: str) -> None:
    models = Models(tmp_path)
    odd = tmp_path / name.format(model.id)
    odd.write_bytes(models.save(older(model, 1, model.id)).read_bytes())
    assert [one.id for one in models.summaries()] == [model.id]
    assert (models.prune(0), odd.exists()) == ([model.id], True)


def test_a_folder_named_like_a_model_is_a_damaged_one_and_stays(model: Model, tmp_path: Path) -> None:
    models = Models(tmp_path)
    models.save(model)
    (tmp_path / "abc.npz").mkdir()
    assert [bool(one.damaged) for one in models.summaries()] == [False, True]
    assert models.prune(1) == []


def test_a_file_from_elsewhere_is_on_disk_before_it_gets_its_name(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = Models(tmp_path).save(model).read_bytes()
    synced: list[int] = []
    fsync, replace = os.fsync, Path.replace

    def noted(handle: int) -> None:
        synced.append(os.fstat(handle).st_size)
        fsync(handle)

    def named(draft: Path, path: Path) -> Path:
        assert synced == [len(content)]
        return replace(draft, path)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(Path, "replace", named)
    Models(tmp_path / "there").write(model.id, content)
    assert Models(tmp_path / "there").load(model.id).id == model.id

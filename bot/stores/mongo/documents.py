"""Collections as MongoDB keeps them: a record's document, what a query asks for, and the indexes that answer it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from msgspec import Struct
from pymongo import ASCENDING, DESCENDING, DeleteOne, IndexModel, InsertOne, UpdateOne

from bot.domain.accounts import Session
from bot.domain.actions import ActionDone
from bot.domain.ports import Query
from bot.domain.schema import COLLECTIONS, Collection
from bot.stores.driver import Document
from bot.stores.records import column, encode, kept, uniques, unknown_field

Sort = list[tuple[str, int]]
Operation = InsertOne[Document] | UpdateOne | DeleteOne

MOST_BYTES = 15 * 2**20  # of a body: MongoDB's 16 MiB less what stands beside it
GONE = "gone_at"  # when MongoDB may delete a document by itself
CAME = "came"  # when a document was inserted: ties stay in this order
AT_LEAST = timedelta(days=1)  # that is kept: what comes from another store is compared with it first
_came = count(time.time_ns())

# Only what nobody can miss: a session that is over opens nothing, and nobody repeats a click after months. Events,
# rows and journal stay: they are what a late redelivery, a reply or an audit is recognised by.
KEPT_UNTIL: Mapping[type[Struct], Callable[[Any], datetime]] = {
    Session: lambda session: session.expires_at + timedelta(days=1),
    ActionDone: lambda action: action.at + timedelta(days=90),
}


class Documents:
    """One collection: `_id`, `version`, `came`, `body` (the record as JSON) and the fields that can be asked for."""

    def __init__(self, kind: type[Struct], collection: Collection) -> None:
        self.kind = kind
        self.name = collection.name
        self.uniques = tuple(uniques(collection))
        self._fields = collection.fields
        self._known = {"id": "_id"} | {field: field for field in collection.fields}
        self._until = KEPT_UNTIL.get(kind)
        self._alone = {"_id"} | {fields[0] for fields in collection.unique if len(fields) == 1}

    def insert(self, record: Any) -> InsertOne[Document]:
        version = getattr(record, "version", 0)
        own = {"_id": column(record.id), "version": version, CAME: next(_came)}
        until = {GONE: max(self._until(record), datetime.now(UTC) + AT_LEAST)} if self._until else {}
        return InsertOne(own | until | self._contents(record))

    def update(self, counted: Any) -> UpdateOne:
        """`counted` is the record with its new version."""
        of_before = {"_id": column(counted.id), "version": counted.version - 1}
        return UpdateOne(of_before, {"$set": {"version": counted.version, **self._contents(counted)}})

    def delete(self, id: str) -> DeleteOne:
        return DeleteOne({"_id": column(id)})

    def guard(self, id: str, version: int) -> UpdateOne:
        """Reading would not keep others from writing it meanwhile, and a write that changes nothing is none."""
        return UpdateOne({"_id": column(id), "version": version}, {"$inc": {"guarded": 1}})

    def filter(self, query: Query[Any]) -> Document:
        """Raises `ValueError` for a field that is not kept."""
        tests: list[Document] = [{self._field(name): _equal(value)} for name, value in query.equals.items()]
        for sign, bounds in (("$lte", query.until), ("$gt", query.after)):
            tests += [{self._field(name): {sign: column(bound)}} for name, bound in bounds.items()]
        return {"$and": tests} if len(tests) > 1 else (tests[0] if tests else {})

    def sort(self, query: Query[Any]) -> Sort:
        if not query.order:
            return []
        direction = DESCENDING if query.order.startswith("-") else ASCENDING
        field = self._field(query.order.removeprefix("-"))
        return [(field, direction), *([] if field in self._alone else [(CAME, direction)])]

    def _contents(self, record: Any) -> Document:
        body = encode(record)
        if len(body) > MOST_BYTES:
            raise ValueError(
                f"A {self.kind.__name__} of {len(body)} bytes is more than MongoDB keeps in a document."
            )
        return {"body": body} | {field: column(getattr(record, field)) for field in self._fields}

    def _field(self, name: str) -> str:
        if name not in self._known:
            raise unknown_field(self.kind, name)
        return self._known[name]


def _equal(wanted: Any) -> Any:
    return {"$in": [column(value) for value in wanted]} if isinstance(wanted, tuple) else column(wanted)


DOCUMENTS: Mapping[type[Struct], Documents] = {
    kind: Documents(kind, collection) for kind, collection in COLLECTIONS.items()
}


def documents(kind: type[Struct]) -> Documents:
    """Raises `TypeError` for a kind that is not kept."""
    kept(kind)
    return DOCUMENTS[kind]


def indexes(kind: type[Struct]) -> list[IndexModel]:
    """What the schema asks for; an index knows the order of insertion too, so that ties need no sorting."""
    collection = COLLECTIONS[kind]
    return [
        *(_index((*fields, CAME)) for fields in collection.indexes),
        *(_index(fields, unique=True) for fields in collection.unique),
        *(
            _index((over,), f"{over}_while_{field}", unique=True, partialFilterExpression={field: 1})
            for field, over in collection.unique_while
        ),
        *([_index((GONE,), expireAfterSeconds=0)] if kind in KEPT_UNTIL else []),
    ]


def _index(fields: tuple[str, ...], name: str = "", **options: Any) -> IndexModel:
    return IndexModel([(field, ASCENDING) for field in fields], name=name or "_".join(fields), **options)

"""Collections as tables: which SQL reads and writes them."""
# ruff: noqa: S608 - names come from the schema, values are always bound

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from bot.domain.ports import Query
from bot.domain.schema import COLLECTIONS, Collection
from bot.stores.records import Value, column, kept, uniques, unknown_field


class Table:
    """One collection's statements, written once; values follow the order of `row`."""

    def __init__(self, kind: type[Struct], collection: Collection) -> None:
        self.kind = kind
        self.name = _quoted(collection.name)
        self.fields = collection.fields
        self.uniques = tuple(uniques(collection))
        self._known = frozenset({"id", *collection.fields})
        names = [_quoted(name) for name in ("body", *collection.fields, "version", "id")]
        places = ", ".join("?" for _ in names)
        settings = ", ".join(f"{name} = ?" for name in names[:-2])
        self.insert = f"INSERT INTO {self.name} ({', '.join(names)}) VALUES ({places})"
        self.update = f"UPDATE {self.name} SET {settings}, version = version + 1 WHERE version = ? AND id = ?"
        self.delete = f"DELETE FROM {self.name} WHERE id = ?"
        self.get = f"SELECT body FROM {self.name} WHERE id = ?"
        self.version = f"SELECT version FROM {self.name} WHERE id = ?"

    def row(self, record: Struct, body: bytes, version: int) -> list[Value]:
        columns = [column(getattr(record, field)) for field in self.fields]
        return [body, *columns, version, column(record.id)]  # type: ignore[attr-defined]

    def twins(self, record: Struct) -> Iterable[tuple[str, list[Value]]]:
        """Queries for the id of another record that a unique index does not allow beside this one."""
        own = column(record.id)  # type: ignore[attr-defined]
        for unique in self.uniques:
            if (shared := unique.shared(record)) is not None:
                equal = " AND ".join(f"{_quoted(field)} = ?" for field in shared)
                yield f"SELECT id FROM {self.name} WHERE id <> ? AND {equal}", [own, *shared.values()]

    def select(self, what: str, query: Query[Any]) -> tuple[str, list[Value]]:
        """SQL and values for the rows a query asks for; raises `ValueError` for a field that is not kept."""
        tests: list[str] = []
        values: list[Value] = []
        for field, wanted in query.equals.items():
            test, compared = _equals(self._column(field), wanted)
            tests.append(test)
            values += compared
        for sign, bounds in (("<=", query.until), (">", query.after)):
            tests += [f"{self._column(field)} {sign} ?" for field in bounds]
            values += [column(bound) for bound in bounds.values()]
        where = f" WHERE {' AND '.join(tests)}" if tests else ""
        return f"SELECT {what} FROM {self.name}{where}", values

    def order(self, query: Query[Any]) -> str:
        """Ties stay in the order of insertion, which every index knows without sorting."""
        if not query.order:
            return ""
        direction = " DESC" if query.order.startswith("-") else ""
        return f" ORDER BY {self._column(query.order.removeprefix('-'))}{direction}, rowid{direction}"

    def _column(self, field: str) -> str:
        if field not in self._known:
            raise unknown_field(self.kind, field)
        return _quoted(field)


def _quoted(name: str) -> str:
    return f'"{name}"'


def _equals(name: str, wanted: Any) -> tuple[str, Sequence[Value]]:
    if wanted is None:
        return f"{name} IS NULL", ()
    if not isinstance(wanted, tuple):
        return f"{name} = ?", (column(wanted),)
    values = [column(value) for value in wanted if value is not None]
    among = f"{name} IN ({', '.join('?' for _ in values)})"
    return (f"({among} OR {name} IS NULL)" if None in wanted else among), values


TABLES: Mapping[type[Struct], Table] = {kind: Table(kind, found) for kind, found in COLLECTIONS.items()}


def table(kind: type[Struct]) -> Table:
    """Raises `TypeError` for a kind that is not kept."""
    kept(kind)
    return TABLES[kind]

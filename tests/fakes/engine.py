"""An engine that understands exactly what a test says it understands."""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.errors import EngineUnavailable
from bot.domain.understanding import Context, Intent, Understanding


class FakeEngine:
    model = "fake"
    intents = ("hours", "returns", "parcel")

    def __init__(self, known: Mapping[str, Understanding] | None = None) -> None:
        self.known = dict(known or {})
        self.asked: list[str] = []
        self.breaks = False
        self.away = False

    async def understand(self, text: str, context: Context) -> Understanding:
        self.asked.append(text)
        if self.breaks:
            raise RuntimeError("the engine broke")
        if self.away:
            raise EngineUnavailable("No model is live.")
        nothing = Understanding(text=text, intent=Intent(name="", confidence=0.0), language="en")
        return self.known.get(text, nothing)


class FakeLookups:
    def __init__(self, records: Mapping[str, Mapping[str, object]] | None = None) -> None:
        self.records = dict(records or {})
        self.error: Exception | None = None

    def has(self, name: str) -> bool:
        return name == "order"

    async def fetch(self, name: str, values: Mapping[str, str]) -> Mapping[str, object] | None:
        if self.error:
            raise self.error
        return self.records.get(values.get("order_number", ""))

"""The channels: one module and one line here for each."""

from __future__ import annotations

from connectors.base import ConnectorClass, Deps
from connectors.telegram import Telegram
from connectors.webchat import WebChat

CONNECTORS: dict[str, ConnectorClass] = {
    "webchat": WebChat,
    "telegram": Telegram,
}
# Names that a configuration may hold already, to be told that they are not there yet.
PLANNED = ("messenger", "instagram", "whatsapp", "x", "feeds")

__all__ = ["CONNECTORS", "PLANNED", "ConnectorClass", "Deps"]

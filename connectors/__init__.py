"""The channels: one module and one line here for each."""

from __future__ import annotations

from connectors.base import ConnectorClass, Deps
from connectors.telegram import Telegram
from connectors.webchat import WebChat

CONNECTORS: dict[str, ConnectorClass] = {
    "webchat": WebChat,
    "telegram": Telegram,
}

__all__ = ["CONNECTORS", "ConnectorClass", "Deps"]

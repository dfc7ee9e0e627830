"""The web chat's routes: sessions, messages, files, receipts, the stream, and the widget any site can embed."""

from bot.web.chat.routes import setup

__all__ = ["setup"]

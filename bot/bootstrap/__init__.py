"""The composition root: the only place that picks implementations and puts them together."""

from bot.bootstrap.answers import pull_content, push_content
from bot.bootstrap.commands import (
    Conversation,
    add_user,
    chat,
    check,
    evaluate,
    list_users,
    models,
    promote,
    remove_user,
    replay,
    rollback,
    train,
)
from bot.bootstrap.moving import backup, migrate
from bot.bootstrap.serving import serve

__all__ = [
    "Conversation",
    "add_user",
    "backup",
    "chat",
    "check",
    "evaluate",
    "list_users",
    "migrate",
    "models",
    "promote",
    "pull_content",
    "push_content",
    "remove_user",
    "replay",
    "rollback",
    "serve",
    "train",
]

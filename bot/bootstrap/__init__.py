"""The composition root: the only place that picks implementations and puts them together."""

from bot.bootstrap.answers import pull_content, push_content
from bot.bootstrap.commands import (
    Conversation,
    add_user,
    chat,
    evaluate,
    list_users,
    models,
    promote,
    remove_user,
    replay,
    rollback,
    train,
)
from bot.bootstrap.doctor import check
from bot.bootstrap.explaining import Explained, explainer
from bot.bootstrap.moving import backup, migrate
from bot.bootstrap.serving import serve

__all__ = [
    "Conversation",
    "Explained",
    "add_user",
    "backup",
    "chat",
    "check",
    "evaluate",
    "explainer",
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

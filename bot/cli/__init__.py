"""The command line: says what it did and what to do next; the work itself is in `bot.bootstrap`.

Whatever is slow to import is imported by the command that needs it, so that `--help` is there at once.
"""

from bot.cli import content, desks, models, moving, planned, running, trying, users
from bot.cli.frame import cli, main

__all__ = ["cli", "main"]

for known in (
    running.serve,
    running.check,
    models.train,
    models.evaluate,
    models.models,
    models.promote,
    models.rollback,
    content.content,
    trying.understand,
    trying.chat,
    trying.replay,
    users.user,
    moving.backup,
    moving.migrate,
    desks.slack_manifest,
    planned.export,
    planned.erase,
):
    cli.add_command(known)

"""`backup`, `migrate`."""

from __future__ import annotations

from pathlib import Path

import click

from bot.cli.frame import command, run, settings_of
from bot.cli.printing import bold, sign_of_life
from bot.domain.plural import count

MEGABYTE = 1_000_000


@command(example="switchboard backup /backup/switchboard.db")
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_context
def backup(ctx: click.Context, *, file: Path) -> None:
    """Copy the store, as it is at one moment, into a new file; the server may go on meanwhile."""
    settings = settings_of(ctx)
    from bot import bootstrap

    size = run(bootstrap.backup(settings, file))
    click.echo(f"{bold(str(file))} is a copy of {settings.store.shown}: {size / MEGABYTE:.1f} MB, checked.")
    click.echo(
        f"Copy {settings.files.shown}, {settings.nlu.models} and the secret key too, after it: docs/operating.md."
    )


@command(example="switchboard migrate --to 'mongodb://127.0.0.1/switchboard?replicaSet=rs0'")
@click.option("--to", metavar="URL", required=True, help="An empty database: mongodb://… or sqlite:///….")
@click.option(
    "--files",
    metavar="URL",
    help="Where files go: mongodb://… or a folder. [default: into MongoDB with the rest]",
)
@click.pass_context
def migrate(ctx: click.Context, *, to: str, files: str | None) -> None:
    """Copy the store and the files to another database, and compare them. Stop the servers first.

    Nothing is changed in the store that is configured. Where it breaks off, it can be run again.
    """
    settings = settings_of(ctx)
    from bot import bootstrap

    def told(what: str, many: int) -> None:
        sign_of_life(f"{what}: {many}")

    target, moved = run(bootstrap.migrate(settings, to, files, told))
    records = sum(moved.records.values())
    click.echo(
        f"{bold(target.store.shown)} has everything now, compared one by one: {count(records, 'record')}, "
        f"{count(moved.sequences, 'sequence')}, {count(moved.files, 'file')}."
    )
    click.echo(f"Put its address into {settings.file} before you start a server:")
    for key, before, now in (
        ("store", settings.store, target.store),
        ("files", settings.files, target.files),
    ):
        click.echo(f"  {key}: {now.shown}" + ("" if now != before else "   (as it was)"))
    if target.shared and not settings.shared:
        click.echo(
            "  queue: redis://…\n"
            "and set SWITCHBOARD_SECRET_KEY to what secret.key holds, beside the old store: docs/scaling.md."
        )
    elif settings.shared and not target.shared:
        click.echo("  queue: memory://\nand keep SWITCHBOARD_SECRET_KEY set as it is.")

"""`content push` and `content pull`: the answers file, and the answers every process follows."""

from __future__ import annotations

import click

from bot.cli.frame import Commands, command, run, settings_of


@click.group(
    cls=Commands,
    example="switchboard content push",
    short_help="The answers file, and the answers that every process follows.",
)
def content() -> None:
    """Put the answers file into the store, where every process follows it, or get it back.

    Until the first push each process reads the file on its own machine.
    """


@command(example="switchboard content push")
@click.pass_context
def push(ctx: click.Context) -> None:
    """Let all running servers answer with what the file says; they follow within two seconds."""
    settings = settings_of(ctx)
    from bot import bootstrap

    run(bootstrap.push_content(settings))
    click.echo(
        f"The answers of {settings.nlu.answers} are in use. Get them back with: switchboard content pull"
    )


@command(example="switchboard content pull")
@click.pass_context
def pull(ctx: click.Context) -> None:
    """Write the answers in use into the file."""
    settings = settings_of(ctx)
    from bot import bootstrap

    if run(bootstrap.pull_content(settings)):
        click.echo(f"{settings.nlu.answers} holds the answers in use.")
    else:
        click.echo(f"Nothing was pushed; each server reads its own {settings.nlu.answers}.")


content.add_command(push)
content.add_command(pull)

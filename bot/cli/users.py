"""`user add`, `user list`, `user remove`."""

from __future__ import annotations

import os
import secrets

import click

from bot.cli import frame
from bot.cli.frame import Commands, as_json, run, settings_of
from bot.cli.printing import bold, print_json, print_table
from bot.domain.plural import count

PASSWORD = "SWITCHBOARD_USER_PASSWORD"  # noqa: S105 - the name of a variable
GENERATED_BYTES = 12  # 96 bits


@click.group(cls=Commands, example="switchboard user add ada --role agent")
def user() -> None:
    """Console accounts: who may log in at /console."""


@user.command("add", example="switchboard user add ada --role agent")
@click.argument("name")
@click.option("--role", type=click.Choice(["agent", "supervisor", "admin"]), required=True)
@click.pass_context
def add(ctx: click.Context, *, name: str, role: str) -> None:
    """Add an account.

    The password is asked for; without a terminal it is read from SWITCHBOARD_USER_PASSWORD. When neither gives one,
    one is made up and shown once.
    """
    settings = settings_of(ctx)
    from bot import bootstrap

    given = _password()
    password = given or secrets.token_urlsafe(GENERATED_BYTES)
    address = run(bootstrap.add_user(settings, name, role, password))
    click.echo(f"{bold(name)} can log in as {role} at {address}/console.")
    if not given:
        click.echo(f"Password (shown once): {password}")


def _password() -> str:
    given = os.environ.get(PASSWORD, "")
    if given or not frame.somebody_types():
        return given
    question = "Password (empty: make one up)"
    return str(
        click.prompt(question, default="", show_default=False, hide_input=True, confirmation_prompt=True)
    )


@user.command("list", example="switchboard user list")
@as_json
@click.pass_context
def list_(ctx: click.Context, *, machine: bool) -> None:
    """List the accounts."""
    settings = settings_of(ctx)
    from bot import bootstrap

    found = run(bootstrap.list_users(settings))
    if machine:
        print_json([{"name": one.id, "role": one.role, "created_at": one.created_at} for one in found])
    elif found:
        rows = [(one.id, one.role, f"{one.created_at:%Y-%m-%d}") for one in found]
        print_table(("NAME", "ROLE", "SINCE"), rows)
    else:
        click.echo("There is no account yet. Add one with: switchboard user add NAME --role agent")


@user.command("remove", example="switchboard user remove ada")
@click.argument("name")
@click.pass_context
def remove(ctx: click.Context, *, name: str) -> None:
    """Remove an account, end its sessions and give back the cases it had."""
    settings = settings_of(ctx)
    from bot import bootstrap

    removed = run(bootstrap.remove_user(settings, name))
    click.echo(f"{bold(name)} can no longer log in.")
    if removed.given_back:
        click.echo(f"{count(removed.given_back, 'case')} of {name} wait for somebody again.")
    if not removed.admins:
        warning = click.style("warning:", fg="yellow")
        add = "switchboard user add NAME --role admin"
        click.echo(f"{warning} No admin is left. Add one with: {add}", err=True)

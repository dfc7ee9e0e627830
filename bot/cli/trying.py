"""`understand`, `chat` and `replay`: try things out without a customer."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import click

from bot.cli import frame
from bot.cli.frame import FAILED, as_json, command, run, settings_of
from bot.cli.printing import bold, print_json, print_json_line, print_rows, print_table

if TYPE_CHECKING:
    from bot.bootstrap import Conversation, Explained

SILENCE = "(silence: the case is with a person now)"


@command(
    example='switchboard understand "Where is my parcel 4711?"\nswitchboard understand --json < messages.txt'
)
@click.argument("text", required=False)
@as_json
@click.pass_context
def understand(ctx: click.Context, *, text: str | None, machine: bool) -> None:
    """Say what the live model understands, and what the bot would do were this the first message of a case.

    Without TEXT each line of standard input is a message. Everything happens in this process, nothing is stored, and
    no lookup is asked; with nlu.engine: rasa, Rasa is asked as the server asks it.
    """
    settings = settings_of(ctx)
    from bot import bootstrap

    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        explainer = runner.run(stack.enter_async_context(bootstrap.explainer(settings)))
        try:
            for message in _messages() if text is None else [text]:
                _show(runner.run(explainer.explain(message)), machine=machine, headed=text is None)
        finally:
            runner.run(stack.aclose())


def _messages() -> Iterator[str]:
    if frame.somebody_types():
        click.echo("Each line is a message. Ctrl-D ends.", err=True)
    yield from filter(None, (line.strip() for line in sys.stdin))


def _show(found: Explained, *, machine: bool, headed: bool) -> None:
    if machine and headed:
        print_json_line(found.builtins())
    elif machine:
        print_json(found.builtins())
    else:
        if headed:
            click.echo(bold(found.understanding.text))
        print_rows(list(found.rows()), indent="  " if headed else "")


@command(example='switchboard chat --customer ada\necho "Wo ist mein Paket 4711?" | switchboard chat')
@click.option("--customer", metavar="NAME", default="terminal", show_default=True, help="Who you are.")
@click.pass_context
def chat(ctx: click.Context, *, customer: str) -> None:
    """Talk to the bot in the terminal; an empty line or Ctrl-D ends it.

    Everything happens in this process, on a store of its own that is thrown away: no running server hears of it, and
    a case that goes to a person waits for nobody. The live model and the configured lookups are used; the shipped
    lookup is a route of the server, which has to be running for it.
    """
    settings = settings_of(ctx)
    from bot import bootstrap

    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        conversation = runner.run(stack.enter_async_context(bootstrap.chat(settings, customer)))
        try:
            _talk(runner, conversation)
        finally:
            runner.run(stack.aclose())


def _talk(runner: asyncio.Runner, conversation: Conversation) -> None:
    """Read between the runs of the loop, so that Ctrl-C works; the bot only has to be awake while it is asked."""
    typing = frame.somebody_types()
    if typing:
        click.echo("You are talking to the bot. An empty line ends the conversation.\n")
    while True:
        if typing:
            click.echo(click.style("you  ", fg="cyan"), nl=False)
        text = sys.stdin.readline().strip()
        if not text:
            return
        for reply in runner.run(conversation.ask(text)) or [SILENCE]:
            indented = reply.replace("\n", "\n     ")
            click.echo(f"{click.style('bot', fg='green')}  {indented}")


@command(example="switchboard replay recorded.json --channel webchat --account site")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--channel", required=True, help="As in the configuration, such as webchat.")
@click.option("--account", required=True, help="Which of the channel's accounts, such as site.")
@as_json
@click.pass_context
def replay(ctx: click.Context, *, file: str, channel: str, account: str, machine: bool) -> None:
    """Put a recorded webhook body through the whole pipeline of a running server.

    No signature is asked for: whoever may read the configuration may do this. What was stored before is recognised
    and not answered twice. Exits with 1 unless all of it was processed.
    """
    settings = settings_of(ctx)
    from bot import bootstrap

    with click.open_file(file, "rb") as recorded:
        outcome = run(bootstrap.replay(settings, recorded.read(), channel, account))
    states = [event["state"] for event in outcome["events"]]
    if machine:
        print_json(outcome)
    else:
        print_table(("EVENT", "STATE"), [(event["id"], event["state"]) for event in outcome["events"]])
        click.echo(f"\n{_what_became_of(states)}")
    ctx.exit(0 if all(state == "done" for state in states) else FAILED)


def _what_became_of(states: Sequence[str]) -> str:
    if not states:
        return "The file holds nothing that this channel tells us."
    if "parked" in states:
        return "Some could not be processed; their cases went to a person, and the server's log says why."
    if "pending" in states:
        return "Stored, but not processed yet: start the server with `switchboard serve`, and it will be."
    return "All of it was processed."

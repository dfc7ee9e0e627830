"""Commands that are promised and not built yet: they say so instead of pretending."""

from __future__ import annotations

from typing import Any, NoReturn

import click

from bot.cli.frame import MISUSED, Commands, Exemplified, Problem


def _promised(name: str, typed: str, what: str, instead: str, *params: click.Parameter) -> Exemplified:
    """A command that would do `what`, and until then has `instead` to offer."""

    def says(**_: Any) -> NoReturn:
        raise Problem(f"`switchboard {name}` is not available yet; {instead}", MISUSED)

    return Exemplified(
        name.rpartition(" ")[2],
        help=f"{what} Not available yet.",
        short_help=f"Not yet: {what[0].lower()}{what[1:]}",
        example=f"switchboard {name} {typed}".rstrip(),
        params=list(params),
        callback=says,
    )


def _customer() -> click.Option:
    return click.Option(["--customer"], metavar="ID", required=True, help="Whose data.")


export = _promised(
    "export",
    "--customer 0198c2",
    "Hand out everything that is stored about a customer.",
    "GET /api/v1/cases?customer=ID lists a customer's cases.",
    _customer(),
)
erase = _promised(
    "erase",
    "--customer 0198c2",
    "Erase a customer everywhere, with a proof.",
    "nothing was erased.",
    _customer(),
)
backup = _promised(
    "backup",
    "copy.db",
    "Copy the store while the server runs.",
    "stop the server and copy its folder var.",
    click.Argument(["file"]),
)
migrate = _promised(
    "migrate",
    "--to mongodb://127.0.0.1/switchboard?replicaSet=rs0",
    "Copy the store to another database.",
    "SQLite is the only store so far.",
    click.Option(["--to"], metavar="URL", required=True, help="Where to."),
)


@click.group(
    cls=Commands,
    example="switchboard content pull",
    short_help="Not yet: keep edits made in the console and the YAML files the same.",
)
def content() -> None:
    """Keep edits made in the console and the YAML files the same. Not available yet."""


content.add_command(
    _promised(
        "content pull",
        "",
        "Write the console's edits into the files.",
        "the files are the only place that has content.",
    )
)
content.add_command(
    _promised(
        "content push",
        "",
        "Put the files' content in place of the console's edits.",
        "the files are what counts, and SIGHUP makes a running server read them again.",
    )
)

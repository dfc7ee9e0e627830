"""Commands that are promised and not built yet: they say so instead of pretending."""

from __future__ import annotations

from typing import Any, NoReturn

import click

from bot.cli.frame import MISUSED, Exemplified, Problem


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

"""How results are shown: short and aligned for people, JSON for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click


def sign_of_life(what: str) -> None:
    """Say that something takes a while, to people only."""
    if sys.stderr.isatty():
        click.echo(f"{what} …", err=True)


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def print_json_line(value: Any) -> None:
    """One of several, each on a line of its own."""
    click.echo(json.dumps(value, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def print_rows(rows: Sequence[tuple[str, str]], indent: str = "") -> None:
    """What it is, and what it says, under each other."""
    width = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        click.echo(f"{indent}{click.style(f'{name:<{width}}', dim=True)}  {value}".rstrip())


def number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    click.echo(click.style(_line(header, widths), dim=True))
    for row in rows:
        click.echo(_line(row, widths))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


def bold(text: str) -> str:
    return click.style(text, bold=True)

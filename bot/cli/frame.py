"""What every command stands in: the root, the options they share, and errors as one sentence."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from bot.domain.errors import SwitchboardError

if TYPE_CHECKING:
    from bot.config import Settings

T = TypeVar("T")

FAILED, MISUSED = 1, 2  # exit codes: what was asked about failed; wrong use or configuration
EXAMPLE = "  {line}\n"
SENTENCE = 200  # characters at most, of a command in the list

as_json = click.option("--json", "machine", is_flag=True, help="Print JSON, for machines.")


class Problem(click.ClickException):
    """One sentence on standard error, and the exit code."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code

    @property
    def exit_code(self) -> int:  # type: ignore[override]  # click reads it from the instance
        return self.code

    def show(self, file: IO[Any] | None = None) -> None:
        head = click.style("Error:", fg="red", bold=True)
        click.echo(f"{head} {self.message}", file=file, err=file is None)


class Exemplified(click.Command):
    """A command whose help shows how it is typed."""

    def __init__(self, *args: Any, example: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.example = example

    def get_short_help_str(self, limit: int = SENTENCE) -> str:
        """The whole first sentence: a list that breaks off in the middle helps nobody, and lines are wrapped."""
        return super().get_short_help_str(max(limit, SENTENCE))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        with formatter.section("Example"):
            for line in self.example.splitlines():
                formatter.write(EXAMPLE.format(line=line.strip()))


class Typed(NamedTuple):
    """What stands before the command."""

    config: str
    prepare: Callable[[], None]


def command(*, example: str) -> Callable[[Callable[..., None]], Exemplified]:
    """A command of the root; `example` is what somebody would type."""
    return click.command(cls=Exemplified, example=example)


class Commands(Exemplified, click.Group):
    """Commands in the order they were added; our own errors become sentences, never tracebacks."""

    command_class = Exemplified

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        if os.environ.get("NO_COLOR"):
            ctx.color = False
        try:
            return super().invoke(ctx)
        except SwitchboardError as exc:
            raise Problem(str(exc), getattr(exc, "exit_code", FAILED)) from exc
        except OSError as exc:
            if not exc.filename:
                raise
            raise Problem(f"{exc.filename}: {exc.strerror}; check the path and its rights.") from exc


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    example="switchboard serve",
)
@click.option(
    "--config",
    metavar="FILE",
    default="config.yml",
    envvar="SWITCHBOARD_CONFIG",
    show_envvar=True,
    show_default=True,
    help="The configuration.",
)
@click.version_option(package_name="switchboard", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, config: str) -> None:
    """Answer customers on social channels, and hand the hard cases to people."""
    ctx.obj = Typed(config, ctx.obj or _nothing)


def _nothing() -> None:
    """Who calls `cli` inside a process of their own keeps their logging."""


def main() -> None:
    """Run what was typed; exits the process."""
    cli(prog_name="switchboard" if Path(sys.argv[0]).stem != "__main__" else None, obj=_quiet_logs)


def _quiet_logs() -> None:
    """A command says itself what it did; the log adds what went wrong."""
    from bot import logs

    logs.setup(level=logging.WARNING)


def settings_of(ctx: click.Context) -> Settings:
    """What the configuration says. Raises `ConfigError`."""
    from bot.config import load

    ctx.obj.prepare()
    return load(ctx.obj.config, os.environ)


def somebody_types() -> bool:
    """Whether there is a person at the other end, and not a pipe."""
    return sys.stdin.isatty()


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)

"""`serve` and `check`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from bot.cli.frame import FAILED, as_json, command, run, settings_of
from bot.cli.printing import print_json
from bot.domain.plural import count

if TYPE_CHECKING:
    from bot.domain.ports import Finding

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@command(example="switchboard serve --host 0.0.0.0 --port 9000\nswitchboard serve --role worker --port 9001")
@click.option(
    "--role",
    type=click.Choice(["all", "web", "worker"]),
    default="all",
    show_default=True,
    help="web receives and shows, worker answers and sends; any number of each with MongoDB and Redis.",
)
@click.option("--host", help="Instead of server.host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Instead of server.port.")
@click.pass_context
def serve(ctx: click.Context, *, role: str, host: str | None, port: int | None) -> None:
    """Run the server until it is stopped with Ctrl-C or SIGTERM; what is in hand is finished first.

    Also a worker listens, for /healthz, /readyz and /metrics: several processes on one machine need a port each.

    Trains the starter model first if there is none. SIGHUP (kill -HUP and the process id, which is printed at the
    start) reads the configuration and the answers again, and keeps the old ones when the new ones are wrong.
    """
    settings = settings_of(ctx).listening(host, port)
    from bot import bootstrap

    with asyncio.Runner(loop_factory=_fast_loop()) as runner:
        runner.run(bootstrap.serve(settings, role, ctx.obj.config))


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The loop of uvloop, which does not exist for Windows."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


@command(example="switchboard check --offline")
@click.option("--offline", is_flag=True, help="Ask no other machine.")
@as_json
@click.pass_context
def check(ctx: click.Context, *, offline: bool, machine: bool) -> None:
    """Say what is wrong before customers notice.

    Looks at configuration, disk, store, model, examples, answers, secrets, lookups and platforms. Exits with 1 when something
    fails.
    """
    settings = settings_of(ctx)
    from bot import bootstrap

    findings = run(bootstrap.check(settings, offline=offline))
    failed = sum(finding.status == "fail" for finding in findings)
    if machine:
        print_json({"ok": not failed, "findings": [_plain(finding) for finding in findings]})
    else:
        _print(findings, failed)
    ctx.exit(FAILED if failed else 0)


def _plain(finding: Finding) -> dict[str, str]:
    return {"name": finding.name, "status": finding.status, "detail": finding.detail, "fix": finding.fix}


def _print(findings: Sequence[Finding], failed: int) -> None:
    width = max((len(finding.name) for finding in findings), default=0)
    for finding in findings:
        mark = click.style(f"{finding.status:<4}", fg=COLOURS.get(finding.status), bold=True)
        click.echo(f"{mark}  {finding.name:<{width}}  {finding.detail}")
        if finding.fix and finding.status != "ok":
            click.echo(f"{'':<{width + 6}}  → {finding.fix}")
    warnings = count(sum(finding.status == "warn" for finding in findings), "warning")
    if failed:
        click.echo(f"\n{count(failed, 'failure')}, {warnings}. Mend what fails, then check again.")
    else:
        start = next((finding.fix for finding in findings if finding.name == "server"), "")
        click.echo(f"\nNothing fails, {warnings}. {start}".rstrip())

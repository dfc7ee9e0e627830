"""`train`, `evaluate`, `models`, `promote`, `rollback`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from bot.cli.frame import as_json, command, run, settings_of
from bot.cli.printing import bold, number, print_json, print_table, sign_of_life

SHOWN = 20  # warnings of `train`


@command(example="switchboard train --data nlu/data")
@click.option(
    "--data",
    multiple=True,
    metavar="PATH",
    type=click.Path(exists=True),
    help="Instead of nlu.data; repeatable.",
)
@click.option("--engine", type=click.Choice(["embedded", "rasa"]), help="Instead of nlu.engine.")
@as_json
@click.pass_context
def train(ctx: click.Context, *, data: tuple[str, ...], engine: str | None, machine: bool) -> None:
    """Train a candidate model. Nothing goes live until it is promoted."""
    settings = settings_of(ctx)
    from bot import bootstrap

    sign_of_life("Training")
    model = run(bootstrap.train(settings, data or None, engine))
    if machine:
        print_json(model.builtins())
        return
    click.echo(f"Trained model {bold(model.id)}: {model.text()}")
    _print_warnings(model.id, model.warnings)
    beside = f" --compare {model.live.model}" if model.live and model.live.model != model.id else ""
    click.echo(f"\nScore it with: switchboard evaluate --data FILE --model {model.id}{beside}")
    click.echo(f"Go live with:  switchboard promote {model.id}")


def _print_warnings(model: str, warnings: Sequence[str]) -> None:
    mark = click.style("warning:", fg="yellow")
    for warning in warnings[:SHOWN]:
        click.echo(f"{mark} {warning}", err=True)
    if len(warnings) > SHOWN:
        where = f"switchboard evaluate --cross-validation --model {model} --json"
        click.echo(f"{mark} and {len(warnings) - SHOWN} more; {where} lists them.", err=True)


@command(example="switchboard evaluate --data nlu/data/tests/test.en.yml --html report.html")
@click.option(
    "--data",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="Examples with the right intents, Rasa NLU YAML.",
)
@click.option(
    "--cross-validation", is_flag=True, help="Instead of --data: its own examples, each held out once."
)
@click.option("--model", metavar="ID", help="Instead of the live one.")
@click.option("--compare", metavar="ID", help="Another model, on the same messages: which ones change.")
@click.option(
    "--html",
    metavar="FILE",
    type=click.Path(dir_okay=False, writable=True),
    help="Write the report there, with plots.",
)
@as_json
@click.pass_context
def evaluate(
    ctx: click.Context,
    *,
    data: str | None,
    cross_validation: bool,
    model: str | None,
    compare: str | None,
    html: str | None,
    machine: bool,
) -> None:
    """Score a model on examples it has not learned from."""
    if data and cross_validation:
        raise click.UsageError("Only one of --data and --cross-validation can be asked for; leave one out.")
    if not data and not cross_validation:
        raise click.UsageError("Name a test file with --data, or say --cross-validation.")
    if compare and cross_validation:
        raise click.UsageError("--compare needs --data: only then both models judge the same messages.")
    settings = settings_of(ctx)
    from bot import bootstrap

    found = run(bootstrap.evaluate(settings, data, model, compare))
    if machine:
        print_json(found.builtins())
    else:
        click.echo(found.text())
    if html:
        _write(html, found.html())
        click.echo(f"The report with plots is in {html}.", err=True)


def _write(file: str, text: str) -> None:
    try:
        Path(file).write_text(text, encoding="utf-8")
    except OSError as exc:
        raise click.UsageError(f"{file} cannot be written ({exc.strerror}); name another file.") from exc


@command(example="switchboard models")
@as_json
@click.pass_context
def models(ctx: click.Context, *, machine: bool) -> None:
    """List the trained models, and which one is live."""
    settings = settings_of(ctx)
    from bot import bootstrap

    found = run(bootstrap.models(settings))
    if machine:
        print_json(found)
    elif found:
        print_table(("MODEL", "TRAINED", "EXAMPLES", "SCORES", ""), [_row(model) for model in found])
    else:
        click.echo("There is no model yet. Train one with: switchboard train")


def _row(model: Mapping[str, Any]) -> tuple[str, ...]:
    scores = ", ".join(f"{name} {number(value)}" for name, value in (model.get("scores") or {}).items())
    if (promise := model.get("wrong_answers")) is not None:
        scores += f"; {model['can_answer']:.0%} answered for {promise:.1%} wrong"
    state = "live" if model.get("live") else "previous" if model.get("previous") else ""
    trained = str(model.get("created_at") or "")[:16].replace("T", " ")
    examples = str(model.get("examples") or "")
    return str(model["id"]), trained, examples, scores, ": ".join(filter(None, [state, model.get("damaged")]))


@command(example="switchboard promote 7c21f0")
@click.argument("model", metavar="ID")
@click.pass_context
def promote(ctx: click.Context, *, model: str) -> None:
    """Let a model go live; running servers follow within two seconds.

    The beginning of an id is enough where only one begins so. Warns of a model whose cross-validation is worse than
    that of the one before, and of intents without an answer.
    """
    settings = settings_of(ctx)
    from bot import bootstrap

    promoted = run(bootstrap.promote(settings, model))
    back = f" Go back to {promoted.before} with: switchboard rollback" if promoted.before else ""
    click.echo(f"Model {bold(promoted.id)} is live.{back}")
    for warning in promoted.warnings:
        click.echo(f"{click.style('warning:', fg='yellow')} {warning}", err=True)


@command(example="switchboard rollback")
@click.pass_context
def rollback(ctx: click.Context) -> None:
    """Go back to the model that was live before."""
    settings = settings_of(ctx)
    from bot import bootstrap

    model = run(bootstrap.rollback(settings))
    click.echo(f"Model {bold(model)} is live again.")

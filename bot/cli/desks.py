"""`slack-manifest`."""

from __future__ import annotations

import click

from bot.cli.frame import command, settings_of


@command(example="switchboard slack-manifest > manifest.json")
@click.option("--sockets", is_flag=True, help="For app_token, although Slack could reach server.public_url.")
@click.pass_context
def slack_manifest(ctx: click.Context, *, sockets: bool) -> None:
    """Print the manifest of the Slack app: paste it at https://api.slack.com/apps.

    Slack calls server.public_url where that is https; otherwise everything comes over sockets.
    """
    settings = settings_of(ctx)
    from handoff.desks.slack.manifest import as_json, manifest

    reached = settings.server.public_url if settings.server.public_url.startswith("https://") else ""
    chosen = (settings.desks.slack or {}).get("language") or settings.brand.language
    found = manifest(name=settings.brand.name, language=str(chosen), public_url="" if sockets else reached)
    click.echo(as_json(found), nl=False)

"""The app's manifest: what an operator pastes into Slack instead of clicking through a dozen pages.

https://docs.slack.dev/reference/app-manifest
"""

from __future__ import annotations

import json
from typing import Any

COMMAND = "/case"
EVENTS_PATH, INTERACTIONS_PATH, COMMANDS_PATH = "/slack/events", "/slack/interactions", "/slack/commands"
NAME, ABOUT, SHORTCUT = 35, 140, 24  # characters; of shortcuts, an app may have five of messages

# Each scope with what is lost without it; `check` says so.
SCOPES = {
    "chat:write": "no case can be posted",
    "channels:history": "what agents write in public channels is not heard",
    "groups:history": "what agents write in private channels is not heard",
    "channels:read": "whether the app is in its channels cannot be checked",
    "groups:read": "whether the app is in its private channels cannot be checked",
    "metadata.message:read": "a post whose answer was lost may not be found again",
    "users:read": "nobody may speak, since nobody can be told from a guest",
    "reactions:write": "agents do not see that a message arrived",
    "files:read": "agents' files do not reach customers",
    "files:write": "customers' files do not reach agents",
    "commands": f"{COMMAND} and the shortcuts do not work",
    "usergroups:read": "user groups have no names",
}
NEEDED = ("chat:write", "users:read", "commands")
SOCKET_SCOPE = "connections:write"  # of the app-level token

EVENTS = (
    "message.channels",
    "message.groups",
    "app_home_opened",
    "member_left_channel",
    "channel_archive",
    "channel_deleted",
    "channel_id_changed",
    "group_archive",
    "group_deleted",
    "user_change",
    "tokens_revoked",
    "app_uninstalled",
)

# The callback_ids are the names of the buttons that do the same; name and description in German and English.
SHORTCUTS = {
    "claim": (
        ("Fall übernehmen", "Claim this case"),
        ("Den Fall übernehmen, zu dem diese Nachricht gehört", "Claim the case this message belongs to"),
    ),
    "claim_and_send": (
        ("An Kunden senden", "Send to the customer"),
        ("Den Fall übernehmen und diese Notiz senden", "Claim the case and send this note"),
    ),
    "canned": (
        ("Textbausteine", "Canned answers"),
        ("Einen Textbaustein suchen, anpassen und senden", "Find a canned answer, adapt and send it"),
    ),
    "resolve": (
        ("Fall erledigen", "Resolve this case"),
        ("Den Fall abschließen, mit Ergebnis", "Close the case, with its outcome"),
    ),
    "more": (
        ("Mehr zum Fall", "More for this case"),
        ("Zurückstellen, zuweisen, verschieben und mehr", "Snooze, assign, move and more"),
    ),
}
WORDS = {
    "about": ("Kundenanfragen übernehmen und beantworten", "Claim customers' questions and answer them"),
    "command": (
        "Ihre Fälle, ein bestimmter oder die Zahlen von heute",
        "Your cases, a certain one, or today's numbers",
    ),
}
HINT = "mine | waiting | 1042 | stats"
LANGUAGES = ("de", "en")


def manifest(*, name: str, language: str, public_url: str = "") -> dict[str, Any]:
    """With `public_url`, Slack calls it there; without, everything comes over sockets (app_token)."""
    column = LANGUAGES.index(language) if language in LANGUAGES else len(LANGUAGES) - 1
    url = public_url.rstrip("/")
    return {
        "_metadata": {"major_version": 1, "minor_version": 1},
        "display_information": {
            "name": name[:NAME],
            "description": WORDS["about"][column][:ABOUT],
            "background_color": "#1f2937",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": False,
                "messages_tab_read_only_enabled": True,
            },
            "bot_user": {"display_name": _display(name), "always_online": True},
            "shortcuts": [_shortcut(id, column) for id in SHORTCUTS],
            "slash_commands": [_command(column, url)],
        },
        "oauth_config": {"scopes": {"bot": sorted(SCOPES)}},
        "settings": {
            "event_subscriptions": {**_at(url, EVENTS_PATH), "bot_events": sorted(EVENTS)},
            "interactivity": {
                "is_enabled": True,
                **_at(url, INTERACTIONS_PATH),
                **_at(url, INTERACTIONS_PATH, "message_menu_options_url"),
            },
            "org_deploy_enabled": False,
            "socket_mode_enabled": not url,
            "token_rotation_enabled": False,
        },
    }


def as_json(found: dict[str, Any]) -> str:
    """Slack takes JSON as well as YAML; it is YAML, too."""
    return json.dumps(found, ensure_ascii=False, indent=2) + "\n"


def _at(url: str, path: str, key: str = "request_url") -> dict[str, str]:
    return {key: f"{url}{path}"} if url else {}


def _shortcut(id: str, column: int) -> dict[str, str]:
    name, about = SHORTCUTS[id]
    return {"type": "message", "callback_id": id, "name": name[column], "description": about[column]}


def _command(column: int, url: str) -> dict[str, Any]:
    words = {"command": COMMAND, "description": WORDS["command"][column], "usage_hint": HINT}
    return {**words, "should_escape": False, **_at(url, COMMANDS_PATH, "url")}


def _display(name: str) -> str:
    """Bot users' names hold a-z, 0-9, "-", "_" and "."."""
    kept = "".join(
        char if char.isascii() and (char.isalnum() or char in "-_.") else "-" for char in name.lower()
    )
    return kept.strip("-")[:80] or "switchboard"

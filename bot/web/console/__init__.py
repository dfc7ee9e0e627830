"""The supervisors' console and the desk that is always there: server-rendered pages under /console."""

from __future__ import annotations

from pathlib import Path

import aiohttp_jinja2
import jinja2
from aiohttp import web

from bot.web.console import actions, auth, casepage, files, lists, stream, users
from bot.web.console.assets import Assets
from bot.web.console.language import COOKIE as LANGUAGE_COOKIE
from bot.web.console.pages import Handler, faults
from bot.web.console.visits import PATH, Rank, set_cookie, the_web
from bot.web.context import WEB
from handoff.words import LANGUAGES

TEMPLATES = Path(__file__).parent / "templates"
LANGUAGE_DAYS = 365


async def choose_language(request: web.Request) -> web.Response:
    """A preference, so a link is enough."""
    wanted = request.query.get("to", "")
    response = web.Response(status=303, headers={"Location": auth.safe_next(request.query.get("next", ""))})
    if wanted in LANGUAGES:
        set_cookie(response, the_web(request), LANGUAGE_COOKIE, wanted, LANGUAGE_DAYS * 86400)
    return response


# Who may use what; None: everybody, without a session.
ROUTES: tuple[tuple[str, str, Handler, Rank | None], ...] = (
    ("GET", "/login", auth.show_login, None),
    ("POST", "/login", auth.log_in, None),
    ("POST", "/logout", auth.log_out, Rank.AGENT),
    ("GET", "", lists.show_list, Rank.AGENT),
    ("GET", "/", lists.show_list, Rank.AGENT),
    ("GET", "/stream", stream.stream, Rank.AGENT),
    ("GET", "/cases/{case}", casepage.show_case, Rank.AGENT),
    ("GET", "/cases/{case}/texts/{message}", casepage.show_text, Rank.AGENT),
    ("POST", "/cases/{case}/actions", actions.act, Rank.AGENT),
    ("POST", "/cases/{case}/typing", actions.typing, Rank.AGENT),
    ("GET", "/files/{key}", files.show_file, Rank.AGENT),
    ("GET", "/users", users.show_users, Rank.ADMIN),
    ("POST", "/users", users.change_users, Rank.ADMIN),
    ("GET", "/language", choose_language, None),
    ("GET", "/account", users.show_account, Rank.AGENT),
    ("POST", "/account", users.change_password, Rank.AGENT),
)


def setup(app: web.Application) -> None:
    """Add the console to the server's application; `app[WEB]` has to be there by the first request."""
    assets = Assets()
    pages = web.Application(middlewares=[faults, auth.guard])
    pages[auth.DOOR] = auth.Door(lambda: app[WEB].clock())  # noqa: PLW0108 - read when it is needed
    pages[stream.STREAMS] = stream.Streams()
    routes = (*ROUTES, ("GET", "/static/{name}", assets.serve, None))
    for method, path, handler, _ in routes:
        pages.router.add_route(method, path, handler)
    pages[auth.NEEDS] = auth.Needs({handler: needed for _, _, handler, needed in routes})
    pages.on_shutdown.append(stream.end_streams)
    environment = aiohttp_jinja2.setup(
        pages,
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        default_helpers=False,
    )
    environment.globals["asset"] = lambda name: f"{PATH}/static/{assets.name(name)}"
    app.add_subapp(PATH, pages)

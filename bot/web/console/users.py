"""Console accounts: an admin's page, and everybody's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web
from msgspec.structs import replace

from bot.domain.accounts import LONGEST_NAME, User, fit_name
from bot.domain.errors import TooLate
from bot.domain.ports import Applied, Changes, Delete, Expect, Insert, Query, Update
from bot.web.console.auth import DOOR
from bot.web.console.forms import FORM, Form
from bot.web.console.pages import render
from bot.web.console.passwords import SHORTEST, UnfitPassword
from bot.web.console.visits import PATH, VISIT, Rank, close_sessions, the_web
from bot.web.context import Web

MOST_USERS = 500
DONE = ("added", "removed", "changed")


class Wrong(Exception):
    """The form cannot be carried out; the key names the sentence for the viewer."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key = key
        self.values = values


async def show_users(request: web.Request) -> web.Response:
    words, query = request[VISIT].words, request.query
    role = words.known("role", query.get("role", ""))
    done = next((name for name in DONE if name == query.get("done")), "")
    notice = words(f"done.{done}", name=query.get("name", "")[:LONGEST_NAME], role=role) if done else ""
    return await _page(request, notice=notice)


async def _page(
    request: web.Request, *, notice: str = "", problem: str = "", form: Form | None = None, status: int = 200
) -> web.Response:
    users = await _users(the_web(request))
    values = {"users": users, "ranks": tuple(Rank), "minimum": SHORTEST, "form": form or Form()}
    return render(request, "users.html", status=status, notice=notice, problem=problem, **values)


async def change_users(request: web.Request) -> web.Response:
    form, words = request[FORM], request[VISIT].words
    try:
        query = await CHANGES.get(form["do"], _unknown)(request, form)
    except Wrong as wrong:
        return await _page(request, problem=words(wrong.key, **wrong.values), form=form, status=400)
    raise web.HTTPSeeOther(str(request.rel_url.with_path(f"{PATH}/users").with_query(query)))


async def _unknown(_: web.Request, __: Form) -> dict[str, str]:
    raise Wrong("refused.unknown_action")


async def _add(request: web.Request, form: Form) -> dict[str, str]:
    context, name = the_web(request), form["name"].strip()
    if not fit_name(name):
        raise Wrong("users.bad_name")
    user = User(
        id=name,
        role=_rank(form),
        password=await _hashed(request, form["password"]),
        created_at=context.clock(),
    )
    if not isinstance(await context.store.apply(Changes(writes=(Insert(record=user),))), Applied):
        raise Wrong("users.exists", name=name)
    return {"done": "added", "name": name}


async def _change_role(request: web.Request, form: Form) -> dict[str, str]:
    context, rank = the_web(request), _rank(form)
    user = await _user(context, form)
    guards = () if rank is Rank.ADMIN else await _another_admin(context, user)
    await _apply(context, Changes(guards=guards, writes=(Update(record=replace(user, role=rank)),)))
    return {"done": "changed", "name": user.id, "role": rank}


async def _remove(request: web.Request, form: Form) -> dict[str, str]:
    """Out at once, and what they had waits for somebody again."""
    context, visit = the_web(request), request[VISIT]
    user = await _user(context, form)
    if user.id == visit.agent.id:
        raise Wrong("users.not_self")
    guards = (Expect(kind=User, id=user.id, version=user.version), *await _another_admin(context, user))
    await _apply(context, Changes(guards=guards, writes=(Delete(kind=User, id=user.id),)))
    await close_sessions(context.store, user.id)
    await context.takeover.give_back(user.id, visit.words("users.left_note", name=user.id))
    return {"done": "removed", "name": user.id}


CHANGES: Mapping[str, Callable[[web.Request, Form], Awaitable[dict[str, str]]]] = {
    "add": _add,
    "role": _change_role,
    "remove": _remove,
}


async def show_account(request: web.Request) -> web.Response:
    notice = request[VISIT].words("account.changed") if request.query.get("done") else ""
    return render(request, "account.html", minimum=SHORTEST, notice=notice, problem="")


async def change_password(request: web.Request) -> web.Response:
    form, visit, context = request[FORM], request[VISIT], the_web(request)
    assert visit.user is not None
    assert visit.session is not None
    try:
        await _prove(request, visit.user, form["current"])
        changed = replace(visit.user, password=await _hashed(request, form["new"]))
    except Wrong as wrong:
        problem = visit.words(wrong.key, **wrong.values)
        return render(request, "account.html", status=400, minimum=SHORTEST, notice="", problem=problem)
    await _apply(context, Changes(writes=(Update(record=changed),)))
    await close_sessions(context.store, visit.user.id, but=visit.session.id)
    raise web.HTTPSeeOther(f"{PATH}/account?done=1")


async def _prove(request: web.Request, user: User, password: str) -> None:
    if not await request.config_dict[DOOR].prove(user, password):
        raise Wrong("account.wrong")


def _rank(form: Form) -> Rank:
    if form["role"] not in set(Rank):
        raise Wrong("users.bad_role")
    return Rank(form["role"])


async def _hashed(request: web.Request, password: str) -> str:
    try:
        return await request.config_dict[DOOR].hashed(password)
    except UnfitPassword as exc:
        raise Wrong("password.unfit", minimum=SHORTEST) from exc


async def _users(context: Web) -> list[User]:
    return await context.store.find(Query(kind=User, order="id", limit=MOST_USERS))


async def _user(context: Web, form: Form) -> User:
    user = await context.store.get(User, form["name"]) if form["name"] else None
    if user is None:
        raise Wrong("refused.user")
    return user


async def _another_admin(context: Web, user: User) -> tuple[Expect, ...]:
    """At least one admin stays; the guard holds when two admins are taken away at the same time."""
    if user.role != Rank.ADMIN:
        return ()
    others = [admin for admin in await _users(context) if admin.role == Rank.ADMIN and admin.id != user.id]
    if not others:
        raise Wrong("users.last_admin")
    return (Expect(kind=User, id=others[0].id, version=others[0].version),)


async def _apply(context: Web, changes: Changes) -> None:
    if not isinstance(await context.store.apply(changes), Applied):
        raise TooLate("The account changed meanwhile; look at it again.")

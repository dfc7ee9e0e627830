"""The list of cases."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from bot.web.console.listing import PAGE, TABS, Wanted, listing
from bot.web.console.pages import render
from bot.web.console.timeline import Vocabulary
from bot.web.console.visits import PATH, VISIT, the_web


def vocabulary(request: web.Request) -> Vocabulary:
    context = the_web(request)
    return Vocabulary(words=request[VISIT].words, labels=context.labels, departments=context.departments)


async def show_list(request: web.Request) -> web.Response:
    context, query = the_web(request), request.query
    if number := query.get("q", "").strip().lstrip("#"):
        return await _search(request, number)
    department = query.get("department", "")
    wanted = Wanted(
        tab=TABS.get(query.get("tab", ""), TABS["waiting"]),
        me=request[VISIT].agent.id,
        department=department if department in context.departments else "",
        after=query.get("after", ""),
    )
    found = await listing(context.store, wanted)
    return _page(request, wanted=wanted, rows=found.rows, next=found.next, counts=found.counts)


async def _search(request: web.Request, number: str) -> web.Response:
    """A number leads straight to its case; anything else says what can be searched."""
    short = number.isascii() and number.isdigit() and len(number) < 12
    case = await the_web(request).reporting.by_number(int(number)) if short else None
    if case:
        raise web.HTTPSeeOther(f"{PATH}/cases/{case.id}")
    wanted = Wanted(tab=TABS["all"], me=request[VISIT].agent.id)
    return _page(request, wanted=wanted, rows=(), next="", counts={}, searched=number[:40])


def _page(request: web.Request, **values: Any) -> web.Response:
    shared = {
        "tabs": TABS.values(),
        "departments": the_web(request).departments,
        "vocabulary": vocabulary(request),
        "page_size": PAGE,
        "searched": "",
    }
    return render(request, "list.html", **{**shared, **values})

"""Who may come into the console, and what keeps everybody else out."""

from __future__ import annotations

import asyncio
import html
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from bot.domain.accounts import User
from bot.domain.errors import MalformedPayload, StoreUnavailable
from bot.domain.ports import Changes, Delete, Update
from bot.web.console import ROUTES, auth
from bot.web.console.passwords import hash_password, verify
from bot.web.console.visits import Rank
from tests.console import PASSWORD, Desk, desk

GUARDED = sorted({path for method, path, _, needed in ROUTES if method == "GET" and needed})
CHANGING = sorted({path for method, path, _, needed in ROUTES if method == "POST" and needed})


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as made:
        yield made


# ── Passwords ───────────────────────────────────────────────────────────────────────────────────


def test_a_password_is_kept_as_argon2id_and_never_twice_the_same() -> None:
    one, two = hash_password(PASSWORD), hash_password(PASSWORD)
    assert one.startswith("$argon2id$")
    assert one != two
    assert verify(one, PASSWORD)
    assert not verify(one, PASSWORD.upper())


def test_a_short_password_is_refused_with_what_would_do() -> None:
    with pytest.raises(MalformedPayload, match="at least 10 characters"):
        hash_password("too short")


def test_an_umlaut_of_another_keyboard_is_the_same_umlaut() -> None:
    assert verify(hash_password("größer als zehn"), "gro\u0308ßer als zehn")


@pytest.mark.parametrize("hashed", ["", "plain text", "$argon2id$v=19$broken"])
def test_a_broken_hash_lets_nobody_in(hashed: str) -> None:
    assert not verify(hashed, PASSWORD)


# ── Logging in and out ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", GUARDED)
async def test_nobody_sees_anything_without_logging_in(console: Desk, path: str) -> None:
    viewer = await console.viewer()
    page = await viewer.get(f"/console{path}", follow=False)
    assert page.status == 303
    assert page.headers["Location"].startswith("/console/login?next=/console")


@pytest.mark.parametrize("path", CHANGING)
async def test_nobody_changes_anything_without_logging_in(console: Desk, path: str) -> None:
    viewer = await console.viewer()
    assert (await viewer.post(f"/console{path}", {"action": "claim"})).status == 401


async def test_the_right_password_opens_the_console(console: Desk) -> None:
    viewer = await console.viewer()
    page = await viewer.log_in("Ada")
    assert page.path == "/console"
    assert "Nobody is waiting." in page.words


async def test_the_cookie_is_out_of_reach_and_names_no_user(console: Desk) -> None:
    viewer = await console.viewer()
    cookie = (await viewer.log_in("Ada", follow=False)).headers["Set-Cookie"]
    assert cookie.startswith("switchboard=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/console", "Max-Age=43200"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    (session,) = await console.sessions()
    assert session.id not in cookie


async def test_over_https_the_cookie_is_secure(tmp_path: Path) -> None:
    async with desk(tmp_path, public_url="https://desk.example") as console:
        page = await (await console.viewer()).get("/console/login")
        assert "Secure" in page.headers["Set-Cookie"]


@pytest.mark.parametrize(
    ("name", "password"), [("Ada", "wrong password"), ("Nobody", PASSWORD), ("", ""), ("ada", PASSWORD)]
)
async def test_a_wrong_name_and_a_wrong_password_look_alike(console: Desk, name: str, password: str) -> None:
    page = await (await console.viewer()).log_in(name, password)
    assert page.status == 401
    assert page.problem == "The name or the password is wrong."
    assert not await console.sessions()


async def test_a_stranger_is_checked_as_long_as_a_user(
    console: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []

    def slow(hashed: str, password: str) -> bool:
        checked.append(hashed)
        return verify(hashed, password)

    monkeypatch.setattr(auth, "verify", slow)
    viewer = await console.viewer()
    await viewer.log_in("Nobody", "wrong password")
    await viewer.log_in("Ada", "wrong password")
    parameters = {hashed.rsplit("$", 2)[0] for hashed in checked}
    assert len(checked) == 2
    assert len(parameters) == 1


async def test_the_server_answers_while_passwords_are_checked(
    console: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(hashed: str, password: str) -> bool:
        time.sleep(0.2)
        return verify(hashed, password)

    monkeypatch.setattr(auth, "verify", slow)
    viewer, other = await console.viewer(), await console.viewer()
    page = await viewer.get("/console/login")
    assert page.status == 200
    checking = asyncio.create_task(viewer.log_in("Ada"))
    started = time.perf_counter()
    await asyncio.sleep(0.05)
    await other.get("/healthz")
    assert time.perf_counter() - started < 0.2
    await checking


async def test_after_five_failures_a_name_has_to_wait_a_minute(console: Desk) -> None:
    viewer = await console.viewer()
    for _ in range(5):
        assert (await viewer.log_in("Ada", "wrong password")).status == 401
    page = await viewer.log_in("Ada")
    assert page.status == 429
    assert page.headers["Retry-After"] == "60"
    assert "Too many attempts. Try again in 60 seconds." in page.words
    console.here.clock.forward(seconds=61)
    assert (await viewer.log_in("Ada")).status == 200


async def test_an_address_cannot_try_name_after_name(console: Desk) -> None:
    viewer = await console.viewer()
    states = [(await viewer.log_in(f"name{number}", "wrong password")).status for number in range(11)]
    assert states == [401] * 10 + [429]


async def test_who_logs_in_rightly_is_never_told_to_wait(console: Desk) -> None:
    for _ in range(15):
        assert (await (await console.viewer()).log_in("Ada")).status == 200


async def test_a_form_that_no_page_of_ours_made_logs_nobody_in(console: Desk) -> None:
    viewer = await console.viewer()
    await viewer.get("/console/login")
    fields = {"proof": "made up", "name": "Ada", "password": PASSWORD}
    page = await viewer.post("/console/login", fields)
    assert page.status == 400
    assert "send it once more" in page.problem
    assert not await console.sessions()


async def test_logging_out_ends_the_session_itself(console: Desk) -> None:
    viewer = await console.viewer("Ada")
    cookies = list(viewer.client.session.cookie_jar)
    page = await viewer.post("/console/logout", {"csrf": await viewer.csrf()})
    assert "You are logged out." in page.words
    viewer.client.session.cookie_jar.update_cookies({cookie.key: cookie.value for cookie in cookies})
    assert (await viewer.get("/console", follow=False)).status == 303


async def test_a_session_ends_after_its_hours(console: Desk) -> None:
    viewer = await console.viewer("Ada")
    console.here.clock.forward(hours=11.9)
    assert (await viewer.get("/console", follow=False)).status == 200
    console.here.clock.forward(hours=0.2)
    page = await viewer.get("/console")
    assert page.path.startswith("/console/login")
    assert "Your session is over." in page.words


async def test_old_sessions_are_cleaned_up(console: Desk) -> None:
    await console.viewer("Ada")
    console.here.clock.forward(hours=13)
    await console.viewer("Ben")
    assert [session.user for session in await console.sessions()] == ["Ben"]


async def test_a_guessed_cookie_opens_nothing(console: Desk) -> None:
    await console.viewer("Ada")
    viewer = await console.viewer()
    (session,) = await console.sessions()
    for token in (session.id, "", "x" * 5_000, session.csrf):
        page = await viewer.get("/console", follow=False, headers={"Cookie": f"switchboard={token}"})
        assert page.status == 303


# ── Where one goes afterwards ───────────────────────────────────────────────────────────────────


async def test_one_comes_back_to_where_one_wanted_to_go(console: Desk) -> None:
    case = await console.waiting()
    viewer = await console.viewer()
    page = await viewer.get(f"/console/cases/{case.id}?all=1")
    found = re.search(r'name="next" value="([^"]+)"', page.html)
    assert found
    assert (await viewer.log_in("Ada", then=found[1])).path == f"/console/cases/{case.id}?all=1"


@pytest.mark.parametrize(
    "wanted",
    [
        *(
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "/consoleevil",
            "/console@evil.example",
        ),
        *(
            "javascript:alert(1)",
            "/console\r\nSet-Cookie: a=b",
            "/console/\\evil",
            "/api/v1/stats",
            "/console/login",
        ),
    ],
)
async def test_no_link_to_log_in_leads_elsewhere(console: Desk, wanted: str) -> None:
    page = await (await console.viewer()).log_in("Ada", then=wanted, follow=False)
    assert page.headers["Location"] == "/console"
    language = await (await console.viewer()).get(
        "/console/language?to=de&next=" + "//evil.example", follow=False
    )
    assert language.headers["Location"] == "/console"


# ── Every change proves where it comes from ─────────────────────────────────────────────────────


@pytest.mark.parametrize("token", ["", "wrong", "ü"])
async def test_without_its_token_nothing_changes(console: Desk, token: str) -> None:
    case = await console.waiting()
    viewer = await console.viewer("Ada")
    page = await viewer.act(case.id, "claim", csrf=token)
    assert page.status == 403
    assert "This page is out of date" in page.words
    assert (await console.now(case)).owner is None


async def test_the_token_of_another_session_is_worth_nothing(console: Desk) -> None:
    case = await console.waiting()
    ada, ben = await console.viewer("Ada"), await console.viewer("Ben")
    assert (await ada.act(case.id, "claim", csrf=await ben.csrf())).status == 403


async def test_the_script_sends_the_token_as_a_header(console: Desk) -> None:
    case = await console.waiting()
    viewer = await console.viewer("Ada")
    fields = {"id": "from-a-script", "action": "claim"}
    path = f"/console/cases/{case.id}/actions"
    token = await viewer.csrf()
    page = await viewer.post(path, fields, headers={"X-CSRF-Token": token})
    assert page.status == 200
    assert (await console.now(case)).owner_id == "Ada"


# ── Roles ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("name", "status"), [("Ada", 403), ("Sue", 403), ("admin", 200)])
async def test_only_admins_reach_the_users(console: Desk, name: str, status: int) -> None:
    viewer = await console.viewer(name)
    assert (await viewer.get("/console/users")).status == status
    assert ("/console/users" in (await viewer.get("/console")).html) == (status == 200)


async def test_a_page_one_may_not_see_says_so(console: Desk) -> None:
    page = await (await console.viewer("Ada")).get("/console/users")
    assert "Your role does not allow this" in page.words
    assert "Ben" not in page.words


async def test_an_agent_cannot_make_themselves_an_admin(console: Desk) -> None:
    viewer = await console.viewer("Ada")
    fields = {"csrf": await viewer.csrf(), "do": "role", "name": "Ada", "role": "admin"}
    assert (await viewer.post("/console/users", fields)).status == 403
    user = await console.here.store.get(User, "Ada")
    assert user
    assert user.role == "agent"


@pytest.mark.parametrize(
    ("role", "other", "covers"),
    [("admin", "agent", True), ("agent", "admin", False), ("agent", "agent", True)],
)
def test_each_role_may_do_what_the_lower_ones_may(role: str, other: str, covers: bool) -> None:  # noqa: FBT001
    assert Rank(role).covers(Rank(other)) is covers


async def test_a_changed_role_holds_at_once(console: Desk) -> None:
    viewer = await console.viewer("Ada")
    user = await console.here.store.get(User, "Ada")
    assert user
    await console.write(Update(record=replace(user, role="admin")))
    assert (await viewer.get("/console/users")).status == 200


@pytest.mark.parametrize("role", ["", "root", "Admin"])
async def test_a_role_nobody_knows_opens_nothing(console: Desk, role: str) -> None:
    viewer = await console.viewer("admin")
    user = await console.here.store.get(User, "admin")
    assert user
    await console.write(Update(record=replace(user, role=role)))
    assert (await viewer.get("/console", follow=False)).status == 303
    assert (await viewer.get("/console/login", follow=False)).status == 200  # and not back again for ever


async def test_a_removed_user_is_out_at_once(console: Desk) -> None:
    viewer = await console.viewer("Ada")
    await console.here.store.apply(Changes(writes=(Delete(kind=User, id="Ada"),)))
    assert (await viewer.get("/console", follow=False)).status == 303


# ── What every answer carries ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "path",
    [
        "",
        "?tab=all",
        "/login",
        "/account",
        "/users",
        "/nothing/here",
        "/cases/unknown",
        "/files/unknown",
        "/language?to=de",
    ],
)
async def test_every_answer_is_sealed(console: Desk, path: str) -> None:
    viewer = await console.viewer("admin")
    page = await viewer.get(f"/console{path}", follow=False)
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["", "?tab=all", "/account", "/users", "/nothing"])
async def test_no_page_needs_what_the_policy_forbids(console: Desk, path: str) -> None:
    page = await (await console.viewer("admin")).get(f"/console{path}")
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|javascript:", page.html)
    assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", page.html)


async def test_errors_are_pages_for_people_and_json_for_the_script(console: Desk) -> None:
    viewer = await console.viewer("Ada")
    page = await viewer.get("/console/cases/unknown")
    data = await viewer.get("/console/cases/unknown", headers={"Accept": "application/json"})
    assert page.status == data.status == 404
    assert "There is no such page" in page.words
    assert '"code":"unknown"' in data.html


async def test_a_wrong_method_is_a_page_too(console: Desk) -> None:
    viewer = await console.viewer("Ada")
    page = await viewer.post("/console/language", {"csrf": await viewer.csrf()})
    assert page.status == 405
    assert "Go to the cases" in page.words


async def test_when_the_store_is_down_the_page_says_so(
    console: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = await console.viewer("Ada")

    async def down(*_: object) -> None:
        raise StoreUnavailable("down")

    monkeypatch.setattr(console.here.store, "get", down)
    page = await viewer.get("/console")
    assert page.status == 503
    assert "The database does not answer." in page.words


async def test_a_fault_nobody_foresaw_is_a_page_without_its_details(
    console: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = await console.viewer("Ada")

    async def broken(*_: object) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(console.here.store, "find", broken)
    page = await viewer.get("/console")
    assert page.status == 500
    assert "Something went wrong here" in page.words
    assert "secret detail" not in page.html


async def test_styles_and_scripts_are_small_and_kept_for_good(console: Desk) -> None:
    viewer = await console.viewer("Ada")
    case = await console.waiting()
    for path in ("/console", f"/console/cases/{case.id}"):
        page = await viewer.get(path)
        names = re.findall(r'(?:src|href)="(/console/static/[^"]+\.(?:css|js))"', page.html)
        assets = [await viewer.get(name) for name in names]
        assert len(assets) >= 3
        assert sum(len(asset.html) for asset in assets) < 60_000
        assert all("immutable" in asset.headers["Cache-Control"] for asset in assets)


@pytest.mark.parametrize(
    "name", ["console.css", "console.000000000000.css", "..%2ftexts.py", "%2e%2e/__init__.py"]
)
async def test_only_what_is_named_by_its_content_is_served(console: Desk, name: str) -> None:
    assert (await (await console.viewer("Ada")).get(f"/console/static/{name}")).status == 404


# ── Languages ───────────────────────────────────────────────────────────────────────────────────


async def test_the_console_speaks_the_browsers_language_until_it_is_told(console: Desk) -> None:
    viewer = await console.viewer("Ada", language="de-AT,de;q=0.9")
    assert "Niemand wartet." in (await viewer.get("/console")).words
    page = await viewer.get("/console/language?to=en&next=/console?tab=bot")
    assert page.path == "/console?tab=bot"
    assert "The bot has no case right now." in page.words
    assert '<html lang="en">' in (await viewer.get("/console")).html


# ── Accounts ────────────────────────────────────────────────────────────────────────────────────


async def change(console: Desk, **fields: str) -> tuple[int, str]:
    viewer = await console.viewer("admin")
    page = await viewer.post("/console/users", {"csrf": await viewer.csrf(), **fields})
    return page.status, page.words


async def test_an_admin_adds_a_user_who_can_log_in(console: Desk) -> None:
    status, words = await change(
        console, do="add", name=" Eve ", role="supervisor", password="a long password"
    )
    assert (status, "Eve can log in now." in words) == (200, True)
    page = await (await console.viewer()).log_in("Eve", "a long password")
    assert page.status == 200
    user = await console.here.store.get(User, "Eve")
    assert user
    assert user.role == "supervisor"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": "Ada"}, "There is a user Ada already."),
        ({"password": "short"}, "A password needs at least 10 characters."),
        ({"name": ""}, "A name has 1 to 40 visible characters"),
        ({"name": "x" * 41}, "A name has 1 to 40 visible characters"),
        ({"name": "a\u202eb"}, "A name has 1 to 40 visible characters"),
        ({"name": "System"}, "A name has 1 to 40 visible characters"),
        ({"role": "root"}, "There is no such role."),
        ({"do": "anything"}, "There is no such action."),
    ],
)
async def test_a_user_who_cannot_be_added_says_why(
    console: Desk, fields: dict[str, str], sentence: str
) -> None:
    good = {"do": "add", "name": "Eve", "role": "agent", "password": "a long password"}
    status, words = await change(console, **{**good, **fields})
    assert status == 400
    assert sentence in words


async def test_a_hostile_name_stays_a_name(console: Desk) -> None:
    name = '"><script>alert(1)</script>'
    await change(console, do="add", name=name, role="agent", password="a long password")
    viewer = await console.viewer("admin")
    case = await console.waiting()
    await viewer.act(case.id, "assign", to=name)
    for path in ("/console/users", "/console?tab=all", f"/console/cases/{case.id}"):
        page = await viewer.get(path)
        assert name in html.unescape(page.html)
        assert "<script>alert" not in page.html


async def test_removing_a_user_ends_their_sessions_and_gives_their_cases_back(console: Desk) -> None:
    case = await console.waiting()
    ada = await console.viewer("Ada")
    await ada.act(case.id, "claim")
    status, words = await change(console, do="remove", name="Ada")
    assert (status, "Ada is removed." in words) == (200, True)
    assert (await ada.get("/console", follow=False)).status == 303
    after = await console.now(case)
    assert (after.state, after.owner) == ("waiting", None)
    notes = [
        line.text for line in await console.here.reporting.transcript(case.id) if line.direction == "note"
    ]
    assert notes == ["The account Ada was removed. The case waits for somebody again."]


async def test_one_admin_always_stays(console: Desk) -> None:
    assert (
        "At least one user has to stay an admin."
        in (await change(console, do="role", name="admin", role="agent"))[1]
    )
    assert (
        "Only another admin can remove your own account."
        in (await change(console, do="remove", name="admin"))[1]
    )
    await change(console, do="role", name="Sue", role="admin")
    assert (await change(console, do="role", name="admin", role="agent"))[
        0
    ] == 403  # no longer an admin afterwards


async def test_a_user_who_is_gone_cannot_be_changed(console: Desk) -> None:
    assert (await change(console, do="role", name="Nobody", role="agent"))[0] == 400
    assert (await change(console, do="remove", name=""))[0] == 400


async def test_a_new_password_logs_other_devices_out(console: Desk) -> None:
    here, elsewhere = await console.viewer("Ada"), await console.viewer("Ada")
    fields = {"csrf": await here.csrf(), "current": PASSWORD, "new": "another password"}
    page = await here.post("/console/account", fields)
    assert "The password is changed." in page.words
    assert (await elsewhere.get("/console", follow=False)).status == 303
    assert (await (await console.viewer()).log_in("Ada", "another password")).status == 200
    assert (await (await console.viewer()).log_in("Ada", PASSWORD)).status == 401


async def test_whoever_finds_a_session_open_cannot_try_password_after_password(console: Desk) -> None:
    viewer = await console.viewer("Ada")
    fields = {"csrf": await viewer.csrf(), "current": "wrong", "new": "another password"}
    assert [(await viewer.post("/console/account", fields)).status for _ in range(6)] == [400] * 5 + [429]


@pytest.mark.parametrize(
    ("current", "new", "sentence"),
    [
        ("wrong", "another password", "The current password is wrong."),
        (PASSWORD, "short", "at least 10 characters"),
    ],
)
async def test_a_password_that_cannot_be_changed_says_why(
    console: Desk, current: str, new: str, sentence: str
) -> None:
    viewer = await console.viewer("Ada")
    fields = {"csrf": await viewer.csrf(), "current": current, "new": new}
    page = await viewer.post("/console/account", fields)
    assert page.status == 400
    assert sentence in page.words
    assert (await (await console.viewer()).log_in("Ada")).status == 200

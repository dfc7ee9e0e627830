"""The command line: what it asks the composition root for, what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

import bot
from bot.cli import cli, frame
from bot.config import ConfigError
from bot.domain.accounts import User
from bot.domain.errors import BadData, Unknown
from bot.domain.ports import Finding

ROOT = Path(__file__).parents[2]
TRAINED = {"id": "7c21f0", "scores": {"accuracy": 0.934}, "warnings": ["few examples"]}
MODEL = SimpleNamespace(
    id="7c21f0", warnings=("few examples",), live=None, text=lambda: "right 93.4 %", builtins=lambda: TRAINED
)
REPORT = {
    "n": 120,
    "accuracy": 0.95,
    "parse_ms": {"p50": 0.1, "p99": 0.4},
    "per_intent": {"press": {"f1": 0.5}, "job": {"f1": 1.0}, "voucher": {"f1": 0.25}},
    "errors": [{"text": "moin"}],
}
MODELS = [
    {"id": "7c21f0", "created_at": "2026-11-22T03:00:00Z", "scores": {"accuracy": 0.934}, "live": True},
    {"id": "5b0a11", "created_at": None, "scores": {}, "live": False, "damaged": "cut short"},
]
ADA = User(id="ada", role="agent", password="$argon2id$", created_at=datetime(2026, 11, 1, tzinfo=UTC))
STOPPED = Finding(name="server", status="ok", detail="not started", fix="Start with: switchboard serve")
GOOD = Finding(name="store", status="ok", detail="a commit takes 1 ms")
WARNED = Finding(name="model", status="warn", detail="none yet", fix="switchboard train")
BROKEN = Finding(name="lookup", status="fail", detail="does not answer", fix="Correct the URL.")


class Talk:
    async def ask(self, text: str) -> list[str]:
        return [] if text == "Mensch" else [f"Sie sagten {text}.\nStimmt das?", "Gern!"]


class Explainer:
    async def explain(self, text: str) -> SimpleNamespace:
        rows = [("intent", text.upper()), ("", "more")]
        return SimpleNamespace(
            understanding=SimpleNamespace(text=text), rows=lambda: rows, builtins=lambda: {"text": text}
        )


class Bootstrap:
    """Answers as the composition root would, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.answers: dict[str, Any] = {
            "train": MODEL,
            "evaluate": SimpleNamespace(
                builtins=lambda: REPORT, text=lambda: "Accuracy 75.0 %", html=lambda: "<!doctype html>"
            ),
            "models": MODELS,
            "promote": SimpleNamespace(id="7c21f0", before="5b0a11", warnings=("`tent` has no answer",)),
            "rollback": "5b0a11",
            "check": [GOOD, WARNED],
            "list_users": [ADA],
            "add_user": "http://127.0.0.1:9000",
            "remove_user": SimpleNamespace(given_back=0, admins=1),
            "replay": {"events": [{"id": "e1", "state": "done"}]},
        }

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def call(settings: Any, *args: Any, **kwargs: Any) -> Any:
            self.calls.append((name, (*args, *kwargs.values())))
            if name == "serve":
                self.calls.append(("at", settings.server.url))
            answer = self.answers.get(name)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call

    @asynccontextmanager
    async def explainer(self, _: Any) -> AsyncIterator[Explainer]:
        yield Explainer()

    @asynccontextmanager
    async def chat(self, _: Any, customer: str) -> AsyncIterator[Talk]:
        self.calls.append(("chat", customer))
        yield Talk()
        self.calls.append(("left", customer))


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Bootstrap:
    fake = Bootstrap()
    monkeypatch.setattr(bot, "bootstrap", fake, raising=False)
    return fake


def run(*arguments: str, text: str = "", **environ: str) -> Result:
    config = ("--config", str(ROOT / "config.yml"))
    return CliRunner().invoke(cli, [*config, *arguments], input=text, env=environ)


def leaves(group: click.Group = cli, above: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, f"{above}{name} ")
        else:
            yield f"{above}{name}", command


# ── What is asked for ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("serve --role web --port 9000", ("serve", ("web", str(ROOT / "config.yml")))),
        ("check --offline", ("check", (True,))),
        ("train", ("train", (None, None))),
        ("train --data nlu --data bot --engine embedded", ("train", (("nlu", "bot"), "embedded"))),
        ("evaluate --data config.yml --model 7c", ("evaluate", ("config.yml", "7c", None))),
        ("evaluate --data config.yml --compare 5b", ("evaluate", ("config.yml", None, "5b"))),
        ("evaluate --cross-validation --model 7c", ("evaluate", (None, "7c", None))),
        ("promote 7c", ("promote", ("7c",))),
        ("replay Makefile --channel c --account a", ("replay", ((ROOT / "Makefile").read_bytes(), "c", "a"))),
        ("user remove ada", ("remove_user", ("ada",))),
    ],
)
def test_a_command_asks_the_composition_root_for_one_thing(
    root: Bootstrap, monkeypatch: pytest.MonkeyPatch, typed: str, asked: tuple[str, Any]
) -> None:
    monkeypatch.chdir(ROOT)
    result = run(*typed.split())
    assert result.exit_code == 0, result.output
    assert root.calls[0] == asked


def test_serve_listens_where_the_command_line_says(root: Bootstrap) -> None:
    run("serve", "--host", "0.0.0.0", "--port", "9000")
    assert ("at", "http://127.0.0.1:9000") in root.calls


# ── What is printed ─────────────────────────────────────────────────────────────────────────────


def test_train_says_what_to_do_next(root: Bootstrap) -> None:
    result = run("train")
    assert result.stdout == (
        "Trained model 7c21f0: right 93.4 %\n\n"
        "Score it with: switchboard evaluate --data FILE --model 7c21f0\n"
        "Go live with:  switchboard promote 7c21f0\n"
    )
    assert result.stderr == "warning: few examples\n"


def test_a_candidate_is_scored_beside_the_live_model(root: Bootstrap) -> None:
    root.answers["train"] = SimpleNamespace(**{**vars(MODEL), "live": SimpleNamespace(model="5b0a11")})
    assert "evaluate --data FILE --model 7c21f0 --compare 5b0a11\n" in run("train").stdout
    root.answers["train"] = SimpleNamespace(**{**vars(MODEL), "live": SimpleNamespace(model="7c21f0")})
    assert "--compare" not in run("train").stdout


MORE = "and 20 more; switchboard evaluate --cross-validation --model 7c21f0 --json lists them."


@pytest.mark.parametrize(("many", "last"), [(20, "odd 19"), (40, MORE)])
def test_train_says_all_that_fits_a_screen_and_where_the_rest_is(
    root: Bootstrap, many: int, last: str
) -> None:
    warnings = tuple(f"odd {number}" for number in range(many))
    root.answers["train"] = SimpleNamespace(**{**vars(MODEL), "warnings": warnings})
    said = run("train").stderr
    assert said.count("warning: odd") == 20
    assert said.splitlines()[-1] == f"warning: {last}"


def test_evaluate_prints_the_report_as_it_was_rendered(root: Bootstrap) -> None:
    assert run("evaluate", "--data", str(ROOT / "config.yml")).stdout == "Accuracy 75.0 %\n"


def test_evaluate_writes_a_page_where_it_is_told_to(root: Bootstrap, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    result = run("evaluate", "--cross-validation", "--html", str(file))
    assert file.read_text(encoding="utf-8") == "<!doctype html>"
    assert (result.stdout, str(file) in result.stderr) == ("Accuracy 75.0 %\n", True)


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ("evaluate", "--data, or say --cross-validation"),
        (f"evaluate --cross-validation --data {ROOT / 'config.yml'}", "Only one of --data and --cross-"),
        ("evaluate --cross-validation --compare 5b", "--compare needs --data"),
        (f"evaluate --cross-validation --html {ROOT}/no/such/folder/r.html", "cannot be written"),
    ],
)
def test_evaluate_says_what_does_not_go_together(root: Bootstrap, typed: str, complaint: str) -> None:
    result = run(*typed.split())
    assert result.exit_code == 2
    assert complaint in " ".join(result.stderr.split())


def test_a_page_that_cannot_be_written_costs_no_result(root: Bootstrap, tmp_path: Path) -> None:
    page = tmp_path / "gone" / "report.html"
    result = run("evaluate", "--data", __file__, "--html", str(page))
    assert (result.exit_code, "Accuracy 75.0 %" in result.output) == (2, True)
    assert "cannot be written" in result.output


def test_promote_names_the_whole_id_and_what_to_know_about_it(root: Bootstrap) -> None:
    result = run("promote", "7c")
    assert result.stdout == "Model 7c21f0 is live. Go back to 5b0a11 with: switchboard rollback\n"
    assert result.stderr == "warning: `tent` has no answer\n"


def test_promote_offers_no_way_back_where_there_is_none(root: Bootstrap) -> None:
    root.answers["promote"] = SimpleNamespace(id="7c21f0", before="", warnings=())
    assert run("promote", "7c").output == "Model 7c21f0 is live.\n"


def test_models_says_which_one_is_live_and_which_is_damaged(root: Bootstrap) -> None:
    _, live, damaged = run("models").stdout.splitlines()
    assert live.split() == ["7c21f0", "2026-11-22", "03:00", "accuracy", "0.934", "live"]
    assert damaged.split() == ["5b0a11", "cut", "short"]


def test_an_empty_list_says_how_to_fill_it(root: Bootstrap) -> None:
    root.answers |= {"models": [], "list_users": []}
    assert "switchboard train" in run("models").stdout
    assert "switchboard user add" in run("user", "list").stdout


def test_check_shows_the_fix_and_passes_with_warnings(root: Bootstrap) -> None:
    result = run("check")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "ok    store  a commit takes 1 ms",
        "warn  model  none yet",
        "             → switchboard train",
        "",
        "Nothing fails, 1 warning.",
    ]


def test_check_says_how_to_start_what_is_not_running(root: Bootstrap) -> None:
    root.answers["check"] = [STOPPED, GOOD]
    assert run("check").stdout.splitlines()[-1] == "Nothing fails, 0 warnings. Start with: switchboard serve"


@pytest.mark.parametrize("arguments", [("check",), ("check", "--json")])
def test_check_exits_with_1_when_something_fails(root: Bootstrap, arguments: tuple[str, ...]) -> None:
    root.answers["check"] = [GOOD, BROKEN]
    assert run(*arguments).exit_code == 1


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("check", "findings"),
        ("train", "scores"),
        ("evaluate --data config.yml", "per_intent"),
        ("replay config.yml --channel c --account a", "events"),
    ],
)
def test_json_is_json_and_nothing_else(
    root: Bootstrap, monkeypatch: pytest.MonkeyPatch, typed: str, key: str
) -> None:
    monkeypatch.chdir(ROOT)
    result = run(*typed.split(), "--json")
    assert key in json.loads(result.stdout)
    assert not result.stderr


def test_lists_are_json_too_and_hold_no_password(root: Bootstrap) -> None:
    assert [model["id"] for model in json.loads(run("models", "--json").stdout)] == ["7c21f0", "5b0a11"]
    (user,) = json.loads(run("user", "list", "--json").stdout)
    assert user == {"name": "ada", "role": "agent", "created_at": "2026-11-01T00:00:00+00:00"}


@pytest.mark.parametrize(
    ("states", "says", "code"),
    [
        (["done", "done"], "All of it was processed.", 0),
        (["done", "pending"], "start the server", 1),
        (["pending", "parked"], "could not be processed", 1),
        ([], "holds nothing", 0),
    ],
)
def test_replay_says_what_became_of_it(root: Bootstrap, states: list[str], says: str, code: int) -> None:
    root.answers["replay"] = {"events": [{"id": f"e{n}", "state": state} for n, state in enumerate(states)]}
    result = run("replay", "-", "--channel", "c", "--account", "a", text="{}")
    assert (says in result.stdout, result.exit_code) == (True, code)


# ── Understanding ───────────────────────────────────────────────────────────────────────────────


def test_understand_shows_one_text(root: Bootstrap) -> None:
    assert run("understand", "moin").stdout == "intent  MOIN\n        more\n"
    assert json.loads(run("understand", "moin", "--json").stdout) == {"text": "moin"}


def test_understand_reads_messages_line_by_line(root: Bootstrap) -> None:
    shown = run("understand", text="moin\n\nmensch\n").stdout.splitlines()
    assert [line for line in shown if not line.startswith(" ")] == ["moin", "mensch"]
    lines = run("understand", "--json", text="moin\nmensch\n").stdout.splitlines()
    assert [json.loads(line) for line in lines] == [{"text": "moin"}, {"text": "mensch"}]


# ── Talking ─────────────────────────────────────────────────────────────────────────────────────


def test_chat_answers_what_comes_from_a_pipe(root: Bootstrap) -> None:
    result = run("chat", "--customer", "ada", text="Moin\nMensch\n")
    assert result.stdout.splitlines() == [
        "bot  Sie sagten Moin.",
        "     Stimmt das?",
        "bot  Gern!",
        "bot  (silence: the case is with a person now)",
    ]
    assert root.calls == [("chat", "ada"), ("left", "ada")]


def test_chat_ends_with_an_empty_line(root: Bootstrap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame, "somebody_types", lambda: True)
    result = run("chat", text="Moin\n\nnot read any more\n")
    assert result.stdout.startswith("You are talking to the bot. An empty line ends the conversation.")
    assert "not read" not in result.stdout
    assert root.calls[-1] == ("left", "terminal")


# ── Passwords ───────────────────────────────────────────────────────────────────────────────────


def test_a_password_is_made_up_and_shown_once(root: Bootstrap) -> None:
    result = run("user", "add", "ada", "--role", "agent", SWITCHBOARD_USER_PASSWORD="")
    (_, (name, role, password)) = root.calls[0]
    assert (name, role, len(password)) == ("ada", "agent", 16)
    assert f"Password (shown once): {password}" in result.stdout


def test_a_password_from_the_environment_is_not_shown(root: Bootstrap) -> None:
    result = run("user", "add", "ada", "--role", "admin", SWITCHBOARD_USER_PASSWORD="correct horse")
    assert root.calls == [("add_user", ("ada", "admin", "correct horse"))]
    assert "correct horse" not in result.output
    assert "ada can log in as admin at http://127.0.0.1:9000/console." in result.stdout


def test_a_typed_password_is_hidden_and_asked_for_twice(
    root: Bootstrap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame, "somebody_types", lambda: True)
    monkeypatch.delenv("SWITCHBOARD_USER_PASSWORD", raising=False)
    typed = "correct horse\nwrong horse\ncorrect horse\ncorrect horse\n"
    result = run("user", "add", "ada", "--role", "agent", text=typed)
    assert root.calls == [("add_user", ("ada", "agent", "correct horse"))]
    assert "horse" not in result.output


def test_who_removes_an_account_hears_of_its_cases_and_of_a_console_without_an_admin(root: Bootstrap) -> None:
    assert run("user", "remove", "ada").output == "ada can no longer log in.\n"
    root.answers["remove_user"] = SimpleNamespace(given_back=2, admins=0)
    result = run("user", "remove", "ada")
    assert "2 cases of ada wait for somebody again." in result.stdout
    assert "No admin is left. Add one with: switchboard user add NAME --role admin" in result.stderr


# ── Errors and exit codes ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unknown("There is no model 7c."), 1),
        (BadData("nlu.yml line 3: no examples."), 1),
        (ConfigError("Port 8080 is in use."), 2),
        (PermissionError(13, "Permission denied", "var/models"), 1),
    ],
)
def test_an_error_is_one_sentence_and_no_traceback(root: Bootstrap, error: Exception, code: int) -> None:
    root.answers["promote"] = error
    result = run("promote", "7c")
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (code, "", 1)
    assert result.stderr.startswith("Error: ")


@pytest.mark.parametrize(
    "typed",
    [
        "export --customer c1",
        "erase --customer c1",
    ],
)
def test_what_is_not_built_yet_says_so(typed: str) -> None:
    result = run(*typed.split())
    assert result.exit_code == 2
    assert "is not available yet; " in result.stderr


@pytest.mark.parametrize(
    "typed", ["serv", "serve --port 70000", "serve --role all --cold", "promote", "evaluate"]
)
def test_wrong_use_exits_with_2(typed: str) -> None:
    assert run(*typed.split()).exit_code == 2


def python(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, **environ}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=variables, capture_output=True, text=True, check=False
    )


def test_the_list_of_commands_breaks_off_in_no_sentence(root: Bootstrap) -> None:
    for group in ((), ("user",), ("content",)):
        listed = run(*group, "--help").output.partition("Commands:")[2]
        assert listed
        assert "..." not in listed


def test_python_m_bot_is_the_command_line() -> None:
    result = python("-m", "bot", "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert "switchboard serve" in result.stdout


def test_a_broken_configuration_exits_with_2_and_one_line(tmp_path: Path) -> None:
    config = tmp_path / "broken.yml"
    config.write_text("server: {prot: 1}")
    result = python("-m", "bot", "serve", SWITCHBOARD_CONFIG=str(config))
    assert (result.returncode, result.stdout) == (2, "")
    problem = 'server.prot: there is no such key here; did you mean "port"?'
    assert result.stderr == f"Error: {config}: {problem}\n"


def test_help_loads_nothing_that_is_slow() -> None:
    slow = "{'aiohttp', 'numpy', 'sklearn', 'structlog', 'ruamel', 'msgspec', 'uvloop'}"
    result = python("-c", f"import sys, bot.cli; print(sorted({slow} & set(sys.modules)))")
    assert result.stdout == "[]\n", result.stderr


def test_libraries_of_what_is_not_configured_stay_away() -> None:
    foreign = "{'motor', 'pymongo', 'redis', 'slack_sdk'}"
    result = python("-c", f"import sys, bot.bootstrap; print(sorted({foreign} & set(sys.modules)))")
    assert result.stdout == "[]\n", result.stderr


@pytest.mark.parametrize(("no_color", "colours"), [("", True), ("1", False)])
def test_colours_are_for_terminals_that_want_them(root: Bootstrap, no_color: str, *, colours: bool) -> None:
    arguments = ["--config", str(ROOT / "config.yml"), "check"]
    result = CliRunner().invoke(cli, arguments, env={"NO_COLOR": no_color}, color=True)
    assert ("\x1b[" in result.stdout) is colours


# ── Help and docs ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", [name for name, _ in leaves()])
def test_every_help_shows_an_example_of_that_command(name: str) -> None:
    result = run(*name.split(), "--help")
    assert result.exit_code == 0
    assert f"Example:\n  switchboard {name}" in result.stdout


def described() -> dict[str, str]:
    """Command → what docs/cli.md says about it: a section of its own, or a row."""
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    sections = re.findall(r"^### `([a-z -]*[a-z])[^`]*`\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| `([a-z][a-z ]*[a-z])([^`]*)` \|", text, re.MULTILINE)
    return dict([*sections, *rows])


def test_every_command_has_its_line_in_the_docs_and_no_other() -> None:
    assert set(described()) == {name for name, _ in leaves()}


@pytest.mark.parametrize("name", [name for name, _ in leaves()])
def test_every_option_has_its_line_in_the_docs(name: str) -> None:
    command = dict(leaves())[name]
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    missing = [option.opts[0] for option in options if option.opts[0] not in described()[name]]
    assert missing == []

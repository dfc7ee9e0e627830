"""The configuration: what is read, and that every mistake says where it is and what to do."""

from __future__ import annotations

import contextlib
import re
import traceback
from collections.abc import Iterator, Mapping
from datetime import time, timedelta
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec
import pytest
from msgspec import Struct

from bot import config
from bot.config import ConfigError, Settings
from bot.config.reading import read
from connectors.webchat import WebChat

ROOT = Path(__file__).parents[2]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.yml"


def load(file: Path, text: str, environ: Mapping[str, str] | None = None) -> Settings:
    file.write_text(text, encoding="utf-8")
    return config.load(file, environ or {})


def refusal(file: Path, text: str, environ: Mapping[str, str] | None = None) -> str:
    """The error's sentence without the file it names."""
    with pytest.raises(ConfigError) as caught:
        load(file, text, environ)
    message = str(caught.value)
    assert message.startswith(str(file))
    return message.removeprefix(f"{file}: ")


# ── What is read ────────────────────────────────────────────────────────────────────────────────


def test_the_shipped_file_works_without_any_variable() -> None:
    settings = config.load(ROOT / "config.yml", {})
    assert settings.brand.name == "Nordwind"
    assert set(settings.departments) == {"service", "billing", "press"}
    assert [account["account"] for account in settings.channels["webchat"]] == ["site"]


def test_an_empty_file_has_a_working_default_for_everything(file: Path) -> None:
    settings = load(file, "")
    assert (settings.store, settings.queue) == ("sqlite:///var/switchboard.db", "memory://")
    assert settings.handoff.default_department == "service"
    assert settings.departments["service"].hours == ()
    assert [account["account"] for account in settings.channels["webchat"]] == ["site"]


def test_departments_are_read_with_hours_and_targets(file: Path) -> None:
    text = """
    departments:
      night:
        hours: {fri: "20:00-24:00", sat-sun: ["00:00-02:00", "20:00-22:30"]}
        first_reply_minutes: 5
    """
    department = load(file, text).departments["night"]
    spans = [(span.weekday, span.opens, span.closes) for span in department.hours]
    assert spans[:3] == [(4, time(20), time.max), (5, time(0), time(2)), (5, time(20), time(22, 30))]
    assert len(spans) == 5
    assert department.first_reply == timedelta(minutes=5)


def test_a_range_of_days_may_go_over_the_weekend(file: Path) -> None:
    hours = load(file, 'departments: {d: {hours: {"sat-mon, wed": "9:00-10:00"}}}').departments["d"].hours
    assert [span.weekday for span in hours] == [0, 2, 5, 6]


def test_a_department_has_a_label_in_every_language(file: Path) -> None:
    text = "departments: {a: {label: Team A}, b: {label: {en: Billing}}, press_office: {}}"
    departments = load(file, text).departments
    assert departments["a"].label == {"de": "Team A", "en": "Team A"}
    assert departments["b"].label == {"de": "Billing", "en": "Billing"}
    assert departments["press_office"].label["de"] == "Press office"


def test_a_rule_takes_one_value_or_several(file: Path) -> None:
    text = "routing: [{when: {intent: refund, urgency: [high, critical]}, to: service, ping: here}]"
    (rule,) = load(file, text).routing
    assert (rule.intent, rule.urgency, rule.to, rule.ping) == (
        ("refund",),
        ("high", "critical"),
        "service",
        "here",
    )


def test_a_section_with_everything_commented_out_is_empty(file: Path) -> None:
    assert load(file, "lookups:\n  # order: …\nrouting:\n").lookups == {}


def test_the_brand_falls_back_to_its_first_language(file: Path) -> None:
    assert load(file, "brand: {languages: [en, de]}").brand.language == "en"


def test_an_account_becomes_its_connectors_own_settings(file: Path) -> None:
    text = 'channels: {webchat: [{account: shop, origins: ["${SHOP:-https://shop.example}"]}]}'
    (account,) = load(file, text).channels["webchat"]
    settings = config.convert(account, WebChat.Settings, account.path)
    assert msgspec.structs.asdict(settings) == {"account": "shop", "origins": ("https://shop.example",)}


def test_the_secrets_of_the_process_come_from_the_environment(file: Path) -> None:
    environ = {"SWITCHBOARD_API_TOKEN": "t", "SWITCHBOARD_SECRET_KEY": "k"}
    read = load(file, "", environ).environment
    assert (read.api_token, read.secret_key, read.admin_password) == ("t", "k", "")


# ── Addresses ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ("{}", "http://127.0.0.1:8080"),
        ("{host: 0.0.0.0, port: 9000}", "http://127.0.0.1:9000"),
        ('{host: "::"}', "http://[::1]:8080"),
        ('{host: "fd00::1"}', "http://[fd00::1]:8080"),
        ("{public_url: https://chat.shop.example/}", "https://chat.shop.example"),
    ],
)
def test_the_server_knows_its_address(file: Path, server: str, url: str) -> None:
    assert load(file, f"server: {server}").server.url == url


def test_the_command_line_wins_and_the_demo_lookup_follows() -> None:
    settings = config.load(ROOT / "config.yml", {}).listening(None, 9000)
    assert settings.lookup_url("order") == "http://127.0.0.1:9000/demo/orders/{order_number}"


# ── The environment ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("value", "environ", "port"),
    [
        ("${PORT}", {"PORT": "9000"}, 9000),
        ("${PORT:-9001}", {}, 9001),
        ("${PORT:-9001}", {"PORT": ""}, 9001),
        ("9${PORT}", {"PORT": "002"}, 9002),
    ],
)
def test_a_number_may_come_from_the_environment(
    file: Path, value: str, environ: dict[str, str], port: int
) -> None:
    assert load(file, f'server: {{port: "{value}"}}', environ).server.port == port


def test_digits_from_the_environment_stay_a_text_where_a_text_is_wanted(file: Path) -> None:
    assert load(file, 'brand: {name: "${NAME}"}', {"NAME": "1860"}).brand.name == "1860"


def test_a_default_may_be_empty_and_the_characters_can_be_written(file: Path) -> None:
    text = 'departments: {d: {label: "$${X} ${X:-}", desk_channel: "${X:-}"}}'
    department = load(file, text).departments["d"]
    assert (department.label["de"], department.desk_channel) == ("${X} ", "")


@pytest.mark.parametrize(
    ("value", "environ", "problem"),
    [
        ("${SHOP_TOKEN}", {}, "${SHOP_TOKEN} is not set; set the variable, or write ${SHOP_TOKEN:-default}."),
        ("${SHOP_TOKEN}", {"SHOP_TOKEN": ""}, "${SHOP_TOKEN} is empty; "),
        ("${shop token}", {}, "has a “${” that names no variable; "),
        ("${", {}, "has a “${” that names no variable; "),
    ],
)
def test_a_variable_that_is_not_there_stops_the_start(
    file: Path, value: str, environ: dict[str, str], problem: str
) -> None:
    text = f'lookups: {{order: {{url: "http://x/y", headers: {{Authorization: "Bearer {value}"}}}}}}'
    assert refusal(file, text, environ).startswith(f"lookups.order.headers.Authorization: {problem}")


def test_a_variable_of_the_wrong_type_is_named_and_its_value_is_not_shown(file: Path) -> None:
    message = refusal(file, 'server: {port: "${PORT}"}', {"PORT": "secret"})
    assert message == "server.port: a whole number is expected here, and this is a text."


# ── Mistakes ────────────────────────────────────────────────────────────────────────────────────

PROMISE = "nlu.thresholds.wrong_answers"

MISTAKES = [
    ("server: {prot: 8080}", 'server.prot: there is no such key here; did you mean "port"?'),
    ("storage: x", 'storage: there is no such key here; did you mean "store"?'),
    ("handoff: {xyz: 1}", "handoff.xyz: there is no such key here; known: default_department, claim_minutes,"),
    ('server: {port: "8080"}', "server.port: a whole number is expected here, and this is a text."),
    ("server: {port: 8080.5}", "server.port: a whole number is expected here, and this is a number."),
    ("server: {port: 99999}", "server.port: must be at most 65535."),
    ("server: {port: }", "server.port: has no value; give it a whole number or remove the key."),
    ("server: 8080", "server: keys and values are expected here, and this is a whole number."),
    ("brand: {name: ''}", "brand.name: is empty; give it a value or remove the key."),
    ("brand: {address: Sie!}", 'brand.address: is none of the possible values; did you mean "sie"?'),
    ("brand: {language: fr}", 'brand.language: "fr" is none of brand.languages; known: de, en.'),
    ("brand: {languages: []}", "brand.languages: is empty;"),
    ("brand: {languages: [German]}", "brand.languages[0]: a language code such as de is expected here"),
    ("brand: {timezone: Berlin}", "brand.timezone: there is no such time zone; write one like Europe/Berlin."),
    ("brand: {timezone: ../../etc/passwd}", "brand.timezone: there is no such time zone;"),
    ("store: postgres://h/d", "store: is no database we know; write sqlite:///path/to/file.db or mongodb://host/"),
    ("store: mongodb:///switchboard", "store: is no database we know;"),
    ("store: mongodb://h/switchboard", "queue: memory: keeps what is being sent in one process,"),
    ("queue: redis://h", "queue: redis is for several processes, and a sqlite: store belongs to one;"),
    ("queue: 'redis://a,b'", "queue: is no queue we know;"),
    ("queue: redis://", "queue: is no queue we know; write memory:// or redis://host:6379/0."),
    ("store: sqlite:///", "store: is no database we know;"),
    ("queue: kafka://x", "queue: is no queue we know;"),
    ("files: s3://bucket", "files: is no folder we know; write a path such as var/files, or mongodb://"),
    ("server: {public_url: chat.example}", "server.public_url: is no web address;"),
    ("server: {public_url: https://chat.example/help}", "server.public_url: goes on after the host; write https"),
    ("server: {public_url: https://chat.example?a}", "server.public_url: goes on after the host; write https"),
    ("nlu: {engine: gpt}", "nlu.engine: is none of the possible values; known: embedded, rasa."),
    ("nlu: {data: nlu/data}", "nlu.data: a list is expected here, and this is a text; start each entry with “- ”."),
    ("nlu: {thresholds: {answer: 1.5}}", "nlu.thresholds.answer: must be at most 1.0."),
    ("nlu: {thresholds: {intents: {refund: high}}}", "nlu.thresholds.intents.refund: a number is expected here"),
    ("nlu: {thresholds: {wrong_answers: 2}}", f"{PROMISE}: must be at most 0.5: a share such as 0.02 for 2 %."),
    *(
        (f"nlu: {{thresholds: {{wrong_answers: {value}}}}}", f"{PROMISE}: a share such as 0.02 for 2 % is expected")
        for value in ("2 %", "[0.02]", "{refund: 0.02}")
    ),
    ("nlu: {rasa_url: 'http://127.0.0.1:99999'}", "nlu.rasa_url: is no web address;"),
    ("nlu: {rasa_url: 'http://[::1:5005'}", "nlu.rasa_url: is no web address;"),
    ("nlu: {rasa_url: 'file:///var/rasa'}", "nlu.rasa_url: is no web address;"),
    ("nlu: {rasa_url: '127.0.0.1:5005'}", "nlu.rasa_url: is no web address;"),
    ("lookups: {order: {}}", "lookups.order.url: is missing; add it."),
    ("lookups: {order: {url: x}}", "lookups.order.url: is no web address;"),
    ("lookups: {order: {url: 'http://{order_number}.x/'}}", "lookups.order.url: is no web address;"),
    ("lookups: {order: {url: 'http://x:99999/'}}", "lookups.order.url: is no web address;"),
    ("lookups: {order: {url: 'http://x/{order_number'}}", "lookups.order.url: has a brace too many; a value is"),
    ("lookups: {order: {url: http://x/, timeout: 0}}", "lookups.order.timeout: must be more than 0.0."),
    ("channels: {webchatt: []}", 'channels.webchatt: there is no such channel; did you mean "webchat"?'),
    ("channels: {webchat: {account: site}}", "channels.webchat: a list is expected here, and this is keys and values"),
    ("channels: {webchat: [{origins: []}]}", "channels.webchat[0].account: is missing;"),
    ("channels: {webchat: [{account: My Shop}]}", "channels.webchat[0].account: a name has small letters"),
    (
        "channels: {webchat: [{account: a}, {account: a}]}",
        'channels.webchat[1].account: "a" is there twice; give each account of a channel its own name.',
    ),
    (r'nlu: {answers: "a\0b"}', "nlu.answers: has a NUL character in it; take it out."),
    ("desks: {teams: {}}", "desks.teams: there is no such key here; known: console, slack."),
    ("desks: {console: {colour: red}}", "desks.console.colour: there is no such key here;"),
    ("departments: {}", "departments: is empty; name at least one"),
    ("departments: {Service: {}}", "departments.Service: a name has small letters"),
    ("departments: {a: {label: {}}, b: {labels: x}}", 'departments.b.labels: there is no such key here; did you mean "label"'),
    ("departments: {a: {label: [x]}}", "departments.a.label: a text or keys and values is expected here, and this is a list."),
    ("departments: {a: {fallback: a}}", 'departments.a.fallback: "a" is no other department;'),
    ("departments: {a: {hours: {monday: '9:00-10:00'}}}", 'departments.a.hours.monday: there is no day called "monday"; did you mean "mon"?'),
    ("departments: {a: {hours: {mon: 9-18}}}", 'departments.a.hours.mon: hours are written "09:00-18:00"'),
    ("departments: {a: {hours: {mon: '09:00-25:00'}}}", "departments.a.hours.mon: there is no 25:00 on a clock"),
    ("departments: {a: {hours: {mon: '22:00-02:00'}}}", "departments.a.hours.mon: goes past midnight; write it as two"),
    ("departments: {a: {hours: {mon: '09:00-09:00'}}}", "departments.a.hours.mon: opens and closes at the same time"),
    ("departments: {a: {hours: {mon-fri: '9:00-18:00', wed: '10:00-12:00'}}}", "departments.a.hours.wed: wed has hours that overlap"),
    ("departments: {a: {hours: {mon-wed-fri: '9:00-18:00'}}}", 'departments.a.hours.mon-wed-fri: a range of days has one "-"'),
    ("routing: [{to: service}]", "routing[0].when: is missing; add it."),
    ("routing: [{when: {}, to: servce}]", 'routing[0].to: "servce" is no department; did you mean "service"?'),
    ("routing: [{when: {urgency: urgent}, to: service}]", 'routing[0].when.urgency: "urgent" is no urgency;'),
    ("routing: [{when: {language: fr}, to: service}]", 'routing[0].when.language: "fr" is none of brand.languages;'),
    ("routing: [{when: {channel: fax}, to: service}]", 'routing[0].when.channel: "fax" is no channel;'),
    ("routing: [{when: {intent: [1]}, to: service}]", "routing[0].when.intent[0]: a text is expected here"),
    ("handoff: {default_department: sales}", 'handoff.default_department: "sales" is no department;'),
    ("handoff: {claim_minutes: 0}", "handoff.claim_minutes: must be at least 1."),
    ("handoff: {upset: 0.5}", "handoff.upset: must be at most 0.0."),
    ("404: x", "404: a key has to be a text; put quotes around it."),
    ("- brand", "keys and values are expected here, and this is a list."),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problem"), MISTAKES, ids=[text for text, _ in MISTAKES])
def test_a_mistake_says_where_and_what_to_do(file: Path, text: str, problem: str) -> None:
    assert refusal(file, text).startswith(problem)


PLANNED = [
    ("channels: {whatsapp: [{account: shop}]}", "channels.whatsapp: is not available yet;"),
    ("privacy: {retention: {messages: 30}}", "privacy.retention: is not available yet;"),
]


@pytest.mark.parametrize(("text", "problem"), PLANNED, ids=[text for text, _ in PLANNED])
def test_what_is_not_built_yet_is_refused_and_not_pretended(file: Path, text: str, problem: str) -> None:
    message = refusal(file, text)
    assert message.startswith(problem)
    assert "secret" not in message


# ── Several processes ───────────────────────────────────────────────────────────────────────────

TOGETHER = [
    ("mongodb://h/switchboard?replicaSet=rs0", "redis://h"),
    ("mongodb://a:27017,b:27018/switchboard?replicaSet=rs0&w=majority", "redis://h:6379/0"),
    (
        "mongodb+srv://u:${KEY}@cluster.example/switchboard",
        "rediss://:${KEY}@h:6380/1?ssl_cert_reqs=required",
    ),
    ("${MONGODB:-mongodb://h/d}", "rediss+cluster://:${KEY}@a:7000,b:7001?prefix=brand"),
]


@pytest.mark.parametrize(("store", "queue"), TOGETHER)
def test_mongodb_and_redis_are_for_several_processes(file: Path, store: str, queue: str) -> None:
    settings = load(file, f"store: '{store}'\nqueue: '{queue}'", {"KEY": "hush"})
    assert settings.shared
    for role in ("all", "web", "worker"):
        config.require_shared(settings, role)


def test_files_may_be_in_a_database_beside_any_store(file: Path) -> None:
    assert load(file, "files: mongodb://h/files").files == "mongodb://h/files"


@pytest.mark.parametrize("key", ["store", "files", "queue"])
def test_a_password_is_never_written_into_the_file(file: Path, key: str) -> None:
    message = refusal(file, f"{key}: mongodb://ada:hush-hush@h/switchboard")
    assert message == f"{key}: a password stands in it; write ${{NAME}} in its place and set the variable."


def test_an_address_with_a_password_is_shown_without(file: Path) -> None:
    text = 'store: "mongodb://ada:${KEY}@h/switchboard?x=${KEY}&replicaSet=rs0"\nqueue: "${REDIS}"'
    settings = load(file, text, {"KEY": "hush-hush", "REDIS": "rediss://:hush-hush@h"})
    assert settings.store == "mongodb://ada:hush-hush@h/switchboard?x=hush-hush&replicaSet=rs0"
    assert settings.store.shown == "mongodb://…@h/switchboard?replicaSet=rs0"
    assert "hush" not in f"{settings!r} {[settings.store, settings.queue, settings.files]!r}"


@pytest.mark.parametrize("password", ["p/w", "p@w", "p w", "p#w"])
def test_a_password_that_breaks_its_address_is_not_told(file: Path, password: str) -> None:
    text = 'store: "mongodb://ada:${KEY}@h:x/?switchboard"\nqueue: "redis://:${KEY}@"'
    assert password not in refusal(file, text, {"KEY": password})


def test_an_error_of_an_account_names_file_and_path(file: Path) -> None:
    (account,) = load(file, "channels: {webchat: [{account: a, orgins: []}]}").channels["webchat"]
    with pytest.raises(ConfigError) as caught:
        config.convert(account, WebChat.Settings, account.path)
    problem = 'channels.webchat[0].orgins: there is no such key here; did you mean "origins"?'
    assert str(caught.value) == f"{file}: {problem}"


def origins_of(file: Path, origin: str) -> object:
    text = f"channels: {{webchat: [{{account: a, origins: ['{origin}']}}]}}"
    (account,) = load(file, text).channels["webchat"]
    return msgspec.structs.asdict(config.convert(account, WebChat.Settings, account.path))["origins"]


@pytest.mark.parametrize("origin", ["shop.example", "https://shop.example/help", "https:/shop.example"])
def test_an_origin_no_browser_would_send_is_refused(file: Path, origin: str) -> None:
    with pytest.raises(ConfigError, match=r"channels\.webchat\[0\]\.origins\[0\]: .*https://shop\.example"):
        origins_of(file, origin)


@pytest.mark.parametrize(
    "origin", ["*", "https://shop.example", "http://localhost:3000", "https://Shop.example/"]
)
def test_an_origin_a_browser_sends_is_taken(file: Path, origin: str) -> None:
    assert origins_of(file, origin) == (origin,)


def test_broken_yaml_names_the_line(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.yml line 3: not valid YAML \("):
        load(file, "brand:\n  name: [Nordwind\nserver: {}\n")


def test_a_key_that_is_there_twice_is_named_with_its_line_and_without_its_values(file: Path) -> None:
    twice = "channels:\n  telegram:\n  - token: first-secret\n    token: other-secret\n"
    with pytest.raises(ConfigError, match=r'line 4: "token" is here twice; YAML would lose one') as caught:
        load(file, twice)
    assert "secret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("value", ["2026-02-30", "!!int many", "0x_"])
def test_what_looks_like_a_date_or_a_number_and_is_none_is_said_in_a_sentence(file: Path, value: str) -> None:
    assert "put quotes around what is a text." in refusal(file, f"brand: {{name: {value}}}")


def test_an_anchor_that_holds_itself_is_refused(file: Path) -> None:
    assert refusal(file, "brand: &a {name: *a}").startswith("nested too deeply to be read;")


def test_a_control_character_is_no_yaml(file: Path) -> None:
    assert refusal(file, "brand: {name: '\x00'}").startswith(
        "not valid YAML; it may hold a control character."
    )


def test_yaml_without_a_bottom_is_no_traceback(file: Path) -> None:
    assert refusal(file, "[" * 5000).startswith("nested too deeply")


def test_a_file_that_is_not_there_says_how_to_name_another(file: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist; name a file with --config or SWITCHBOARD_CONFIG"):
        config.load(file, {})


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read \(Is a directory\)"):
        config.load(tmp_path, {})


def test_a_file_in_another_encoding_says_so(file: Path) -> None:
    file.write_bytes("brand: {name: Bär}".encode("latin-1"))
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        config.load(file, {})


JUNK: tuple[Any, ...] = (
    None,
    -1,
    10**30,
    float("nan"),
    True,
    "",
    "${",
    "{x",
    "http://[",
    "ä" * 5000,
    [],
    [None],
    {},
    {1: 2},
    {"": ""},
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inner:
        yield from places(below, (*path, key))


def with_junk(raw: Any, path: tuple[Any, ...], junk: Any) -> Any:
    copied = raw.copy()
    copied[path[0]] = with_junk(raw[path[0]], path[1:], junk) if path[1:] else junk
    return copied


def test_whatever_stands_anywhere_is_read_or_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = read(ROOT / "config.yml")
    for path in places(raw):
        for junk in JUNK:
            broken = with_junk(raw, path, junk)
            monkeypatch.setattr(config, "read", lambda _, broken=broken: broken)
            with contextlib.suppress(ConfigError):  # and nothing else
                config.load("config.yml", {})


# ── Secrets, roles, intents ─────────────────────────────────────────────────────────────────────


def test_no_secret_is_in_a_repr(file: Path) -> None:
    text = """
    lookups: {order: {url: "https://h/o?key=${KEY}", headers: {Authorization: "${KEY}"}}}
    channels: {webchat: [{account: a, token: "${KEY}"}]}
    """
    settings = load(file, text, {"KEY": "hush-hush", "SWITCHBOARD_API_TOKEN": "hush-hush"})
    shown = [repr(settings), *(repr(getattr(settings, name)) for name in settings.__struct_fields__)]
    assert "hush-hush" not in "".join(shown)
    assert settings.channels["webchat"][0]["token"] == "hush-hush"


@pytest.mark.parametrize("role", ["web", "worker"])
def test_roles_apart_need_a_store_that_can_be_shared(file: Path, role: str) -> None:
    settings = load(file, "")
    config.require_shared(settings, "all")
    with pytest.raises(ConfigError, match=r'store: "sqlite:" belongs to one process.*use --role all'):
        config.require_shared(settings, role)


def test_an_intent_that_no_model_knows_is_named(file: Path) -> None:
    text = """
    nlu: {thresholds: {intents: {return_itme: 0.8}}}
    routing: [{when: {intent: [press, prss]}, to: service}]
    """
    threshold, route = config.unknown_intents(load(file, text), ["return_item", "press"])
    assert threshold.detail.startswith(f"{file}: nlu.thresholds.intents.return_itme: no training data has")
    assert route.detail == f'{file}: routing[0].when.intent: no training data has the intent "prss"'
    assert (route.name, route.fix) == ("config", f'Correct it in {file}; did you mean "press"?')


def test_an_intent_that_only_the_next_model_knows_is_no_mistake_of_the_file(file: Path) -> None:
    settings = load(file, "nlu: {thresholds: {intents: {tent_rental: 0.8}}}")
    (found,) = config.unknown_intents(settings, ["press"], lambda: ["press", "tent_rental"])
    assert found.detail.endswith("the live model does not know `tent_rental` yet")
    assert found.fix.startswith("Train and promote")


# ── The docs ────────────────────────────────────────────────────────────────────────────────────


def settings_in(kind: Any, path: str = "") -> Iterator[str]:
    """Every key of the file, as the docs write it: `lookups.<name>.url`, `routing[].to`."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        fields = msgspec.structs.fields(kind)
        if not fields:
            yield path
        for field in fields:
            yield from settings_in(field.type, f"{path}.{field.name}".lstrip("."))
        return
    arguments = get_args(kind)
    inner = next((arg for arg in arguments if isinstance(arg, type) and issubclass(arg, Struct)), None)
    if inner is not None:
        yield from settings_in(inner, f"{path}[]" if get_origin(kind) is tuple else f"{path}.<name>")
    else:
        yield path


def documented() -> set[str]:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))


def test_every_setting_has_its_line_in_the_docs() -> None:
    known = {path for path in settings_in(config.File) if path != "channels"}
    known |= {f"channels.webchat[].{field.name}" for field in msgspec.structs.fields(WebChat.Settings)}
    known.remove("channels.webchat[].account")
    known |= {"channels.<channel>[].account"}
    written = {path for path in documented() if not path.isupper() and "$" not in path}
    assert written == known


def test_every_default_in_the_docs_is_the_default() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    for path, written in re.findall(
        r"^\| `(handoff\.\w+|console\.\w+|server\.port)` \| `([^`]+)`", text, re.MULTILINE
    ):
        section, key = path.split(".")
        assert str(getattr(getattr(config.File(), section), key)) == written, path


def test_the_shipped_file_mentions_every_section() -> None:
    text = (ROOT / "config.yml").read_text(encoding="utf-8")
    missing = {
        name for name in config.File.__struct_fields__ if not re.search(rf"^{name}:", text, re.MULTILINE)
    }
    assert missing == {"privacy"}  # has nothing that is available yet

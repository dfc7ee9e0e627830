"""The shape of config.yml: one struct per section, and a default for everything that is no account."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct, field

from bot.domain.strict import NonEmpty, OneOrMany

Port = Annotated[int, Meta(ge=0, le=65535)]
Minutes = Annotated[int, Meta(ge=1, le=10_080)]
Hours = Annotated[int, Meta(ge=1, le=8_760)]
Days = Annotated[int, Meta(ge=1, le=36_500)]
Share = Annotated[float, Meta(ge=0, le=1)]
FewWrong = Annotated[float, Meta(gt=0, le=0.5, description="a share such as 0.02 for 2 %")]
Language = Annotated[str, Meta(pattern="^[a-z]{2,3}$", description="a language code such as de")]


class BrandSection(Struct, frozen=True, kw_only=True):
    name: NonEmpty = "Nordwind"
    language: str = ""
    languages: tuple[Language, ...] = ("de", "en")
    timezone: NonEmpty = "Europe/Berlin"
    address: Literal["sie", "du"] = "sie"


class Server(Struct, frozen=True, kw_only=True):
    host: NonEmpty = "127.0.0.1"
    port: Port = 8080
    public_url: str = ""

    @property
    def url(self) -> str:
        """Where customers and agents reach the server; without `public_url`, this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104 - an address to reach
        host = f"[{host}]" if ":" in host and not host.startswith("[") else host
        return self.public_url.rstrip("/") or f"http://{host}:{self.port}"


class Thresholds(Struct, frozen=True, kw_only=True):
    answer: Share = 0.6
    intents: dict[str, Share] = field(default_factory=dict)
    wrong_answers: FewWrong | None = None  # computes the others; `intents` win


class Nlu(Struct, frozen=True, kw_only=True):
    engine: Literal["embedded", "rasa"] = "embedded"
    rasa_url: NonEmpty = "http://127.0.0.1:5005"
    rasa_token: str = ""
    rasa_jwt_secret: str = ""
    rasa_timeout: Annotated[float, Meta(gt=0, le=30)] = 1.0
    rasa_models: NonEmpty = "var/rasa/models"
    rasa_config: NonEmpty = "nlu/rasa_project/config.yml"
    data: tuple[NonEmpty, ...] = ("nlu/data",)
    models: NonEmpty = "var/models"
    boost: bool = False
    answers: NonEmpty = "nlu/data/answers.yml"
    thresholds: Thresholds = Thresholds()

    def __repr__(self) -> str:
        return f"<Nlu {self.engine}>"


class Lookup(Struct, frozen=True, kw_only=True):
    url: NonEmpty
    timeout: Annotated[float, Meta(gt=0, le=30)] = 2.0
    headers: dict[str, NonEmpty] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Lookup at {urlsplit(self.url).hostname}>"


class ConsoleDesk(Struct, frozen=True, kw_only=True):
    """The built-in desk has nothing to set."""


class Desks(Struct, frozen=True, kw_only=True):
    console: ConsoleDesk = ConsoleDesk()
    slack: dict[str, Any] | None = None  # its desk's own settings type reads it

    @property
    def undo(self) -> float:
        """Seconds in which a reply from Slack can be taken back unseen."""
        found = (self.slack or {}).get("undo_seconds", 0)
        return found if isinstance(found, int | float) else 0


class DepartmentSection(Struct, frozen=True, kw_only=True):
    label: str | dict[Language, NonEmpty] = ""
    hours: dict[str, OneOrMany] = field(default_factory=dict)
    first_reply_minutes: Minutes = 30
    resolution_hours: Hours = 24
    desk_channel: str = ""
    fallback: str = ""


class When(Struct, frozen=True, kw_only=True):
    intent: OneOrMany = ()
    urgency: OneOrMany = ()
    language: OneOrMany = ()
    channel: OneOrMany = ()


class Route(Struct, frozen=True, kw_only=True):
    when: When
    to: str
    ping: str = ""


class Handoff(Struct, frozen=True, kw_only=True):
    default_department: str = ""
    claim_minutes: Minutes = 15
    reopen_days: Days = 7
    notice_minutes: Minutes = 10
    idle_hours: Hours = 24
    stale_minutes: Minutes = 360
    upset: Annotated[float, Meta(ge=-1, le=0)] = -0.7


class Retention(Struct, frozen=True, kw_only=True):
    messages: Days = 365
    files: Days = 90
    journal: Days = 1095


class Privacy(Struct, frozen=True, kw_only=True):
    retention: Retention = Retention()


class Console(Struct, frozen=True, kw_only=True):
    session_hours: Annotated[int, Meta(ge=1, le=720)] = 12


class File(Struct, frozen=True, kw_only=True):
    brand: BrandSection = BrandSection()
    server: Server = Server()
    store: NonEmpty = "sqlite:///var/switchboard.db"
    files: NonEmpty = "var/files"
    queue: NonEmpty = "memory://"
    nlu: Nlu = Nlu()
    lookups: dict[str, Lookup] = field(default_factory=dict)
    channels: dict[str, tuple[dict[str, Any], ...]] = field(
        default_factory=lambda: {"webchat": ({"account": "site"},)}
    )
    desks: Desks = Desks()
    departments: dict[str, DepartmentSection] = field(
        default_factory=lambda: {
            "service": DepartmentSection(label={"de": "Kundenservice", "en": "Customer service"})
        }
    )
    routing: tuple[Route, ...] = ()
    handoff: Handoff = Handoff()
    privacy: Privacy = Privacy()
    console: Console = Console()

"""Which engine understands: from a model and the settings to an `Understander`, and who trains one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from bot.config import Settings
from bot.domain.ports import Understander
from nlu import rasa
from nlu.embedded import Embedded
from nlu.facts import EMBEDDED
from nlu.models import Model, Models, engine_of
from nlu.rasa.engine import always
from nlu.rasa.remote import archive_of
from nlu.reading import Example
from nlu.training import TrainedModel
from nlu.training import train as train_embedded

Http = aiohttp.ClientSession
IsLive = Callable[[], Awaitable[bool]]  # is the model in hand the live one? May raise StoreUnavailable


@asynccontextmanager
async def http() -> AsyncIterator[Http]:
    """For a command; a running server has a session already."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


def engine(settings: Settings, session: Http, model: Model, is_live: IsLive) -> Understander:
    """The engine the model is of, with it; blocking. Raises `BadData`."""
    return Embedded(model) if engine_of(model.id) == EMBEDDED else _rasa(settings, session, model, is_live)


async def judged_engine(
    settings: Settings, session: Http, model: Model, examples: Sequence[Example]
) -> Understander:
    """For an evaluation: nobody stands in for it, so that what is scored is what was asked for.

    Raises `BadData`, `EngineUnavailable`.
    """
    if engine_of(model.id) == EMBEDDED:
        return Embedded(model)
    found = _rasa(settings, session, model, always)
    await found.stand_alone(examples)
    return found


async def train(
    settings: Settings, session: Http, data: Sequence[str], engine: str, protect: Collection[str]
) -> TrainedModel:
    """`protect`: models that stay, however old. Raises `BadData`, `EngineUnavailable`."""
    paths, models = [Path(path) for path in data], Path(settings.nlu.models)
    if engine == EMBEDDED:
        return await train_embedded(paths, models, protect=protect, boost=settings.nlu.boost)
    return await rasa.train(
        paths,
        models,
        _server(settings, session),
        config=Path(settings.nlu.rasa_config),
        folder=_folder(settings),
        protect=protect,
    )


def _rasa(settings: Settings, session: Http, model: Model, is_live: IsLive) -> rasa.Rasa:
    id, models = model.id, Models(Path(settings.nlu.models))
    return rasa.Rasa(
        model,
        _server(settings, session),
        archive=lambda: archive_of(models.load(id)),
        folder=_folder(settings),
        is_live=is_live,
    )


def _server(settings: Settings, session: Http) -> rasa.RasaServer:
    nlu = settings.nlu
    access = rasa.Access(token=nlu.rasa_token, jwt_secret=nlu.rasa_jwt_secret)
    return rasa.RasaServer(nlu.rasa_url, session, access, timeout=nlu.rasa_timeout)


def _folder(settings: Settings) -> Path | None:
    """Rasa's own folder of models, where it can be reached from here."""
    folder = Path(settings.nlu.rasa_models)
    return folder if folder.is_dir() else None

"""Styles and scripts: read once, named by their content, so that a browser may keep them for good."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from pathlib import Path

from aiohttp import hdrs, web
from msgspec import Struct

STATIC = Path(__file__).parent / "static"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FOR_GOOD = "public, max-age=31536000, immutable"


class Asset(Struct, frozen=True, kw_only=True):
    content_type: str
    plain: bytes
    packed: bytes


class Assets:
    """Known by a name that holds a hash: `console.css` is served as `console.1f2e3d4c5b6a.css`."""

    def __init__(self, folder: Path = STATIC) -> None:
        self._served: dict[str, Asset] = {}
        self._names: dict[str, str] = {}
        for path in sorted(folder.iterdir()):
            if path.suffix in TYPES:
                self._add(path)

    def name(self, plain: str) -> str:
        return self._names[plain]

    @property
    def sizes(self) -> Mapping[str, int]:
        return {plain: len(self._served[name].plain) for plain, name in self._names.items()}

    async def serve(self, request: web.Request) -> web.Response:
        asset = self._served.get(request.match_info["name"])
        if asset is None:
            raise web.HTTPNotFound
        packed = "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, "")
        headers = {hdrs.CACHE_CONTROL: FOR_GOOD, hdrs.VARY: hdrs.ACCEPT_ENCODING}
        if packed:
            headers[hdrs.CONTENT_ENCODING] = "gzip"
        body = asset.packed if packed else asset.plain
        return web.Response(body=body, content_type=asset.content_type, charset="utf-8", headers=headers)

    def _add(self, path: Path) -> None:
        content = path.read_bytes()
        name = f"{path.stem}.{hashlib.sha256(content).hexdigest()[:12]}{path.suffix}"
        self._names[path.name] = name
        self._served[name] = Asset(
            content_type=TYPES[path.suffix], plain=content, packed=gzip.compress(content, mtime=0)
        )

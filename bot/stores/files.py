"""Attachments on the local disk, named by the hash of their content: the same file twice is one file."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path

from bot.domain.errors import BadData, StoreUnavailable

KEY = re.compile(r"[0-9a-f]{64}")


class LocalFiles:
    """The `Files` port in a folder; raises `BadData` when the folder cannot be made.

    `put` raises `StoreUnavailable` when the disk is full or gone. A key that is none names no file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise BadData(
                f"{folder} cannot be used for files ({exc.strerror}); check the path and its permissions."
            ) from exc

    async def put(self, content: bytes) -> str:
        return await asyncio.to_thread(self._put, content)

    async def get(self, key: str) -> bytes | None:
        return await asyncio.to_thread(self._get, key)

    async def delete(self, key: str) -> None:
        await asyncio.to_thread(self._delete, key)

    async def keys(self) -> list[str]:
        return await asyncio.to_thread(self._keys)

    def _put(self, content: bytes) -> str:
        key = hashlib.sha256(content).hexdigest()
        path = self._path(key)
        try:
            if not path.exists():
                _make(path.parent.parent)
                _make(path.parent)
                _write(path, content)
        except OSError as exc:
            raise StoreUnavailable(f"A file could not be kept ({exc.strerror}); try again.") from exc
        return key

    def _get(self, key: str) -> bytes | None:
        try:
            return self._path(key).read_bytes() if KEY.fullmatch(key) else None
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise StoreUnavailable(f"A file could not be read ({exc.strerror}); try again.") from exc

    def _delete(self, key: str) -> None:
        try:
            if KEY.fullmatch(key):
                self._path(key).unlink(missing_ok=True)
        except OSError as exc:
            raise StoreUnavailable(f"A file could not be deleted ({exc.strerror}); try again.") from exc

    def _keys(self) -> list[str]:
        try:
            return [path.name for path in self._folder.glob("??/??/*") if KEY.fullmatch(path.name)]
        except OSError as exc:
            raise StoreUnavailable(f"The files could not be listed ({exc.strerror}); try again.") from exc

    def _path(self, key: str) -> Path:
        """Two levels of folders, so that none holds more than a directory listing can bear."""
        return self._folder / key[:2] / key[2:4] / key


def _make(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync(folder.parent)


def _write(path: Path, content: bytes) -> None:
    """All of it under its name, or nothing: written beside, on the disk, then renamed."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError:
        with suppress(OSError):
            Path(name).unlink()
        raise
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """The new name in it is on the disk too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

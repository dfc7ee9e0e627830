"""Stops asking a neighbour that fails, so that nobody waits for it; one question now and then sees if it is back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bot.domain.errors import EngineUnavailable

FAILURES = 3  # in a row, then it is left alone
REST = 10.0  # seconds


class Breaker:
    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock`: seconds, never going back."""
        self._clock = clock
        self._failed = 0
        self._until = 0.0
        self._probing = False

    @property
    def is_open(self) -> bool:
        return self._failed >= FAILURES

    def close(self) -> None:
        """What made it fail is mended."""
        self._failed = 0

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Around one question; raises `EngineUnavailable` at once while the neighbour is left alone."""
        if self.is_open and (self._probing or self._clock() < self._until):
            raise EngineUnavailable("Rasa failed several times in a row and is left alone for a moment.")
        probes = self.is_open
        self._probing = self._probing or probes
        try:
            yield
        except EngineUnavailable:
            self._failed += 1
            self._until = self._clock() + REST
            raise
        else:
            self._failed = 0
        finally:
            if probes:  # one that was asked before says nothing of it
                self._probing = False

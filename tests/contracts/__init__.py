"""Suites that every implementation of a port inherits; they say what must hold and name nobody."""

import pkgutil

import pytest

for _suite in pkgutil.iter_modules(__path__):
    pytest.register_assert_rewrite(f"{__name__}.{_suite.name}")

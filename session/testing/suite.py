"""The suite for adapters on what `session.testing.plugin` was told; collected when it is named, never by itself."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from session.backends.protocol import Backend
from session.backends.registry import load_backend
from session.cli_backends import read_options
from session.preferences import ExecutionPreferences
from session.testing.conformance import AdapterConformance


class TestAdapter(AdapterConformance):
    """The adapter that ``--adapter`` names."""

    @pytest.fixture(autouse=True)
    def _told(self, request: pytest.FixtureRequest) -> None:
        option = request.config.getoption
        self._name = option("--adapter", default=None)
        if self._name is None:
            pytest.skip("pytest was not told an --adapter")
        self._options = read_options(option("--adapter-option")) or {}
        self.tolerance, self.shots = option("--adapter-tolerance"), option("--adapter-shots")

    def make_backend(self) -> Backend:
        """By its name, or by the factory of a module."""
        module, colon, factory = str(self._name).partition(":")
        if not colon:
            return load_backend(ExecutionPreferences(backend=module, backend_options=self._options))
        make: Any = getattr(import_module(module), factory)
        made: Backend = make(ExecutionPreferences(backend_options=self._options))
        return made

"""The suite for adapters without a line of code: a plug-in for pytest that is loaded by name.

``pytest -p session.testing.plugin --pyargs session.testing.suite --adapter NAME_OR_MODULE:FACTORY``
"""

from __future__ import annotations

from typing import Any


def pytest_addoption(parser: Any) -> None:
    """Options that say what to test."""
    group = parser.getgroup("qsim adapters")
    group.addoption("--adapter", metavar="A", help="A backend's name, or MODULE:FACTORY of preferences.")
    group.addoption(
        "--adapter-option", action="append", default=[], metavar="NAME=VALUE", help="Of its backend_options."
    )
    group.addoption("--adapter-tolerance", type=float, default=0.0, metavar="T", help="Of a share of shots, for noise.")
    group.addoption("--adapter-shots", type=int, default=200, metavar="N", help="Of each circuit.")

"""For authors of adapters: what a backend has to get right, as a suite for pytest and as functions that any test can call."""

from session.testing.conformance import AdapterConformance
from session.testing.secrets import find_canary, no_network

__all__ = ["AdapterConformance", "find_canary", "no_network"]

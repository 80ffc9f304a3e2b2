"""Backends: what runs a session's tasks, by one protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from session.backends.bound import BoundBackend, open_backend
from session.backends.protocol import (
    API_VERSION,
    Backend,
    CancelOutcome,
    Capabilities,
    Cost,
    Prepared,
    RawResult,
    RemoteBackend,
    RemoteRef,
    RemoteState,
    RemoteStatus,
)
from session.backends.registry import BackendEntry, BackendError, backend_names, list_backends, load_backend

if TYPE_CHECKING:
    from session.backends.emulated import EmulatedBackend


def emulate(target: Any = None, *, noise: Any = None, preferences: Any = None, **options: Any) -> EmulatedBackend:
    """A backend that imitates a target on this machine; see `session.backends.emulated.emulate`.

    >>> emulate(gates=["r", "rz", "rxx"], num_qubits=12).capabilities().num_qubits
    12
    """
    from session.backends import emulated  # with all of preparation, which other sessions do not need

    return emulated.emulate(target, noise=noise, preferences=preferences, **options)


__all__ = [
    "API_VERSION",
    "Backend",
    "BackendEntry",
    "BackendError",
    "BoundBackend",
    "CancelOutcome",
    "Capabilities",
    "Cost",
    "Prepared",
    "RawResult",
    "RemoteBackend",
    "RemoteRef",
    "RemoteState",
    "RemoteStatus",
    "backend_names",
    "emulate",
    "list_backends",
    "load_backend",
    "open_backend",
]

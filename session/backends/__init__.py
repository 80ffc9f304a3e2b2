"""Backends: what runs a session's tasks, by one protocol."""

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
    "list_backends",
    "load_backend",
    "open_backend",
]

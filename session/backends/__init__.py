"""Backends: what runs a session's tasks, by one protocol."""

from session.backends.bound import BoundBackend, open_backend
from session.backends.protocol import API_VERSION, Backend, Capabilities, RemoteBackend
from session.backends.registry import BackendEntry, BackendError, backend_names, list_backends, load_backend

__all__ = [
    "API_VERSION",
    "Backend",
    "BackendEntry",
    "BackendError",
    "BoundBackend",
    "Capabilities",
    "RemoteBackend",
    "backend_names",
    "list_backends",
    "load_backend",
    "open_backend",
]

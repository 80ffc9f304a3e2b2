"""IonQ's Quantum Cloud, API v0.4, by plain HTTP (extra ``ionq``)."""

from session.backends.ionq.backend import IonQBackend

__all__ = ["IonQBackend"]

"""Any Qiskit `BackendV2` or `SamplerV2` as a backend of a session (extra ``qiskit``)."""

from session.backends.qiskit.backend import QiskitBackend
from session.backends.qiskit.providers import PROVIDERS, open_qiskit

__all__ = ["PROVIDERS", "QiskitBackend", "open_qiskit"]

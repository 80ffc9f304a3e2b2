"""Amazon Braket as a backend of a session (extra ``braket``: boto3 and nothing else)."""

from session.backends.braket.backend import BraketBackend, open_braket
from session.backends.braket.options import BraketOptions

__all__ = ["BraketBackend", "BraketOptions", "open_braket"]

"""The exception of the builder."""

from __future__ import annotations

from session.errors import SessionError


class BuilderError(SessionError):
    """A quantum function was written or called wrongly."""

"""AQT's Arnica cloud, API v1, by plain HTTP (extra ``aqt``)."""

from session.backends.aqt.backend import AQTBackend

__all__ = ["AQTBackend"]

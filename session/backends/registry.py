"""Finding backends by name: this package's, and those that plug-ins register under the group ``qsim.adapters``.

A plug-in is imported when it is named, never before; so a broken one disturbs nobody else.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from qsim.errors import QsimError, suggestion
from qsim.version import __version__
from session.backends.protocol import API_VERSION, Backend, storable_text
from session.errors import SessionError
from session.preferences import BackendNames, ExecutionPreferences

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "qsim.adapters"
#: name -> (module, factory, extra that it needs, what it is). A factory takes `ExecutionPreferences`.
_BUILT_IN = {
    BackendNames.SIMULATOR_STATEVECTOR.value: (
        "session.backends.local",
        "LocalBackend",
        "",
        "this engine, estimates exact",
    ),
    BackendNames.SIMULATOR.value: ("session.backends.local", "LocalBackend", "", "this engine, everything from shots"),
    "emulated": (
        "session.backends.emulated",
        "EmulatedBackend",
        "",
        "a target's gates, limits and noise on this engine",
    ),
    "aer_statevector": ("session.backends.aer", "AerBackend", "qiskit", "Qiskit Aer, estimates exact"),
    "aer": ("session.backends.aer", "AerBackend", "qiskit", "Qiskit Aer, everything from shots"),
    "qiskit": ("session.backends.qiskit", "open_qiskit", "qiskit", "any Qiskit BackendV2, by its provider's name"),
    "ionq": ("session.backends.ionq", "IonQBackend", "ionq", "IonQ's Quantum Cloud, API v0.4"),
    "aqt": ("session.backends.aqt", "AQTBackend", "aqt", "AQT's Arnica cloud, API v1"),
    "braket": ("session.backends.braket", "open_braket", "braket", "Amazon Braket, through boto3"),
}
#: Other names of this package's backends, which no plug-in can take either.
_ALIASES = ("local",)


class BackendError(SessionError):
    """A backend cannot be loaded."""


@dataclass(frozen=True)
class BackendEntry:
    """A backend that can be named: where it comes from, and for this package's what it is."""

    name: str
    source: str
    description: str


#: The libraries of each extra, which are looked for when a backend is loaded, not when it is first used.
_LIBRARIES = {
    "qiskit": ("qiskit",),
    "ionq": ("httpx2", "tenacity"),
    "aqt": ("httpx2", "tenacity"),
    "braket": ("boto3",),
}


#: Where this package's adapters of services say what they were tested against.
_TESTED = {
    "qiskit": "session.backends.qiskit.targets:TESTED",
    "ionq": "session.backends.ionq.backend:TESTED_AGAINST",
    "aqt": "session.backends.aqt.backend:TESTED_AGAINST",
    "braket": "session.backends.braket.backend:TESTED",
}


def support_of(name: str) -> str:
    """What one of this package's adapters was tested against, also where it cannot be used; else an empty text.

    >>> support_of("simulator")
    ''
    """
    module, _, attribute = _TESTED.get(name, "").partition(":")
    try:
        return str(getattr(import_module(module), attribute)) if module else ""
    except ImportError:
        return ""


def _plug_ins() -> dict[str, EntryPoint]:
    """Entry points by name, without those of this package's names: a plug-in cannot take the place of `local`."""
    from importlib.metadata import distributions, entry_points  # 50 ms, which a session on this engine never needs

    try:
        points = list(entry_points(group=GROUP))
    except Exception:  # what some distribution declares cannot be read: leave that one out
        points = []
        for one in distributions():
            with contextlib.suppress(Exception):
                points += one.entry_points.select(group=GROUP)
    found: dict[str, EntryPoint] = {}
    for point in points:
        if point.name not in _BUILT_IN and point.name not in _ALIASES:
            found.setdefault(point.name, point)  # the first on the path, as for modules
    return found


def _source(point: EntryPoint) -> str:
    """The distribution and version that a plug-in is of."""
    try:
        named = point.dist is not None and point.dist.name and point.dist.version
        return f"{point.dist.name} {point.dist.version}" if point.dist is not None and named else "unknown"
    except Exception:  # its metadata are broken
        return "unknown"


def described(error: BaseException) -> str:
    """An error of somebody else's code on one line, without secrets.

    >>> described(ValueError("two\\n lines"))
    'ValueError: two lines'
    """
    text = " ".join(storable_text(str(error)).split()).rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def backend_names() -> list[str]:
    """The names that can be given as `backend`; nothing is imported."""
    return [*_BUILT_IN, *_plug_ins()]


def list_backends() -> list[BackendEntry]:
    """The backends that there are; nothing is imported, so a broken plug-in is listed too.

    >>> [entry.name for entry in list_backends()][:2]
    ['simulator_statevector', 'simulator']
    """
    found = [BackendEntry(name, f"qsim-session {__version__}", what) for name, (_, _, _, what) in _BUILT_IN.items()]
    for name, point in _plug_ins().items():
        found.append(BackendEntry(name, _source(point), f"plug-in, {point.value}"))
    return found


def load_backend(preferences: ExecutionPreferences) -> Backend:
    """The backend that preferences name.

    Raises:
        BackendError: it needs an extra that is not installed, or its plug-in is broken.
    """
    name = str(preferences.backend)
    if name in _BUILT_IN:
        module, factory, extra, _ = _BUILT_IN[name]
        try:
            for library in _LIBRARIES.get(extra, ()):
                if find_spec(library) is None:
                    raise ImportError(f"there is no package {library}")
            make = getattr(import_module(module), factory)
            backend: Backend = make(preferences)
        except ImportError as error:
            raise BackendError(
                f"Backend '{name}' needs an extra: pip install \"qsim-session[{extra}]\" ({error})."
            ) from None
        except (QsimError, MemoryError):
            raise
        except Exception as error:  # what a library does on import, such as reading all plug-ins' metadata
            raise BackendError(f"Backend '{name}' cannot be loaded: {described(error)}.") from error
        return backend
    point = _plug_ins().get(name)
    if point is None:
        names = backend_names()
        raise BackendError(f"There is no backend '{name}'.{suggestion(name, names)} There are {', '.join(names)}.")
    return _from_plug_in(name, point, preferences)


def own_backend(given: Any) -> Any:
    """A backend that is given as an object: itself, or the one that runs a Qiskit backend or sampler; None for a name.

    >>> own_backend("simulator") is None
    True
    """
    if given is None or not hasattr(given, "run"):
        return None
    if not hasattr(given, "capabilities") and any(
        kind.__module__.partition(".")[0] == "qiskit" for kind in type(given).__mro__
    ):
        from session.backends.qiskit import QiskitBackend

        return QiskitBackend(given)
    return given


def _from_plug_in(name: str, point: EntryPoint, preferences: ExecutionPreferences) -> Backend:
    source = _source(point) if point.dist is not None else point.value
    try:
        factory: Any = point.load()
        version = getattr(factory, "api_version", API_VERSION)
        if version != API_VERSION:
            raise BackendError(
                f"Backend '{name}' of {source} is for version {version} of the backend protocol; this is version "
                f"{API_VERSION}."
            )
        made: Any = factory(preferences)
    except QsimError:
        raise
    except (Exception, SystemExit) as error:  # whatever a plug-in does wrong is told as the plug-in's
        raise BackendError(f"Backend '{name}' of {source} cannot be loaded: {described(error)}.") from error
    missing = [method for method in ("name", "capabilities", "check", "run") if not hasattr(made, method)]
    if missing:
        raise BackendError(f"Backend '{name}' of {source} is no backend: it has no {', '.join(missing)}.")
    backend: Backend = made
    return backend

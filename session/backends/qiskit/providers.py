"""Qiskit backends by name, for preferences and profiles: a closed table, and what plug-ins register.

A stored job has the name of a provider and plain options. From that no module is ever chosen by its name: an entry here
or an entry point of the group ``qsim.qiskit_providers`` says what to call. Secrets are each provider's own affair: its
saved account or its environment variables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qsim.errors import QsimError, suggestion
from session.backends.profiles import resolve_profile
from session.backends.qiskit.backend import QiskitBackend
from session.backends.registry import described
from session.errors import SessionError
from session.preferences import ExecutionPreferences

GROUP = "qsim.qiskit_providers"
#: Options of `QiskitBackend` that preferences may hold.
_OWN = ("max_circuits", "max_shots", "optimization_level", "seed_transpiler", "run_options", "estimator")


def _aer(target: str, options: Mapping[str, Any]) -> Any:
    from qiskit_aer import AerSimulator

    return AerSimulator(**options)


def _generic(target: str, options: Mapping[str, Any]) -> Any:
    from qiskit.providers.fake_provider import GenericBackendV2

    return GenericBackendV2(**options)


def _ibm(target: str, options: Mapping[str, Any]) -> Any:
    from qiskit_ibm_runtime import QiskitRuntimeService

    return QiskitRuntimeService(**options).backend(target)


def _ibm_fake(target: str, options: Mapping[str, Any]) -> Any:
    from qiskit_ibm_runtime.fake_provider import FakeProviderForBackendV2

    return FakeProviderForBackendV2().backend(target)


def _iqm(target: str, options: Mapping[str, Any]) -> Any:
    from iqm.qiskit_iqm import IQMProvider

    return IQMProvider(**options).get_backend(*[target] * bool(target))


def _iqm_fake(target: str, options: Mapping[str, Any]) -> Any:
    from iqm import qiskit_iqm

    made = {
        "adonis": qiskit_iqm.IQMFakeAdonis, "apollo": qiskit_iqm.IQMFakeApollo, "aphrodite": qiskit_iqm.IQMFakeAphrodite,
        "deneb": qiskit_iqm.IQMFakeDeneb,
    }  # fmt: skip
    if target not in made:
        raise SessionError(f"There is no target '{target}' of IQM's fakes; there are {', '.join(made)}.")
    return made[target]()


def _aqt(target: str, options: Mapping[str, Any]) -> Any:
    from qiskit_aqt_provider import AQTProvider

    workspace, _, resource = target.partition("/")
    cloud = AQTProvider().cloud()
    cloud.log_in()
    found = cloud.fetch_workspaces().get_by_id(workspace)
    if found is None or not resource:
        raise SessionError(f"A target of AQT is 'workspace/resource', of a workspace that you may use; got '{target}'.")
    return found.get_backend(resource)


def _aqt_offline(target: str, options: Mapping[str, Any]) -> Any:
    from qiskit_aqt_provider import AQTProvider

    if target not in ("ideal", "noisy"):
        raise SessionError(f"There is no target '{target}' of AQT's offline simulator; there are ideal, noisy.")
    return getattr(AQTProvider().offline, target)()


#: name -> (what makes a backend of a target and options, the package that it needs).
PROVIDERS: dict[str, tuple[Callable[[str, Mapping[str, Any]], Any], str]] = {
    "aer": (_aer, "qiskit-aer"),
    "generic": (_generic, "qiskit"),
    "ibm": (_ibm, "qiskit-ibm-runtime"),
    "ibm_fake": (_ibm_fake, "qiskit-ibm-runtime qiskit-aer"),
    "iqm": (_iqm, "iqm-client[qiskit]"),
    "iqm_fake": (_iqm_fake, "iqm-client[qiskit]"),
    "aqt": (_aqt, "qiskit-aqt-provider"),
    "aqt_offline": (_aqt_offline, "qiskit-aqt-provider"),
}


def open_qiskit(preferences: ExecutionPreferences) -> QiskitBackend:
    """The backend that preferences describe.

    `backend_options` holds ``provider`` (a name of the table here or of a plug-in), ``target`` (the device's name there),
    ``provider_options`` (what the provider takes, no secrets) and options of `QiskitBackend`: max_circuits, max_shots,
    optimization_level, seed_transpiler, run_options, and estimator (true for the provider's own).

    Raises:
        SessionError: a name is unknown, an option too, or the provider refuses.
    """
    profile = resolve_profile(preferences, "qiskit")
    options = {**profile.options, **preferences.backend_options}
    provider, target = options.pop("provider", None), profile.target
    for name in ("profile", "target"):
        options.pop(name, None)
    given = options.pop("provider_options", {})
    known = [*PROVIDERS, *_plug_ins()]
    if not isinstance(provider, str) or provider not in known:
        hint = suggestion(str(provider), known) if provider else ""
        raise SessionError(
            f"Backend 'qiskit' needs backend_options with 'provider', one of {', '.join(known)}; got {provider!r}.{hint} Or "
            "give the session a Qiskit backend object itself."
        )
    for name in options:
        if name not in _OWN:
            raise SessionError(f"Backend 'qiskit' has no option '{name}'.{suggestion(name, _OWN)} There are provider, "
                               f"target, provider_options, {', '.join(_OWN)}.")  # fmt: skip
    if options.get("estimator") not in (None, True, False):
        raise SessionError(f"The option 'estimator' is true or false, got {options['estimator']!r}.")
    if preferences.noise is not None:
        raise SessionError("Backend 'qiskit' takes no noise model of this package. Use backend 'simulator'.")
    if not isinstance(target, str) or not isinstance(given, Mapping):
        raise SessionError("Of backend 'qiskit', target is a text and provider_options a mapping.")
    return QiskitBackend(_opened(provider, target, given), profile=profile.name, **options)


def _opened(provider: str, target: str, options: Mapping[str, Any]) -> Any:
    own = PROVIDERS.get(provider)
    try:
        make: Any = own[0] if own is not None else _plug_ins()[provider].load()
        return make(target, dict(options))
    except QsimError:
        raise
    except ImportError as error:
        needed = own[1] if own is not None else "the plug-in's own packages"
        raise SessionError(f"Provider '{provider}' needs {needed}, which is not installed ({error}).") from None
    except Exception as error:  # whatever a provider says, without its own traceback of requests and tokens
        advice = " What it takes is given as the option provider_options." if isinstance(error, TypeError) else ""
        what = f"gives no backend '{target}'" if target else "gives no backend"
        raise SessionError(f"Provider '{provider}' {what}: {described(error)[:500]}.{advice}") from None


def _plug_ins() -> dict[str, Any]:
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=GROUP) if point.name not in PROVIDERS}

"""What kind of Qiskit object was given, and which sampler its provider asks for."""

from __future__ import annotations

from typing import Any


def is_backend(given: Any) -> bool:
    """Whether it is a `BackendV2`."""
    from qiskit.providers import BackendV2

    return isinstance(given, BackendV2)


def is_sampler(given: Any) -> bool:
    """Whether it is a `SamplerV2`."""
    from qiskit.primitives import BaseSamplerV2

    return isinstance(given, BaseSamplerV2)


def backend_of_sampler(sampler: Any) -> Any:
    """The backend that a sampler runs on; None for one that simulates by itself, such as `StatevectorSampler`."""
    for name in ("backend", "_backend"):
        found = getattr(sampler, name, None)
        if callable(found) and not is_backend(found):
            found = found()
        if found is not None:
            return found
    return None


def is_estimate(result: Any) -> bool:
    """Whether a job's result is of an estimator."""
    from qiskit.primitives import PrimitiveResult

    return isinstance(result, PrimitiveResult) and len(result) > 0 and "evs" in result[0].data


def is_simulated(backend: Any) -> bool:
    """Whether it imitates a device in this process, as a provider's fake backends do."""
    return any("fake" in kind.__module__ or kind.__name__.startswith("Fake") for kind in type(backend).__mro__)


def is_ibm(backend: Any) -> bool:
    """Whether its class, or one that this comes from, is of qiskit-ibm-runtime."""
    return any(kind.__module__.partition(".")[0] == "qiskit_ibm_runtime" for kind in type(backend).__mro__)


def provider_sampler(backend: Any) -> Any:
    """The sampler of a provider whose backends have no `run`: IBM's; None where `run` will do.

    Only packages that the given object comes from are imported here.
    """
    if is_ibm(backend):
        from qiskit_ibm_runtime import SamplerV2

        return SamplerV2(mode=backend)
    return None


def set_seed(sampler: Any, backend: Any, seed: int) -> None:
    """Make a sampler that simulates in this process repeatable; a device has no seed."""
    simulator: Any = getattr(getattr(sampler, "options", None), "simulator", None)
    if is_simulated(backend) and hasattr(simulator, "seed_simulator"):
        simulator.seed_simulator = seed

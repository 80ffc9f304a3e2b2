"""What a Braket device says of itself in GetDevice, read tolerantly: schemas differ by vendor and grow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from session.backends.braket.dialect import COMMON, ROWS

ACTION = "braket.ir.openqasm.program"
_MOST_MONEY = 1e15  # beyond that it is no price, nor below zero


@dataclass(frozen=True)
class Device:
    """A device as far as this package asks.

    Args:
        name: for people.
        status: ONLINE, OFFLINE, RETIRED or PAUSED.
        takes_openqasm: whether it runs gate-model programs in OpenQASM 3.
        num_qubits: how many it has, None when it does not say.
        gates: rows of the gate table that it takes; `COMMON` when it lists none.
        shots: the fewest and the most of a task.
        connectivity: pairs of qubits that a two-qubit gate may act on; None for all. Braket's compilers route.
        measure_all: whether every qubit must be measured.
        price: of a unit, in US dollars, and the unit; None where there is none.
    """

    name: str
    status: str = "ONLINE"
    takes_openqasm: bool = True
    num_qubits: int | None = None
    gates: frozenset[str] = COMMON
    shots: tuple[int, int] = (1, 100_000)
    connectivity: frozenset[tuple[int, int]] | None = None
    measure_all: bool = False
    price: tuple[float, str] | None = None


def read_device(reply: Mapping[str, Any]) -> Device:
    """A device out of GetDevice's reply.

    >>> said = {"action": {ACTION: {"supportedOperations": ["h", "cnot", "pswap"]}}, "paradigm": {"qubitCount": 25}}
    >>> device = read_device({"deviceName": "X", "deviceStatus": "ONLINE", "deviceCapabilities": json.dumps(said)})
    >>> sorted(device.gates), device.num_qubits
    (['cx', 'h'], 25)
    """
    try:
        said = json.loads(reply.get("deviceCapabilities") or "{}")
    except (ValueError, TypeError, RecursionError):
        said = {}
    action = _mapping(_mapping(said).get("action"))
    openqasm, paradigm = _mapping(action.get(ACTION)), _mapping(_mapping(said).get("paradigm"))
    service = _mapping(_mapping(said).get("service"))
    listed = openqasm.get("supportedOperations")
    gates = frozenset(ROWS[name.lower()] for name in _texts(listed) if name.lower() in ROWS)
    return Device(
        name=str(reply.get("deviceName") or reply.get("deviceArn") or "device"),
        status=str(reply.get("deviceStatus") or "ONLINE"),
        takes_openqasm=not action or ACTION in action,
        num_qubits=_count(paradigm.get("qubitCount")),
        gates=gates or COMMON,
        shots=_range(service.get("shotsRange")),
        connectivity=_connectivity(_mapping(paradigm.get("connectivity"))),
        measure_all=openqasm.get("requiresAllQubitsMeasurement") is True,
        price=_price(_mapping(service.get("deviceCost"))),
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _range(value: Any) -> tuple[int, int]:
    if isinstance(value, list) and len(value) == 2 and all(isinstance(n, int) for n in value):
        low, high = max(value[0], 1), value[1]
        if low <= high:
            return low, high
    return Device.shots


def _connectivity(value: Mapping[str, Any]) -> frozenset[tuple[int, int]] | None:
    graph = value.get("connectivityGraph")
    if value.get("fullyConnected") is not False or not isinstance(graph, Mapping):
        return None
    try:
        return frozenset((int(a), int(b)) for a, others in graph.items() for b in others)
    except (TypeError, ValueError, OverflowError):
        return None


def _price(value: Mapping[str, Any]) -> tuple[float, str] | None:
    price, unit = value.get("price"), value.get("unit")
    if isinstance(price, bool) or not isinstance(price, (int, float)) or not isinstance(unit, str):
        return None
    if not 0 <= price < _MOST_MONEY:
        return None
    return float(price), unit

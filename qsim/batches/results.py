"""The results of a simulator's methods as arrays, for a part of a batch, and as the methods give them, for the whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from qsim.arguments import visible_bits
from qsim.batches.worker import Part
from qsim.bits import NARROW
from qsim.circuit import Circuit
from qsim.counts import Counts
from qsim.pauli import SparsePauliOp

if TYPE_CHECKING:
    from qsim.batches.calls import Call

Array = npt.NDArray[Any]
Arrays = dict[str, Array]


@dataclass(frozen=True)
class Kind:
    """How one method's results travel.

    Attributes:
        apart: from a circuit and what the method gave for some sets to arrays, and to data for JSON or None.
        together: from the call, the parts in order, as (first set, data, arrays), and the seed to what the method gives.
        bytes_of: about how many bytes the result of one set takes.
        is_seeded: whether the method takes a seed.
    """

    apart: Callable[[Circuit, Any], tuple[Arrays, Any]]
    together: Callable[[Call, list[tuple[int, Any, Arrays]], int], Any]
    bytes_of: Callable[[Call], int]
    is_seeded: bool = False


def taken_apart(name: str, circuit: Circuit, result: Any, last_run: dict[str, Any]) -> tuple[str, Arrays]:
    """The results of some sets as they travel."""
    arrays, data = KINDS[name].apart(circuit, result)
    return json.dumps({"last_run": last_run, "data": data}, default=lambda number: number.item()), arrays


def joined(call: Call, parts: Sequence[Part], seed: int) -> tuple[Any, dict[str, Any]]:
    """What the method gives for all sets, and the facts about the last of them."""
    read = [(start, json.loads(text), arrays) for start, _, text, arrays in parts]
    last: dict[str, Any] = read[-1][1]["last_run"] if read else {}
    pieces = [(start, about["data"], arrays) for start, about, arrays in read]
    return KINDS[call.name].together(call, pieces, seed), last


# arrays ---------------------------------------------------------------------------------------------------------
def _values_apart(circuit: Circuit, result: Any) -> tuple[Arrays, Any]:
    return {"values": np.asarray(result)}, None


def _values_together(call: Call, parts: list[tuple[int, Any, Arrays]], seed: int) -> Array:
    return np.concatenate([arrays["values"] for _, _, arrays in parts])


def _moments_apart(circuit: Circuit, result: Any) -> tuple[Arrays, Any]:
    return {"values": np.asarray(result[0]), "variances": np.asarray(result[1])}, None


def _moments_together(call: Call, parts: list[tuple[int, Any, Arrays]], seed: int) -> tuple[Array, Array]:
    means, variances = ([arrays[name] for _, _, arrays in parts] for name in ("values", "variances"))
    return np.concatenate(means), np.concatenate(variances)


# gradients ------------------------------------------------------------------------------------------------------
def _flat(circuit: Circuit, slopes: dict[str, Any]) -> list[float]:
    return [
        float(slopes[p.name]) if p.array is None else float(slopes[p.array.name][p.index]) for p in circuit.parameters
    ]


def _slopes_apart(circuit: Circuit, result: Any) -> tuple[Arrays, Any]:
    table = [[_flat(circuit, one) for one in (of_set if isinstance(of_set, list) else [of_set])] for of_set in result]
    return {"slopes": np.array(table, dtype=np.float64)}, None


def _slopes_together(call: Call, parts: list[tuple[int, Any, Arrays]], seed: int) -> list[Any]:
    from qsim.gradients import named

    single = isinstance(call.options["observable"], SparsePauliOp)
    slopes: list[Any] = []
    for _, _, arrays in parts:
        for of_set in arrays["slopes"]:
            made = [named(call.circuit, row) for row in of_set]
            slopes.append(made[0] if single else made)
    return slopes


def _both_apart(circuit: Circuit, result: Any) -> tuple[Arrays, Any]:
    return {"values": np.asarray(result[0]), **_slopes_apart(circuit, result[1])[0]}, None


def _both_together(call: Call, parts: list[tuple[int, Any, Arrays]], seed: int) -> tuple[Array, list[Any]]:
    return _values_together(call, parts, seed), _slopes_together(call, parts, seed)


# from shots -----------------------------------------------------------------------------------------------------
def _estimates_apart(circuit: Circuit, result: Any) -> tuple[Arrays, Any]:
    table = [
        [[one.value, one.variance, one.standard_error] for one in (of_set if isinstance(of_set, list) else [of_set])]
        for of_set in result
    ]
    whole = [
        [[one.shots, one.groups] for one in (of_set if isinstance(of_set, list) else [of_set])] for of_set in result
    ]
    return {"numbers": np.array(table, dtype=np.float64), "counted": np.array(whole, dtype=np.int64)}, None


def _estimates_together(call: Call, parts: list[tuple[int, Any, Arrays]], seed: int) -> list[Any]:
    from qsim.estimation import Estimate

    single = isinstance(call.options["observable"], SparsePauliOp)
    found: list[Any] = []
    for _, _, arrays in parts:
        for numbers, counted in zip(arrays["numbers"].tolist(), arrays["counted"].tolist(), strict=True):
            made = [Estimate(*one, *two) for one, two in zip(numbers, counted, strict=True)]
            found.append(made[0] if single else made)
    return found


def _counts_apart(circuit: Circuit, result: Any) -> tuple[Arrays, Any]:
    """Outcomes and frequencies of all sets one behind the other, and where each set's begin."""
    ends = np.cumsum([0, *(len(counts) for counts in result)], dtype=np.int64)
    frequencies = np.concatenate([counts.frequencies for counts in result])
    rows = [counts._rows for counts in result]
    if result[0].num_bits > NARROW:
        outcomes = np.concatenate(rows)
    else:
        outcomes = np.concatenate([np.asarray(counts.outcomes, dtype=np.int64) for counts in result])
    about = [counts.metadata for counts in result]
    return {"outcomes": outcomes, "frequencies": frequencies, "ends": ends}, about if any(about) else None


def _counts_together(call: Call, parts: list[tuple[int, Any, Arrays]], seed: int) -> list[Counts]:
    visible, registers = visible_bits(call.circuit)
    memory, made = bool(call.options.get("memory", False)), []
    for start, about, arrays in parts:
        ends = arrays["ends"].tolist()
        for k in range(len(ends) - 1):
            own = slice(ends[k], ends[k + 1])
            made.append(
                Counts(
                    arrays["outcomes"][own], arrays["frequencies"][own], len(visible), registers,
                    (seed + start + k) % (1 << 64), memory=memory, metadata=about[k] if about else None,
                )
            )  # fmt: skip
    return made


def _mappings_apart(circuit: Circuit, result: Any) -> tuple[Arrays, Any]:
    return {}, result


def _mappings_together(call: Call, parts: list[tuple[int, Any, Arrays]], seed: int) -> list[Any]:
    return [one for _, data, _ in parts for one in data]


# sizes ----------------------------------------------------------------------------------------------------------
def _amplitudes(power: int) -> Callable[[Call], int]:
    return lambda call: call.simulator._amplitude << min(power * call.circuit.num_qubits, 60)


def _of_qubits(amplitude: int, power: int) -> Callable[[Call], int]:
    def size(call: Call) -> int:
        wanted = call.options.get("qubits")
        return amplitude << min(power * (call.circuit.num_qubits if wanted is None else len(wanted)), 60)

    return size


def _of_shots(call: Call) -> int:
    return 16 * min(int(call.options["shots"]), 1 << min(call.circuit.num_clbits, 40))


def _of_parameters(call: Call) -> int:
    observable = call.options["observable"]
    return 8 * (1 + len(call.circuit.parameters)) * (1 if isinstance(observable, SparsePauliOp) else len(observable))


_NUMBERS = Kind(_values_apart, _values_together, lambda call: 64)
KINDS = {
    "statevector": Kind(_values_apart, _values_together, _amplitudes(1)),
    "density_matrix": Kind(_values_apart, _values_together, _amplitudes(2)),
    "reduced_density_matrix": Kind(_values_apart, _values_together, _of_qubits(16, 2)),
    "probabilities": Kind(_values_apart, _values_together, _of_qubits(8, 1)),
    "outcome_probabilities": Kind(_mappings_apart, _mappings_together, lambda call: 1 << 12),
    "expectation": _NUMBERS,
    "variance": _NUMBERS,
    "moments": Kind(_moments_apart, _moments_together, lambda call: 64),
    "gradient": Kind(_slopes_apart, _slopes_together, _of_parameters),
    "value_and_gradient": Kind(_both_apart, _both_together, _of_parameters),
    "parameter_shift_gradient": Kind(_slopes_apart, _slopes_together, _of_parameters, is_seeded=True),
    "sample": Kind(_counts_apart, _counts_together, _of_shots, is_seeded=True),
    "estimate": Kind(_estimates_apart, _estimates_together, lambda call: 64, is_seeded=True),
}

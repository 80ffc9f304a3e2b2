"""What is read from a matrix-product state: samples, expectation values, probabilities, amplitudes.

All of it takes the state in right form, where what lies to the right of a site adds up to the identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.memory import check_bytes
from qsim.mps.state import MatrixProductState
from qsim.pauli import SparsePauliOp
from qsim.pool import check_cancelled

Array = npt.NDArray[Any]
_PAULIS = {"X": np.array([[0, 1], [1, 0]]), "Y": np.array([[0, -1j], [1j, 0]]), "Z": np.diag([1, -1])}
#: Bytes of the vectors of distinct prefixes that are extended together.
_ROOM = 1 << 26
_CERTAIN = 1e-14
#: Sites whose bits are kept as a tree before they are written out.
_KEPT = 32


def sample(
    state: MatrixProductState, qubits: Sequence[int], shots: int, random: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Outcomes of some qubits, shape (outcomes, qubits), not always distinct, and how often each came.

    Exact: site by site, each distinct prefix's shots are split by the conditional probability of the next bit (Ferris
    and Vidal, Phys. Rev. B 85, 165146 (2012)), so the work follows the number of distinct prefixes.
    """
    state.to_right_form()
    sites = [state.site_of[qubit] for qubit in qubits]
    last = max(sites, default=-1)
    found: list[tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]] = []
    start = (0, np.ones((1, 1), state.dtype), np.array([shots], np.int64), np.zeros((1, 0), np.uint8))
    waiting: list[tuple[int, Array, Array, npt.NDArray[np.uint8]]] = [start]
    while waiting:
        site, vectors, counts, known = waiting.pop()
        history: list[tuple[Array, Array]] = []  # of each site: the prefix that a prefix extends, and its bit
        while site <= last:
            check_cancelled()
            if len(vectors) > 1 and 2 * len(vectors) * state.tensors[site].shape[2] * vectors.itemsize > _ROOM:
                half = len(vectors) // 2
                known = _extended(known, history)
                waiting.append((site, vectors[half:], counts[half:], known[half:]))
                vectors, counts, known, history = vectors[:half], counts[:half], known[:half], []
                continue
            vectors, counts, parents, bits = _next_site(state.tensors[site], vectors, counts, random)
            history.append((parents, bits))
            if len(history) == _KEPT:
                known, history = _extended(known, history), []
            site += 1
        found.append((_extended(known, history), counts))
    counts = np.concatenate([count for _, count in found])
    result, at = np.empty((len(counts), len(sites)), np.uint8), 0
    for rows, _ in found:
        check_cancelled()
        result[at : at + len(rows)] = rows[:, sites]
        at += len(rows)
    return result, counts


def _next_site(
    tensor: Array, vectors: Array, counts: Array, random: np.random.Generator
) -> tuple[Array, Array, Array, Array]:
    """Prefixes with one more bit: their vectors, shots, the prefix that each extends, and the bit."""
    left, _, right = tensor.shape
    both = (vectors @ tensor.reshape(left, 2 * right)).reshape(len(vectors), 2, right)
    check_cancelled()  # these are as many prefixes as fit `_ROOM`, a tenth of a second for each step
    weights = np.einsum("psr,psr->ps", both.real, both.real) + np.einsum("psr,psr->ps", both.imag, both.imag)
    one = weights[:, 1] / weights.sum(axis=1)
    one = np.where(one < _CERTAIN, 0.0, np.where(one > 1 - _CERTAIN, 1.0, one)).astype(np.float64)
    check_cancelled()
    ones = random.binomial(counts, one)
    check_cancelled()
    at_zero, at_one = np.flatnonzero(counts > ones), np.flatnonzero(ones)
    parents = np.concatenate([at_zero, at_one])
    bits = np.repeat(np.array([0, 1], np.uint8), [len(at_zero), len(at_one)])
    chosen = both[parents, bits] / np.sqrt(weights[parents, bits])[:, None]
    return chosen, np.concatenate([(counts - ones)[at_zero], ones[at_one]]), parents, bits


def _extended(known: npt.NDArray[np.uint8], history: Sequence[tuple[Array, Array]]) -> npt.NDArray[np.uint8]:
    """The bits of each prefix: those known of its ancestor and those that came since."""
    if not history:
        return known
    index = np.arange(len(history[-1][1]))
    result = np.empty((len(index), known.shape[1] + len(history)), np.uint8)
    for column in range(result.shape[1] - 1, known.shape[1] - 1, -1):
        parents, bits = history[column - known.shape[1]]
        result[:, column] = bits[index]
        index = parents[index]
    result[:, : known.shape[1]] = known[index]
    return result


def expectation(state: MatrixProductState, operators: Sequence[SparsePauliOp]) -> list[float]:
    """<state|O|state> of each operator; what comes before two terms' first difference is contracted once."""
    state.to_right_form()
    lefts = _left_environments(state)
    terms = []
    for number, operator in enumerate(operators):
        for paulis, coefficient in operator.terms:
            events = tuple(sorted((state.site_of[qubit], letter) for qubit, letter in paulis))
            terms.append((events, number, coefficient.real))
    terms.sort()
    result = [0.0] * len(operators)
    stack: list[tuple[tuple[int, str], Array]] = []  # events of the last term, and what is contracted after each
    for events, number, coefficient in terms:
        common = 0
        while common < min(len(events), len(stack)) and stack[common][0] == events[common]:
            common += 1
        del stack[common:]
        for site, letter in events[common:]:
            if stack:
                at, environment = stack[-1][0][0] + 1, stack[-1][1]
            else:
                at, environment = site, lefts[site]
            for k in range(at, site):
                environment = _through(environment, state.tensors[k], state.tensors[k])
            moved = np.matmul(_PAULIS[letter].astype(state.dtype), state.tensors[site])
            stack.append(((site, letter), _through(environment, state.tensors[site], moved)))
        value = float(np.trace(stack[-1][1]).real) if stack else 1.0
        result[number] += coefficient * value
    return result


def _left_environments(state: MatrixProductState) -> list[Array]:
    """What lies to the left of each site, contracted: (bond of the bra, bond of the ket)."""
    environment: Array = np.ones((1, 1), state.dtype)
    result = []
    for tensor in state.tensors:
        result.append(environment)
        environment = _through(environment, tensor, tensor)
    return result


def _through(environment: Array, bra: Array, ket: Array) -> Array:
    """Contract one more site."""
    left, _, right = ket.shape
    moved = (environment @ ket.reshape(left, -1)).reshape(-1, right)
    return bra.reshape(-1, bra.shape[2]).conj().T @ moved  # type: ignore[no-any-return]


def probabilities(state: MatrixProductState, qubits: Sequence[int], memory_limit: int | None) -> Array:
    """The joint distribution of a few qubits, shape (2**k,), the first as the least significant bit."""
    state.to_right_form()
    place = {state.site_of[qubit]: k for k, qubit in enumerate(qubits)}
    if not place:
        return np.ones(1)
    widest = max(tensor.shape[2] for tensor in state.tensors)
    needed = 3 * (state.dtype.itemsize * widest**2 << len(qubits))
    check_bytes(
        needed, memory_limit, f"The probabilities of {len(qubits)} qubits at a bond of {widest:,}",
        "Ask for fewer qubits, or sample.",
    )  # fmt: skip
    sites = sorted(place)
    environments: Array = _left_environments(state)[sites[0]][None]
    for site in range(sites[0], sites[-1] + 1):
        check_cancelled()
        tensor = state.tensors[site]
        parts = [tensor] if site not in place else [tensor[:, value : value + 1, :] for value in (0, 1)]
        made = [np.stack([_through(one, part, part) for one in environments]) for part in parts]
        environments = made[0] if len(made) == 1 else np.stack(made, axis=1).reshape(-1, *made[0].shape[1:])
    weights = np.maximum(np.einsum("kaa->k", environments).real, 0.0).reshape((2,) * len(sites))
    # Axis j belongs to the j-th site; the last axis of the result is the first qubit.
    axes = [sites.index(state.site_of[qubit]) for qubit in reversed(qubits)]
    result: Array = weights.transpose(axes).reshape(-1).astype(np.float64)
    result /= result.sum()
    return result


def amplitudes(state: MatrixProductState, memory_limit: int | None) -> Array:
    """All amplitudes, shape (2**n,), qubit 0 as the least significant bit; for few qubits."""
    state.to_right_form()
    count = state.num_qubits
    needed = 3 * state.dtype.itemsize << count
    check_bytes(needed, memory_limit, f"The amplitudes of {count} qubits", "Ask for samples or expectation values.")
    result: Array = np.ones((1, 1), state.dtype)
    for tensor in state.tensors:
        result = np.tensordot(result, tensor, 1).reshape(-1, tensor.shape[2])
    axes = [state.site_of[qubit] for qubit in reversed(range(count))]
    turned = result.reshape((2,) * count).transpose(axes).reshape(-1)
    return np.ascontiguousarray(turned * np.exp(1j * state.phase).astype(state.dtype))

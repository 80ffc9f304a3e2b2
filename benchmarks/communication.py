"""What ranks send each other: plans of this package against counted models of Aer's and QuEST's published schemes.

Nothing is run: the models walk a circuit as those programs do and count amplitudes, in multiples of what one rank holds, on
average over ranks.

- QuEST (Jones et al., Scientific Reports 9, 10736 (2019); ``quest/src/core/localiser.cpp``, version 4.1): qubits never
  change places. A dense gate on one global qubit exchanges a rank's whole part with its partner, where its controls hold; one
  on several qubits swaps each global one with a local one and back, half a part each; diagonal gates cost nothing.
- Aer (Doi and Horii, "Cache blocking technique to large scale quantum computing simulation on supercomputers", IEEE QCE 2020,
  arXiv:2102.02957; ``src/transpile/cacheblocking.hpp`` and ``parallel_state_executor.hpp``, commit 837c3ef of 2026-05): blocks
  of gates on local qubits are taken greedily in program order, and before each block the qubits that it needs are swapped in,
  one at a time; before sampling the order is restored. ``apply_chunk_swap`` sends whole chunks, so a swap costs a rank's whole
  part. "Aer/2" counts the half that has to move at least; "fused" joins the swaps before a block into one exchange, as
  ``apply_multi_chunk_swap`` does where chunks are large. All diagonal gates are counted as free, which is more than the code
  does (it knows u1, z, s, t and diagonal matrices).

Ours is the plan for sampling, the exchange that brings the lowest qubits home included.

``python -m benchmarks.communication``
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from benchmarks.circuits import FAMILIES
from qsim.circuit import Circuit
from qsim.compiler.lowering import MATRIX, Lowered, lower
from qsim.distributed.blocks import SWAP, is_diagonal
from qsim.distributed.plan import plan_ranks
from qsim.distributed.readout import sampled_low_qubits
from qsim.distributed.search import share
from qsim.gates import row_by_code

SCHEMES = ("Aer", "Aer/2", "fused", "QuEST")
CASES = ("qft", "quantum_volume", "ansatz", "ising", "random_cz")
Gate = tuple[tuple[int, ...], tuple[int, ...], bool]  # controls, targets, whether it is a SWAP


def gates_of(circuit: Circuit) -> tuple[list[Gate | None], list[tuple[int, ...]]]:
    """Each gate that is not diagonal, None for one that is, and the qubits of all."""
    lowered: Lowered = lower(circuit)
    gates: list[Gate | None] = []
    qubits = []
    for row in lowered.rows.tolist():
        code, start, count, _, controls, _ = row
        own = tuple(lowered.operands[start : start + count].tolist())
        qubits.append(own)
        if is_diagonal(lowered, row):
            gates.append(None)
            continue
        split = controls + (0 if code == MATRIX else row_by_code(code).controls)
        gates.append((own[:split], own[split:], code == SWAP))
    return gates, qubits


def quest_volume(circuit: Circuit, local: int) -> float:
    """Amplitudes that a rank sends on average, as a multiple of its part, by QuEST's scheme."""
    total = 0.0
    for gate in gates_of(circuit)[0]:
        if gate is None:
            continue
        controls, targets, swap = gate
        away = sum(q >= local for q in targets)
        if not away:
            continue
        held = 0.5 ** len(controls)  # ranks that take part, and amplitudes of those that are exchanged
        if swap:
            total += 0.5 * held
        elif len(targets) == 1:
            total += held
        else:
            total += 2 * 0.5 * away  # in and back, without controls
    return total


def aer_swaps(circuit: Circuit, local: int, restore: bool = True) -> list[int]:
    """How many swaps of a local and a global qubit Aer's cache blocking inserts, before each block and at the end."""
    gates, qubits = gates_of(circuit)
    place = list(range(circuit.num_qubits))  # where each qubit is
    at = list(range(circuit.num_qubits))  # and which qubit is where
    queue, first = list(range(len(gates))), True
    counts: list[int] = []
    while queue:
        blocked = list(range(local)) if first else _blocked(gates, queue, local)
        if not first:
            counts.append(_swap_in(blocked, place, at, local))
        first = False
        inside, waiting, left = set(blocked), set[int](), []
        for k in queue:
            gate = gates[k]
            fits = gate is None or set(gate[1]) <= inside
            if fits and waiting.isdisjoint(qubits[k]):
                continue
            left.append(k)
            waiting |= set(qubits[k])
        queue = left
    if restore:
        counts.append(sum(place[q] >= local for q in range(local)))
    return counts


def _blocked(gates: Sequence[Gate | None], queue: Sequence[int], local: int) -> list[int]:
    """`define_blocked_qubits`: targets in program order, as long as all of a gate's fit."""
    blocked: list[int] = []
    for k in queue:
        gate = gates[k]
        if len(blocked) >= local:
            break
        if gate is not None:
            new = [q for q in gate[1] if q not in blocked]
            if len(blocked) + len(new) <= local:
                blocked += new
    return blocked


def _swap_in(blocked: Sequence[int], place: list[int], at: list[int], local: int) -> int:
    """`add_ops`: each qubit that is wanted and global changes places with a local one that is not wanted."""
    free = [p for p in range(local) if at[p] not in set(blocked)]
    count = 0
    for qubit in blocked:
        if place[qubit] < local:
            continue
        position = free.pop(0)
        other, old = at[position], place[qubit]
        place[qubit], place[other], at[position], at[old] = position, old, qubit, other
        count += 1
    return count


def volumes(circuit: Circuit, ranks: int, given_start: bool = False) -> dict[str, float]:
    """Amplitudes that a rank sends to sample a circuit, as a multiple of its part, by each scheme.

    With `given_start` the initial state is any, in natural order, and so is the end.
    """
    local = circuit.num_qubits - (ranks.bit_length() - 1)
    keep = circuit.num_qubits if given_start else sampled_low_qubits(circuit.num_qubits, local)
    swaps = aer_swaps(circuit, local)
    return {
        "ours": plan_ranks(circuit, local, keep=keep, given_start=given_start).volume,
        "Aer": float(sum(swaps)),
        "Aer/2": 0.5 * sum(swaps),
        "fused": sum(share(count) for count in swaps),
        "QuEST": quest_volume(circuit, local),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of volumes, and ours as a share of each."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.communication", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--qubits", type=int, default=24)
    parser.add_argument("--ranks", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    print(f"{'circuit':16}{'start':9}{'ranks':>5}{'ours':>8}" + "".join(f"{name:>9}  (share)" for name in SCHEMES))
    for name in CASES:
        circuit = FAMILIES[name](given.qubits, given.seed)
        for given_start in (False, True):
            for ranks in given.ranks:
                found = volumes(circuit, ranks, given_start)
                ours = found["ours"]
                shares = [
                    f"{found[other]:9.2f}  ({ours / found[other]:5.2f})" if found[other] else f"{0:9.2f}  (  -  )"
                    for other in SCHEMES
                ]
                start = "given" if given_start else "|0...0>"
                print(f"{name:16}{start:9}{ranks:5}{ours:8.3f}" + "".join(shares))


if __name__ == "__main__":
    main()

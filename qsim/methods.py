"""Which method runs a circuit, and why: statevector, density matrix, stabiliser tableau or matrix-product state.

A statevector does everything and costs 2**n. A stabiliser engine runs Clifford circuits of any width. A matrix-product
state runs circuits of little entanglement, and says what it has left out. `choose` decides and says why; it refuses what
nothing can run, with the numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.circuit import Circuit
from qsim.errors import MemoryLimitError, QsimError, suggestion
from qsim.memory import available_memory, readable

if TYPE_CHECKING:
    from qsim.runs import Runs

METHODS = ("automatic", "statevector", "density_matrix", "stabilizer", "mps")
#: What each method other than the statevector gives.
PURPOSES = {
    "stabilizer": frozenset(("sample", "expectation", "probabilities")),
    "mps": frozenset(("sample", "expectation", "probabilities", "statevector")),
}
#: From so many qubits on (the second: of a circuit that branches; the third: under noise) a Clifford circuit is not worth a
#: statevector or a density matrix.
CLIFFORD_FROM, DYNAMIC_CLIFFORD_FROM, NOISY_CLIFFORD_FROM = 24, 16, 10
#: From so many qubits on samples of a circuit come from a matrix-product state, though a statevector fits, where a run with
#: bonds of up to the second number and so much work ends: parts of a second in place of many.
PRODUCT_STATE_FROM, NARROW_BOND, NARROW_WORK = 26, 64, 1e7
#: Widest bond, and work (`MatrixProductState.work`, some 10^8 a second, up to 6 * 10^8 where bonds are wide), that
#: "automatic" spends on a circuit whose entanglement is not known: half a minute or so.
AUTOMATIC_BOND, AUTOMATIC_WORK = 1024, 5e9
#: What `qsim info` spends to find out: a second or two.
TRIAL_WORK = 1.5e8
_BEYOND = 1 << 70
#: A statevector of so many bytes is not looked at further.
_WORTH_A_LOOK = 1 << 24


@dataclass(frozen=True)
class Choice:
    """The method for a circuit.

    Attributes:
        method: one of `METHODS` but "automatic".
        reason: why, in a sentence.
        alternatives: method -> what it would take, or what speaks against it, in words.
        memory: method -> bytes it would take, None beyond any machine's; only methods that could run the circuit.
    """

    method: str
    reason: str
    alternatives: dict[str, str] = field(default_factory=dict)
    memory: dict[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Options:
    """How a simulator has been told to choose, checked.

    Args:
        method: one of `METHODS`.
        max_bond: widest bond of a matrix-product state; None for no limit.
        truncation: largest share of the squared norm that one truncation may discard.

    >>> Options("stabiliser")
    Traceback (most recent call last):
    ...
    qsim.errors.QsimError: There is no method 'stabiliser'. Did you mean 'stabilizer'? There are automatic, statevector, density_matrix, stabilizer, mps.
    """  # noqa: E501

    method: str = "automatic"
    max_bond: int | None = None
    truncation: float = 1e-16

    def __post_init__(self) -> None:
        if not isinstance(self.method, str) or self.method not in METHODS:
            hint = suggestion(self.method, METHODS) if isinstance(self.method, str) else ""
            raise QsimError(f"There is no method {self.method!r}.{hint} There are {', '.join(METHODS)}.")
        bond = self.max_bond
        if bond is not None and (isinstance(bond, bool) or not isinstance(bond, (int, np.integer)) or bond < 1):
            raise QsimError(f"max_bond is a whole number of at least 1, or None for no limit; got {bond!r}.")
        share = self.truncation
        if isinstance(share, bool) or not isinstance(share, (int, float, np.floating)) or not 0 <= share < 1:
            raise QsimError(f"truncation is a share of the squared norm, at least 0 and below 1; got {share!r}.")

    @property
    def is_automatic(self) -> bool:
        """Whether the choice is open."""
        return self.method == "automatic"


def choose(circuit: Circuit, simulator: Runs, purpose: str = "sample", trial: bool = False) -> Choice:
    """The method that a simulator runs a circuit by.

    Args:
        circuit: without open parameters, or with some: then only its width and its fixed gates count.
        purpose: "sample", "expectation", "probabilities", "statevector", or anything else, which takes a statevector.
        trial: find out by a bounded run whether a matrix-product state is enough, in place of hoping so.

    Raises:
        MemoryLimitError: nothing can run it; the message has the numbers of each method.
        QsimError: the method that was asked for does not do this, or its extra is missing.

    >>> from qsim import Simulator
    >>> choose(Circuit(2).h(0), Simulator()).method
    'statevector'
    >>> wide = Circuit(200).h(0)
    >>> for k in range(199):
    ...     wide = wide.ry(0.1, k).cx(k, k + 1)
    >>> choose(wide, Simulator()).method
    'mps'
    """
    options = simulator._options
    if not options.is_automatic:
        able = PURPOSES.get(options.method)
        if (
            able is not None
            and purpose not in able
            and not (options.method == "stabilizer" and purpose == "statevector")
        ):
            raise QsimError(
                f'method="{options.method}" gives {", ".join(sorted(able))}; a {purpose} takes method="statevector".'
            )
        return Choice(options.method, "asked for", memory=_memory(circuit, simulator, [options.method]))
    return _Chooser(circuit, simulator, purpose, trial).choice()


class _Chooser:
    """One automatic choice."""

    def __init__(self, circuit: Circuit, simulator: Runs, purpose: str, trial: bool) -> None:
        self.circuit, self.simulator, self.purpose, self.trial = circuit, simulator, purpose, trial
        self.against: dict[str, str] = {}
        self.noise = simulator._noisy
        # Under noise samples come from trajectories of statevectors, exact values from density matrices.
        self.dense = "density_matrix" if self.noise is not None and purpose != "sample" else "statevector"
        self.width = circuit.num_qubits if self.noise is not None else statevector_width(circuit, simulator, purpose)
        self.needed = statevector_bytes(circuit, simulator, self.width)
        if self.dense == "density_matrix":
            self.needed = 3 * simulator._amplitude << 2 * circuit.num_qubits
        limit = simulator.memory_limit
        self.bound = available_memory() if limit is None else min(limit, available_memory())
        self.dynamic = circuit.is_dynamic

    def choice(self) -> Choice:
        count = self.circuit.num_qubits
        fits = self.needed <= self.bound
        size = f"2**{self.width if self.dense == 'statevector' else 2 * count} amplitudes"
        limit = NOISY_CLIFFORD_FROM if self.noise else DYNAMIC_CLIFFORD_FROM if self.dynamic else CLIFFORD_FROM
        native = f"{size} take {_bytes(self.needed)}, of {readable(self.bound)}"
        beside = "" if fits else f"; a {self.dense.replace('_', ' ')} would take {_bytes(self.needed)}"
        if fits and (count < limit or self.purpose not in PURPOSES["stabilizer"]):
            return self._made(self.dense, native)
        if not fits:
            self.against[self.dense] = f"needs {_bytes(self.needed)} ({size}); {readable(self.bound)} are available"
        if self._clifford():
            return self._made("stabilizer", f"all gates are Clifford{beside}")
        if fits and (bond := self._narrow()) is not None:
            return self._made("mps", f"bonds of up to {bond} in a trial run, much less than {size}")
        if fits:
            return self._made(self.dense, native)
        if self.purpose in PURPOSES["mps"] and (reason := self._product_state()):
            return self._made("mps", f"{reason}{beside}")
        raise MemoryLimitError(refusal(self.circuit, self.simulator, self.purpose, self.against))

    def _narrow(self) -> int | None:
        """The widest bond where a matrix-product state is clearly faster than a statevector that fits, or None."""
        if self.purpose != "sample" or self.noise is not None or self.width < PRODUCT_STATE_FROM:
            return None
        if self.circuit.parameters:
            return None
        try:
            return int(trial_run(self.circuit, self.simulator, NARROW_WORK, NARROW_BOND)["max_bond"])
        except MemoryLimitError:
            return None

    def _made(self, method: str, reason: str) -> Choice:
        memory = _memory(self.circuit, self.simulator, ["statevector", "stabilizer", "mps"])
        possible = {name: memory[name] for name in memory if name == method or name not in self.against}
        return Choice(method, reason, dict(self.against), possible)

    def _clifford(self) -> bool:
        from qsim.stabilizer.clifford import NotClifford
        from qsim.stabilizer.engine import check_circuit
        from qsim.stabilizer.tableau import has_stim

        if self.purpose not in PURPOSES["stabilizer"]:
            self.against["stabilizer"] = f"gives no {self.purpose}"
            return False
        if self.noise is not None and (not self.noise.is_pauli or self.purpose == "probabilities"):
            gives = "gives no probabilities under noise" if self.noise.is_pauli else "the noise is no mixture of Paulis"
            self.against["stabilizer"] = gives
            return False
        try:
            check_circuit(self.circuit)
        except NotClifford as error:
            self.against["stabilizer"] = str(error)
            return False
        except QsimError as error:  # parameters that are open
            self.against["stabilizer"] = str(error).rstrip(".")
            return False
        if not has_stim():
            self.against["stabilizer"] = (
                'all gates are Clifford, but stim is missing: pip install "qsim-session[clifford]"'
            )
            return False
        return True

    def _product_state(self) -> str | None:
        """Why a matrix-product state will do, or None and the reason in `against`."""
        if self.noise is not None and (not self.noise.is_pauli or self.purpose != "sample"):
            self.against["mps"] = "under noise it samples, with mixtures of Paulis alone"
            return None
        if self.circuit.parameters:
            self.against["mps"] = "entanglement depends on parameters: bind them first"
            return None
        bound = bond_bound(self.circuit)
        if bound is not None and bound <= 10:
            return f"no bond is wider than 2**{bound}, going by the gates across it"
        if not self.trial:
            return f"tried with bonds of up to {AUTOMATIC_BOND:,} states"
        try:
            found = trial_run(self.circuit, self.simulator, TRIAL_WORK)
        except MemoryLimitError as error:
            self.against["mps"] = f"{error}"
            return None
        return f"a trial run came to bonds of {found['max_bond']:,} with an error of {found['truncation_error']:.2g}"


def refusal(circuit: Circuit, simulator: Runs, purpose: str, against: Mapping[str, str]) -> str:
    """Why no method runs a circuit: what speaks against each, and what to try."""
    reasons = "; ".join(f"{name}: {reason}" for name, reason in against.items())
    return (
        f"No method can run this circuit of {circuit.num_qubits} qubits ({purpose}). {reasons}. Try fewer qubits, "
        f"{advice(simulator)}."
    )


def advice(simulator: Runs) -> str:
    """What to try where nothing runs."""
    single = 'precision="single", ' if simulator.precision == "double" else ""
    return f'{single}or method="mps" with max_bond=256, which truncates and reports the error'


def statevector_bytes(circuit: Circuit, simulator: Runs, width: int) -> int:
    """What a statevector run takes whose widest state has so many qubits, or a number beyond any machine's."""
    if width == circuit.num_qubits and width <= 1000:
        return simulator.estimate_memory(circuit)
    # A state before and after a step, and the kernels' room.
    return 2 * simulator._amplitude << width if width <= 1000 else _BEYOND << 64


def statevector_width(circuit: Circuit, simulator: Runs, purpose: str) -> int:
    """The qubits of the widest state that a run has to hold: of a circuit that falls apart, of its widest part; of one that
    branches, of those that are in one state at a time."""
    count = circuit.num_qubits
    if purpose not in PURPOSES["stabilizer"] or simulator.estimate_memory(circuit) <= _WORTH_A_LOOK:
        return count
    if circuit.is_dynamic:
        from qsim.dynamic import live_width

        return min(count, live_width(circuit)) if purpose == "sample" else count
    from qsim.parts import widest

    return widest(circuit)


def _memory(circuit: Circuit, simulator: Runs, methods: Sequence[str]) -> dict[str, int | None]:
    """Bytes for each method, as far as they are known beforehand; None beyond any machine's."""
    found: dict[str, int | None] = {}
    if "statevector" in methods:
        width = statevector_width(circuit, simulator, "sample")
        needed = statevector_bytes(circuit, simulator, width)
        found["statevector"] = needed if needed < _BEYOND else None
    if "stabilizer" in methods:
        found["stabilizer"] = circuit.num_qubits**2 // 2 + 1024 * circuit.num_qubits
    if "mps" in methods and (bound := bond_bound(circuit)) is not None and bound <= 10:
        found["mps"] = 2 * simulator._amplitude * circuit.num_qubits << 2 * bound
    return found


def bond_bound(circuit: Circuit) -> int | None:
    """A bound on log2 of the widest bond: for each cut of the chain of qubits, the gates across it, two for a general one.

    None for circuits with feed-forward, whose gates may run more than once.

    >>> bond_bound(Circuit(4).h(0).cx(0, 1).cx(1, 2).cx(0, 2))
    2
    """
    from qsim.mps.order import chain_order

    return None if circuit.has_feed_forward else chain_order(circuit)[1]


def trial_run(circuit: Circuit, simulator: Runs, work: float, bond: int = AUTOMATIC_BOND) -> dict[str, Any]:
    """What a matrix-product-state run within these limits comes to, or a `MemoryLimitError` that says where it stopped."""
    from qsim.mps.engine import ProductStateEngine
    from qsim.mps.state import Settings

    options = simulator._options
    settings = Settings(
        options.max_bond, options.truncation, simulator.memory_limit, work,
        bond if options.max_bond is None else None,
    )  # fmt: skip
    return ProductStateEngine(settings, simulator._dtype, None, simulator.max_loop_rounds).facts_of(circuit)


def _bytes(needed: int) -> str:
    return readable(needed) if needed < _BEYOND else "more than any machine has"

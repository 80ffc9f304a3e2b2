"""The methods of a simulator that give derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from qsim.arguments import as_operators, check_circuit, checked_seed, checked_shots
from qsim.circuit import MEASURE, ROW, Circuit
from qsim.engines import refuse_other
from qsim.errors import CircuitError, QsimError
from qsim.parameter_binding import bind_parameters
from qsim.pauli import SparsePauliOp, check_observable
from qsim.pool import part as one_part
from qsim.runs import Array, Runs


class GradientMethods(Runs):
    """Inherited by `qsim.simulator.Simulator`, whose settings it uses."""

    _measurements: list[tuple[SparsePauliOp, Any, Any]]
    executor: Any
    _send: Any

    def gradient(
        self, circuit: Circuit, observable: Any, parameters: Any = None, *, executor: Any = None, checkpoint: Any = None
    ) -> Any:
        """The exact derivatives of an expectation value by all parameters, from one sweep back through the circuit.

        Args:
            circuit: of gates alone; any gate may have expressions of parameters.
            observable: a Hermitian `SparsePauliOp`, or a list of them.
            parameters: one set or a batch.

        Returns:
            A dict from name to derivative: a float, or an array for an array parameter. A list of these for a list of
            observables (a Jacobian), and an outer list for a batch.

        Raises:
            QsimError: the observable is not Hermitian or too wide, the circuit branches or takes a fractional power of
                a gate with symbolic parameters, or a derivative is infinite.

        Source: Jones and Gacon, "Efficient calculation of gradients in classical simulations of variational quantum
        algorithms", arXiv:2009.02823. Memory: three states, whatever the number of terms and parameters.

        >>> from qsim import Parameter, Pauli, Simulator
        >>> slope = Simulator().gradient(Circuit(1).rx(2 * Parameter("a"), 0), Pauli.Z(0), {"a": 0.5})
        >>> round(slope["a"], 6)  # of cos(2 a)
        -1.682942
        """
        if executor is not None or checkpoint is not None or self.executor is not None:
            return self._send("gradient", circuit, parameters, executor, checkpoint, observable=observable)
        return self._gradients(circuit, observable, parameters)[1]

    def value_and_gradient(
        self, circuit: Circuit, observable: Any, parameters: Any = None, *, executor: Any = None, checkpoint: Any = None
    ) -> tuple[Any, Any]:
        """`expectation` and `gradient` from one sweep, each in its own shape.

        >>> from qsim import Parameter, Pauli, Simulator
        >>> Simulator().value_and_gradient(Circuit(1).ry(Parameter("a"), 0), Pauli.X(0), {"a": 0.0})
        (0.0, {'a': 1.0})
        """
        if executor is not None or checkpoint is not None or self.executor is not None:
            return self._send(  # type: ignore[no-any-return]
                "value_and_gradient", circuit, parameters, executor, checkpoint, observable=observable
            )
        return self._gradients(circuit, observable, parameters)

    def hessian_vector_product(
        self, circuit: Circuit, observable: SparsePauliOp, vector: Any, parameters: Any = None
    ) -> Any:
        """The second derivatives of an expectation value, times a vector: the cost of ten gradients.

        Args:
            circuit, observable, parameters: as for `gradient`; one observable.
            vector: a number for each parameter, in the form of one set of parameters.

        Returns:
            A dict as from `gradient`: sum over k of d2E / (dname dk) vector[k]. A list of them for a batch.

        Raises:
            QsimError: as `gradient` does, and for a vector that is no single set.

        Exact but for rounding, about 1e-13 times the number of gates with parameters, where angles are affine in the
        parameters; see `qsim.curvature`.

        >>> from qsim import Parameter, Pauli, Simulator
        >>> turned = Circuit(1).rx(2 * Parameter("a"), 0)
        >>> product = Simulator().hessian_vector_product(turned, Pauli.Z(0), {"a": 1.0}, {"a": 0.5})
        >>> round(product["a"], 9)  # the second derivative of cos(2 a)
        -2.161209223
        """
        from qsim.curvature import line, slope
        from qsim.gradients import named

        self._check_gradient(circuit, [observable])
        directions, several = bind_parameters(circuit, vector)
        if several:
            raise QsimError("The vector of a Hessian-vector product is one set of numbers, not a batch of sets.")
        rows, batched = bind_parameters(circuit, parameters)
        products = []
        for k, row in enumerate(rows):
            points, h = line(circuit, row, directions[0], np.empty(0, self._dtype).real.dtype)
            with one_part(k, len(rows)):
                if not len(points):
                    products.append(named(circuit, np.zeros(len(row))))
                else:
                    products.append(slope(self.gradient(circuit, observable, points), h))
        return products if batched else products[0]

    def parameter_shift_gradient(
        self, circuit: Circuit, observable: SparsePauliOp, parameters: Any = None,
        *, shots: int | None = None, seed: int | None = None, executor: Any = None, checkpoint: Any = None,
    ) -> Any:  # fmt: skip
        """The same as `gradient`, from shifted expectation values: slow, a check of it, and what hardware can do.

        Args:
            circuit, observable, parameters: as for `gradient`.
            shots: of the estimate of each shifted value; None takes exact values.
            seed: of the shots; set k of a batch uses seed + k.

        Source: Schuld et al., arXiv:1811.11184; Anselmetti et al., arXiv:2104.05695 for controlled rotations.

        >>> from qsim import Parameter, Pauli, Simulator
        >>> slope = Simulator().parameter_shift_gradient(Circuit(1).rx(2 * Parameter("a"), 0), Pauli.Z(0), {"a": 0.5})
        >>> round(slope["a"], 6)
        -1.682942
        """
        if executor is not None or checkpoint is not None or self.executor is not None:
            return self._send(
                "parameter_shift_gradient", circuit, parameters, executor, checkpoint, observable=observable, shots=shots, seed=seed
            )  # fmt: skip
        from qsim.estimation import estimate_state, group_seed
        from qsim.gradients import named
        from qsim.shift_rules import parameter_shift
        from qsim.state import operator_means

        self._check_gradient(circuit, [observable])
        rows, batched = bind_parameters(circuit, parameters)
        circuit, (observable,) = self._relevant(circuit, [observable])
        self._check(circuit, copies=1 if shots is None else 2)
        made = None if shots is None else self.check_estimate(circuit, observable, shots)
        seed = checked_seed(seed)
        results = []
        for k, row in enumerate(rows):

            def value_of(state: Array, count: int, own: int = (seed + k) % (1 << 64)) -> float:
                if shots is None or made is None:
                    return float(operator_means(state.reshape(1, -1), observable, self.threads)[0])
                return float(estimate_state(self, state, made, int(shots), group_seed(own, count)).value)

            with one_part(k, len(rows)):
                slopes = parameter_shift(circuit, value_of, row, self._dtype, self.threads)
            results.append(named(circuit, slopes))
        return results if batched else results[0]

    def _check_gradient(self, circuit: Circuit, operators: list[Any]) -> None:
        refuse_other(self, "gradient")
        self._noiseless("gradient", "expectation at shifted parameters")
        self._only_gates(circuit, "gradient")
        if MEASURE in circuit._rows[::ROW]:
            raise CircuitError("A gradient is not taken through measurements. Leave them out.")
        for operator in operators:
            check_observable(operator, circuit.num_qubits)

    def _gradients(self, circuit: Circuit, observable: Any, parameters: Any) -> tuple[Any, Any]:
        from qsim.gradients import named, plan, value_and_gradient

        single, operators = as_operators(observable)
        self._check_gradient(circuit, operators)
        rows, batched = bind_parameters(circuit, parameters)
        circuit, operators = self._relevant(circuit, operators)
        self._check(circuit, copies=3)
        steps = plan(circuit, self._dtype, self._tile_bits)
        values: Array = np.zeros((len(rows), len(operators)))
        slopes: list[list[dict[str, Any]]] = []
        for k, row in enumerate(rows):
            slopes.append([])
            with one_part(k, len(rows)):
                state = self._state(circuit, row)
                for j, operator in enumerate(operators):
                    with one_part(j, len(operators)):
                        values[k, j], slope = value_and_gradient(steps, state, operator, row, self.threads)
                    slopes[k].append(named(circuit, slope))
        picked: list[Any] = [of_set[0] for of_set in slopes] if single else slopes
        shaped = values[:, 0] if single else values
        if batched:
            return shaped, picked
        return (float(shaped[0]) if single else shaped[0]), picked[0]

    def check_estimate(
        self, circuit: Circuit, observable: SparsePauliOp, shots: int, grouping: str = "commuting"
    ) -> Any:
        """Raise what `estimate` would raise for these; returns the groups of terms, which are kept for a while."""
        from qsim.estimation import measurements, split_shots
        from qsim.grouping import GROUPINGS

        refuse_other(self, "estimate from shots")
        if self._noisy is not None:
            check_circuit(circuit)
            check_observable(observable, circuit.num_qubits)
            return None

        self._only_gates(circuit, "expectation value")
        if grouping not in GROUPINGS:
            raise QsimError(f"Terms are grouped {' or '.join(map(repr, GROUPINGS))}, got {grouping!r}.")
        check_observable(observable, circuit.num_qubits)
        shots, wanted = checked_shots(shots), (circuit.num_qubits, grouping)
        made = next((m for operator, key, m in self._measurements if operator is observable and key == wanted), None)
        if made is None:
            made = measurements(observable, circuit.num_qubits, grouping)
            self._measurements = [*self._measurements[-7:], (observable, wanted, made)]
        split_shots(shots, [group.weight for group in made.groups])
        return made

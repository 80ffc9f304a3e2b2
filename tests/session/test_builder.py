"""The traced front end: what quantum functions become, compared with circuits written by hand, and what they refuse."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import pytest

from qsim import Circuit, Parameter, ParameterError, Simulator
from session import (
    CCX,
    CX,
    PHASE,
    RX,
    RXX,
    RZ,
    SDG,
    SIGNED,
    SWAP,
    BuilderError,
    CArray,
    CInt,
    CReal,
    ExecutionSession,
    H,
    I,
    Input,
    Output,
    Pauli,
    QArray,
    QBit,
    QCallable,
    QNum,
    QuantumProgram,
    U,
    X,
    Y,
    Z,
    allocate,
    apply_to_all,
    bind,
    control,
    free,
    hadamard_transform,
    if_,
    inplace_prepare_int,
    invert,
    power,
    prepare_int,
    qfunc,
    repeat,
    synthesize,
    within_apply,
)  # fmt: skip
from session.outputs import OutputType

SIM = Simulator()


def same(program: QuantumProgram, circuit: Circuit, parameters: Any = None) -> None:
    found, expected = SIM.statevector(program.circuit, parameters), SIM.statevector(circuit, parameters)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def one_state(program: QuantumProgram, **values: Any) -> dict[str, Any]:
    """The only state that a program makes."""
    with ExecutionSession(program, num_shots=20, random_seed=1) as session:
        (state,) = session.sample(values or None).parsed_counts
    return state.state


# what is made ------------------------------------------------------------------------------------------------------
def test_every_gate_is_the_tables_gate() -> None:
    from session.builder.gates import GATE_FUNCTIONS

    def program(gate: Any, angles: list[float]) -> QuantumProgram:
        @qfunc
        def main(q: Output[QArray]) -> None:
            allocate(gate._count, q)
            hadamard_transform(q)
            repeat(q.len, lambda i: RZ(0.1 * (i + 1), q[i]))
            gate(*angles, q)

        return synthesize(main)

    for name, gate in GATE_FUNCTIONS.items():
        angles = [0.3, 0.5, 0.7, 0.2][: len(gate._angles)]
        circuit = Circuit(gate._count).h(range(gate._count))
        for k in range(gate._count):
            circuit.rz(0.1 * (k + 1), k)
        if name == "U":
            circuit.gphase(0.2)
            circuit.u(0.3, 0.5, 0.7, 0)
        else:
            getattr(circuit, gate._gate)(*angles, *range(gate._count))
        same(program(gate, angles), circuit)


def test_gates_take_keywords_lists_and_arrays() -> None:
    @qfunc
    def main(q: Output[QArray[QBit, 3]]) -> None:
        allocate(q)
        RX(theta=0.3, target=q[0])
        CX(control=q[0], target=q[1])
        CX(q[1], target=q[2])
        CCX([q[0], q[1]], q[2])
        CCX(q[0:2], q[2])
        RXX(0.2, q[0:2])
        SWAP(q[0], q[-1])

    circuit = Circuit(3).rx(0.3, 0).cx(0, 1).cx(1, 2).ccx(0, 1, 2).ccx(0, 1, 2).rxx(0.2, 0, 1).swap(0, 2)
    same(synthesize(main), circuit)


def test_nested_functions_take_classical_and_quantum_arguments() -> None:
    @qfunc
    def layer(angles: CArray[CReal], scale: float, q: QArray[QBit]) -> None:
        repeat(q.len, lambda i: RX(scale * angles[i], q[i]))
        repeat(q.len - 1, lambda i: CX(q[i], q[i + 1]))

    @qfunc
    def ansatz(angles: CArray[CReal, 4], q: Output[QArray[QBit]]) -> None:
        allocate(2, q)
        layer(angles[0:2], 1.0, q)
        layer(scale=2.0, angles=angles[2:4], q=q)

    @qfunc
    def main(q: Output[QArray], p: CArray[CReal, 4], t: CReal) -> None:
        ansatz(p, q)
        PHASE(-t / 2 + math.pi, q[1])

    program = synthesize(main)
    assert program.parameters == ("p", "t")
    p, t = [Parameter(f"p[{k}]") for k in range(4)], Parameter("t")
    circuit = (
        Circuit(2).rx(p[0], 0).rx(p[1], 1).cx(0, 1).rx(2 * p[2], 0).rx(2 * p[3], 1).cx(0, 1).p(-t / 2 + math.pi, 1)
    )
    values = {"p": [0.1, 0.2, 0.3, 0.4], "t": 0.5}
    flat = {**{f"p[{k}]": 0.1 * (k + 1) for k in range(4)}, "t": 0.5}
    np.testing.assert_allclose(
        SIM.statevector(program.circuit, values), SIM.statevector(circuit.bind(flat)), atol=1e-12
    )


def test_expressions_stay_symbolic_and_numpy_functions_work() -> None:
    @qfunc
    def main(q: Output[QBit], t: CReal, n: CInt) -> None:
        allocate(q)
        RX(np.sin(2 * t) + np.float64(1.5) * t - t**2 / 3, q)
        RZ(n * 0.25, q)

    t, n = 0.7, 3
    circuit = Circuit(1).rx(math.sin(2 * t) + 1.5 * t - t**2 / 3, 0).rz(n * 0.25, 0)
    np.testing.assert_allclose(
        SIM.statevector(synthesize(main).circuit, {"t": t, "n": n}), SIM.statevector(circuit), atol=1e-12
    )


def test_control_invert_power_and_within_apply() -> None:
    @qfunc
    def body(q: QArray[QBit, 2]) -> None:
        U(0.1, 0.2, 0.3, 0.4, q[0])
        CX(q[0], q[1])
        RZ(0.7, q[1])

    @qfunc
    def main(c: Output[QBit], q: Output[QArray[QBit, 2]]) -> None:
        allocate(c)
        allocate(q)
        H(c)
        control(c, lambda: body(q))
        control(ctrl=c == 0, stmt_block=lambda: body(q), else_block=lambda: invert(lambda: body(q)))
        power(3, lambda: body(q))
        power(-2, lambda: body(q))
        within_apply(lambda: H(q[0]), lambda: body(q))

    inner = Circuit(2).gphase(0.4).u(0.1, 0.2, 0.3, 0).cx(0, 1).rz(0.7, 1)
    from qsim import Gate

    gate = Gate(inner.to_gate("inner"))
    circuit = Circuit(3).h(0).append(gate.control(1), [0, 1, 2]).append(gate.control(1, 0), [0, 1, 2])
    circuit.append(gate.inverse().control(1), [0, 1, 2])
    for each in (gate, gate, gate, gate.inverse(), gate.inverse()):
        circuit.append(each, [1, 2])
    circuit.h(1).append(gate, [1, 2]).h(1)
    same(synthesize(main), circuit)


@pytest.mark.parametrize("number", range(8))
def test_a_control_on_a_number_holds_for_that_number_alone(number: int) -> None:
    @qfunc
    def main(n: Output[QNum[3]], equal: Output[QBit], different: Output[QBit]) -> None:
        allocate(n)
        inplace_prepare_int(5, n)
        allocate(equal)
        allocate(different)
        control(n == number, lambda: X(equal))
        control(n != number, lambda: X(different))

    assert one_state(synthesize(main)) == {"n": 5, "equal": int(number == 5), "different": int(number != 5)}


def test_signed_and_fixed_point_numbers_and_arrays_in_results() -> None:
    @qfunc
    def main(
        a: Output[QNum[4, SIGNED, 1]], b: Output[QNum], c: Output[QArray[QBit]], d: Output[QArray[QNum[2], 2]]
    ) -> None:
        allocate(a)
        allocate(3, False, 2, b)
        allocate(3, c)
        allocate(d)
        inplace_prepare_int(-2.5, a)
        inplace_prepare_int(1.25, b)
        X(c[2])
        inplace_prepare_int(2, d[1])

    program = synthesize(main)
    assert program.types == {
        "a": OutputType(True, 1),
        "b": OutputType(False, 2),
        "c": OutputType(length=3),
        "d": OutputType(length=2),
    }
    assert one_state(program) == {"a": -2.5, "b": 1.25, "c": [0, 0, 1], "d": [0, 2]}
    with ExecutionSession(program, num_shots=5) as session:
        frame = session.sample().dataframe
    assert [str(kind) for kind in frame.dtypes[:4]] == ["float64", "float64", "object", "object"]


def test_arrays_of_arrays_are_lists_of_lists() -> None:
    @qfunc
    def main(x: Output[QArray[QArray[QBit, 2], 3]]) -> None:
        allocate(x)
        X(x[1][0])
        X(x[2][1])

    program = synthesize(main)
    assert one_state(program) == {"x": [[0, 0], [1, 0], [0, 1]]}
    assert QuantumProgram.from_json(program.to_json()) == program
    with ExecutionSession(program) as session:
        assert session.calculate_state_vector(filters={"x": [[[0, 0], [1, 0], [0, 1]]]}).probability == pytest.approx(1)


def test_outputs_are_allocated_inside_and_inputs_are_taken_over() -> None:
    @qfunc
    def make(value: CInt, out: Output[QNum]) -> None:
        prepare_int(value, out)

    @qfunc
    def split(number: Input[QNum], low: Output[QBit], high: Output[QArray]) -> None:
        bind(number, [low, high])

    @qfunc
    def main(low: Output[QBit], high: Output[QArray]) -> None:
        number = QNum("number")
        make(6, number)
        split(number, low, high)

    program = synthesize(main)
    assert program.outputs == {"low": (0,), "high": (1, 2)}
    assert one_state(program) == {"low": 0, "high": [1, 1]}


def test_functions_as_arguments_and_apply_to_all() -> None:
    @qfunc
    def twice(operation: QCallable[QBit], q: QBit) -> None:
        operation(q)
        operation(q)

    @qfunc
    def main(q: Output[QArray[QBit, 2]]) -> None:
        allocate(q)
        apply_to_all(lambda one: twice(SDG, one), q)
        twice(lambda one: H(one), q[0])
        apply_to_all(X, q)

    assert one_state(synthesize(main)) == {"q": [1, 1]}


def test_a_condition_known_now_chooses_now_and_one_on_parameters_when_it_runs() -> None:
    @qfunc
    def main(q: Output[QArray[QBit, 3]], t: CReal, n: CInt) -> None:
        allocate(q)
        if_(len(q) == 3, lambda: X(q[0]), lambda: X(q[1]))
        if_((t > 0.5) & (n == 2), lambda: X(q[1]), lambda: X(q[2]))

    program = synthesize(main)
    assert one_state(program, t=0.6, n=2) == {"q": [1, 1, 0]}
    assert one_state(program, t=0.4, n=2) == {"q": [1, 0, 1]}
    assert one_state(program, t=0.6, n=1) == {"q": [1, 0, 1]}


def test_a_program_of_nothing_has_one_outcome() -> None:
    @qfunc
    def main() -> None:
        pass

    with ExecutionSession(synthesize(main), num_shots=7) as session:
        assert session.sample().counts == {"": 7}
        assert session.calculate_state_vector().to_array().tolist() == [1]


def test_local_variables_are_auxiliary_and_can_be_freed() -> None:
    @qfunc
    def main(q: Output[QBit]) -> None:
        helper = QBit("helper")
        allocate(helper)
        allocate(q)
        X(helper)
        CX(helper, q)
        X(helper)
        free(helper)
        allocate(helper)
        I(helper)

    program = synthesize(main)
    assert program.num_qubits == 3
    assert one_state(program) == {"q": 1}


def test_annotations_that_name_local_constants_are_read() -> None:
    size = 3

    @qfunc
    def main(q: Output[QArray[QBit, size]]) -> None:
        allocate(q)

    assert synthesize(main).outputs == {"q": (0, 1, 2)}


def test_integer_parameters_are_given_whole_numbers() -> None:
    @qfunc
    def main(q: Output[QBit], n: CInt, m: CArray[CInt, 2]) -> None:
        allocate(q)
        RX(n * 0.1 + m[1], q)

    with ExecutionSession(synthesize(main)) as session:
        assert session.estimate(Pauli.Z(0), {"n": 2.0, "m": [0, 1]}).value == pytest.approx(math.cos(1.2))
        with pytest.raises(ParameterError, match="Parameter 'n' is given a whole number; got 2.5"):
            session.sample({"n": 2.5, "m": [0, 1]})
        with pytest.raises(ParameterError, match=r"Parameter 'm\[1\]' is given a whole number; got 0.5"):
            session.sample([{"n": 2, "m": [0, 1]}, {"n": 2, "m": [0, 0.5]}])


def test_sizes_named_after_other_arguments_are_left_open() -> None:
    @qfunc
    def layer(n: CInt, q: QArray[QBit, Literal["n"]], p: CArray[CReal, Literal["n"]]) -> None:
        repeat(n, lambda k: RX(p[k], q[k]))

    @qfunc
    def main(q: Output[QArray[QBit, 2]]) -> None:
        allocate(q)
        layer(2, q, [math.pi, 0.0])

    assert one_state(synthesize(main)) == {"q": [1, 0]}


def test_programs_survive_json() -> None:
    @qfunc
    def main(x: Output[QNum[3, SIGNED, 1]], t: CReal, p: CArray[CReal, 2]) -> None:
        allocate(x)
        RX(2 * t, x[0])
        RX(p[1] - t, x[1])
        if_(t > 1, lambda: Y(x[2]))

    program = synthesize(main)
    again = QuantumProgram.from_json(program.to_json())
    assert again == program
    values = {"t": 1.5, "p": [0.1, 0.2]}
    results = []
    for each in (program, again):
        with ExecutionSession(each, random_seed=3) as session:
            results.append(session.sample(values))
    assert results[0] == results[1]


# what is refused ----------------------------------------------------------------------------------------------------
def refused(function: Any, message: str) -> None:
    with pytest.raises(BuilderError, match=message):
        synthesize(qfunc(function))


def test_variables_that_stand_for_nothing_or_for_something_already() -> None:
    def before(x: Output[QBit]) -> None:
        X(x)

    def never(x: Output[QBit]) -> None:
        pass

    def again(x: Output[QBit]) -> None:
        allocate(x)
        allocate(x)

    def gone(x: Output[QBit]) -> None:
        y = QBit("y")
        allocate(y)
        bind(y, x)
        X(y)

    refused(before, "X needs qubits, and 'x' is not allocated yet; allocate it first")
    refused(never, "its output 'x' was never allocated")
    refused(again, "gives qubits to 'x', which has 1 already: a quantum state is not copied")
    refused(gone, "'y' was given away by bind")

    def given(x: Output[QBit], y: Output[QBit]) -> None:
        allocate(x)
        bind(x, y)

    refused(given, "its output 'x' has no qubits: it was given away by bind")

    def never_so(x: Output[QNum[2]]) -> None:
        allocate(x)
        control(x == 4, lambda: X(x[0]))

    refused(never_so, "'x' is never 4: This output has values from 0 to 3")


def test_the_same_qubit_twice_and_cloning() -> None:
    def twice(q: Output[QArray]) -> None:
        allocate(2, q)
        CX(q[0], q[0])

    @qfunc
    def pair(a: QBit, b: QBit) -> None:
        CX(a, b)

    def twice_in_a_call(q: Output[QArray]) -> None:
        allocate(2, q)
        pair(q[1], q[1])

    def clone(a: Output[QBit], b: Output[QBit]) -> None:
        allocate(a)
        bind([a, a], b)

    def own_control(a: Output[QBit]) -> None:
        allocate(a)
        control(a, lambda: X(a))

    refused(twice, "CX acts on different qubits; qubit 0 is given twice")
    refused(twice_in_a_call, r"pair\(\) acts on different qubits; qubit 1 is given twice")
    refused(clone, "bind acts on different qubits; qubit 0 is given twice")
    refused(own_control, "A block changes no qubit that controls it; 'x' acts on qubit 0")


def test_wrong_types_and_numbers_of_arguments() -> None:
    @qfunc
    def inner(a: QBit, n: CInt, t: CReal, p: CArray[CReal, 2]) -> None:
        RX(t, a)

    def call(*args: Any, **named: Any) -> Any:
        def main(q: Output[QArray[QBit, 2]]) -> None:
            allocate(q)
            inner(*[q if one == "q" else q[0] if one == "q0" else one for one in args], **named)

        return main

    refused(call("q", 1, 0.5, [1, 2]), "'a' of inner.. is a QBit of 1 qubit, got 2")
    refused(call(3, 1, 0.5, [1, 2]), "'a' of inner.. takes a quantum variable, or a list of them; got int")
    refused(call("q0", 1.5, 0.5, [1, 2]), "'n' of inner.. is a CInt, got 1.5")
    refused(call("q0", 1, "x", [1, 2]), "'t' of inner.. is a CReal, got str")
    refused(call("q0", 1, 0.5, [1]), r"'p' of inner.. is a CArray\[CReal, 2\], got 1 elements")
    refused(call("q0", 1), "missing a required argument: 't'")
    refused(call("q0", 1, 0.5, [1, 2], z=1), "got an unexpected keyword argument 'z'")


def test_gates_called_wrongly() -> None:
    def make(statement: Any) -> Any:
        def main(q: Output[QArray[QBit, 2]], t: CReal) -> None:
            allocate(q)
            statement(q, t)

        return main

    refused(make(lambda q, t: H(q)), r"H\(target\) acts on 1 qubit, got 2. To apply it to each qubit, use apply_to_all")
    refused(make(lambda q, t: CX(q[0])), r"CX\(control, target\) acts on 2 qubits, got 1")
    refused(make(lambda q, t: RX(q[0])), "'theta' of RX is a real number")
    refused(make(lambda q, t: RX("a", q[0])), "'theta' of RX is a real number")
    refused(make(lambda q, t: RX(math.nan, q[0])), "'theta' of RX is a finite number")
    refused(make(lambda q, t: RX(t, t, q[0])), "RX takes a quantum variable")
    refused(make(lambda q, t: X(q[2])), "'q' has elements 0 to 1, got 2")
    refused(make(lambda q, t: X(q[t])), "'t' has its value only when the program runs")
    refused(make(lambda q, t: X(q[0], angle=1)), r"X\(target\) has no argument 'angle'")
    refused(make(lambda q, t: repeat(t, lambda i: X(q[0]))), "'t' has its value only when the program runs; a count")
    refused(make(lambda q, t: power(0.5, lambda: X(q[0]))), "power takes a whole number")
    refused(make(lambda q, t: math.sin(t)), "it can be an angle, not a number that Python")
    refused(make(lambda q, t: X(q[0]) if t > 0 else None), "Use if_")
    refused(make(lambda q, t: X(q[0]) if q[1] == 1 else None), "is quantum: use control")
    refused(make(lambda q, t: if_(q[1] == 1, lambda: X(q[0]))), "for a quantum one use control")
    refused(make(lambda q, t: control(t > 1, lambda: X(q[0]))), "for one on parameters use if_")
    refused(make(lambda q, t: control(q[1], X(q[0]))), "control takes a block as a function without arguments")
    refused(make(lambda q, t: invert(3)), "invert takes a block")


def test_arithmetic_of_quantum_numbers_is_refused_by_name() -> None:
    def make(statement: Any) -> Any:
        def main(n: Output[QNum[2]]) -> None:
            allocate(n)
            statement(n)

        return main

    for statement in (lambda n: n + 1, lambda n: 2 * n, lambda n: n < 3, lambda n: n.__iadd__(1), lambda n: n ^ n):
        refused(make(statement), "Arithmetic and order of quantum numbers are not part of this builder")


def test_what_blocks_may_not_do() -> None:
    def main(a: Output[QBit], b: Output[QBit]) -> None:
        allocate(a)
        control(a, lambda: allocate(b))

    refused(main, "inside a block of control, invert or power, which is not done exactly once")


def test_what_a_function_may_not_do_with_what_it_does_not_own() -> None:
    @qfunc
    def thief(q: QBit) -> None:
        free(q)

    def main(a: Output[QBit]) -> None:
        allocate(a)
        thief(a)

    refused(main, "which belongs to the caller. Declare the argument as Input")


def test_functions_written_wrongly() -> None:
    def untyped(x) -> None:
        pass

    def wrong(x: Output[int]) -> None:
        pass

    def strange(x: dict) -> None:
        pass

    def bare(x: Output) -> None:
        pass

    def quantum(x: QBit) -> None:
        pass

    def endless_array(p: CArray[CReal]) -> None:
        pass

    def stars(*x: QBit) -> None:
        pass

    def unknown(x: Nowhere) -> None:  # noqa: F821
        pass

    refused(untyped, "'x' of 'untyped' has none")
    refused(wrong, r"Output\[...\] is of QBit, QArray or QNum, got 'int'")
    refused(strange, "'x' of 'strange' has the type dict; types are QBit")
    refused(bare, r"Write Output\[QBit\]")
    refused(quantum, "The arguments of a main function are Output")
    refused(endless_array, "has a length")
    refused(stars, "has a fixed number of arguments")
    refused(unknown, "'Nowhere' is not defined")
    with pytest.raises(BuilderError, match="takes a function under @qfunc, got function"):
        synthesize(untyped)


def test_statements_outside_of_a_function() -> None:
    with pytest.raises(BuilderError, match="stands inside a @qfunc"):
        allocate(1, QBit("q"))
    with pytest.raises(BuilderError, match="stands inside a @qfunc"):
        X(QBit("q"))


def test_recursion_without_end_is_told() -> None:
    @qfunc
    def main(q: Output[QBit]) -> None:
        forever(0)

    @qfunc
    def forever(n: CInt) -> None:
        forever(n + 1)

    with pytest.raises(BuilderError, match="calls itself without end"):
        synthesize(main)


def test_allocation_of_wrong_sizes() -> None:
    def make(statement: Any) -> Any:
        def main(a: Output[QBit], b: Output[QArray], n: Output[QNum[3, SIGNED, 1]]) -> None:
            statement(a, b, n)

        return main

    refused(make(lambda a, b, n: allocate(2, a)), "'a' is a QBit of 1 qubit, got 2")
    refused(make(lambda a, b, n: allocate(b)), "whose size is not said")
    refused(make(lambda a, b, n: allocate(0, b)), "at least 1, got 0")
    refused(make(lambda a, b, n: allocate(4, n)), r"of 3 qubits, got 4")
    refused(make(lambda a, b, n: allocate(3, False, 1, n)), "is a QNum")
    refused(make(lambda a, b, n: allocate(3, True, 1, b)), "only a QNum has a sign")
    refused(make(lambda a, b, n: allocate(a, 1)), "allocate takes the variable last")
    refused(make(lambda a, b, n: allocate(1, 2, a)), "got 2 arguments before x")
    refused(make(lambda a, b, n: allocate(10_000_000, b)), "at most 1,000,000 qubits")


def test_z_is_exported_with_the_other_gates() -> None:
    @qfunc
    def main(q: Output[QBit]) -> None:
        allocate(q)
        X(q)
        Z(q)

    same(synthesize(main), Circuit(1).x(0).z(0))

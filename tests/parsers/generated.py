"""Programs built from a grammar, each with a naive interpreter of its own: a piece is its text and what it does.

An expression is (text, function of the variables). A statement is (text, function of a branch), which gives the
branches that it leads to, each with how it is left (None, "break", "continue" or "end"). A branch is a statevector
that is not normalised, with the variables' values. Nothing of the package is used but the oracle's matrices.
"""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from oracle import embed, modified

QUBITS, BITS, WIDTH = 3, 3, 4
MOST = 300  # branches of one program


class TooMany(Exception):
    """More branches than are worth following."""


def start():
    vector = np.zeros(2**QUBITS, dtype=complex)
    vector[0] = 1
    return vector, {"a": 0, "b": 0, "f": 0.0, "c": (0,) * BITS}


def run(statements, branch):
    """The branches after a block."""
    live, left = [branch], []
    for _, action in statements:
        following = []
        for each in live:
            for result, signal in action(each):
                (left if signal else following).append((result, signal) if signal else result)
        live = following
        if len(live) + len(left) > MOST:
            raise TooMany
    return [(each, None) for each in live] + left


def outcomes_of(statements):
    """Probabilities of the values of c at the end, its first bit least significant."""
    result = {}
    for (vector, env), _ in run(statements, start()):
        value = sum(bit << k for k, bit in enumerate(env["c"]))
        result[value] = result.get(value, 0.0) + float(np.vdot(vector, vector).real)
    return {value: weight for value, weight in result.items() if weight > 1e-9}


def block(statements):
    return "{ " + " ".join(text for text, _ in statements) + " }"


# expressions ----------------------------------------------------------------------------------------------------
def wrap(number, kind):
    number %= 2**WIDTH
    return number - 2**WIDTH if kind == "int" and number >= 2 ** (WIDTH - 1) else number


def integers(kind, loop=False):
    """Expressions of type int[4] or uint[4]."""
    name = "a" if kind == "int" else "b"
    leaves = [
        st.just((name, lambda env: env[name])),
        st.integers(0, 15).map(lambda n: (f"{kind}[4]({n})", lambda env: wrap(n, kind))),
        st.just(
            (f"{kind}[4]({'b' if name == 'a' else 'a'})", lambda env: wrap(env["b" if name == "a" else "a"], kind))
        ),
        st.just((f"{kind}[4](uint[3](c))", lambda env: wrap(sum(bit << k for k, bit in enumerate(env["c"])), kind))),
    ]
    if loop:
        leaves.append(st.just((f"{kind}[4](i)", lambda env: wrap(env["i"], kind))))

    def grow(inner):
        def binary(op, function):
            return st.tuples(inner, inner).map(
                lambda s: (f"({s[0][0]} {op} {s[1][0]})", lambda env: wrap(function(s[0][1](env), s[1][1](env)), kind))
            )

        ways = [binary(op, f) for op, f in (
            ("+", lambda x, y: x + y), ("-", lambda x, y: x - y), ("*", lambda x, y: x * y), ("&", lambda x, y: x & y),
            ("|", lambda x, y: x | y), ("^", lambda x, y: x ^ y),
        )]  # fmt: skip
        ways.append(inner.map(lambda s: (f"(-{s[0]})", lambda env: wrap(-s[1](env), kind))))
        ways.append(inner.map(lambda s: (f"(~{s[0]})", lambda env: wrap(~s[1](env), kind))))
        if kind == "uint":
            ways.append(
                inner.map(lambda s: (f"rotl({s[0]}, 1)", lambda env: wrap(s[1](env) << 1 | s[1](env) >> 3, kind)))
            )
            ways.append(inner.map(lambda s: (f"uint[4](popcount({s[0]}))", lambda env: bin(s[1](env)).count("1"))))
            ways.append(inner.map(lambda s: (f"({s[0]} >> 1)", lambda env: s[1](env) >> 1)))
        return st.one_of(ways)

    return st.recursive(st.one_of(leaves), grow, max_leaves=3)


def conditions(loop=False):
    def compared(kind):
        return st.tuples(
            integers(kind, loop), st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), integers(kind, loop)
        ).map(lambda s: (f"({s[0][0]} {s[1]} {s[2][0]})", lambda env: _COMPARE[s[1]](s[0][1](env), s[2][1](env))))

    leaves = st.one_of(
        st.integers(0, BITS - 1).map(lambda k: (f"c[{k}]", lambda env: bool(env["c"][k]))),
        st.integers(0, 7).map(lambda n: (f"(c == {n})", lambda env: sum(b << k for k, b in enumerate(env["c"])) == n)),
        compared("int"),
        compared("uint"),
        st.just(("(f > 0.5)", lambda env: env["f"] > 0.5)),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(inner, inner).map(
                lambda s: (f"({s[0][0]} && {s[1][0]})", lambda env: s[0][1](env) and s[1][1](env))
            ),
            st.tuples(inner, inner).map(
                lambda s: (f"({s[0][0]} || {s[1][0]})", lambda env: s[0][1](env) or s[1][1](env))
            ),
            inner.map(lambda s: (f"(!{s[0]})", lambda env: not s[1](env))),
        ),
        max_leaves=3,
    )


_COMPARE = {
    "==": lambda x, y: x == y, "!=": lambda x, y: x != y, "<": lambda x, y: x < y, "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y, ">=": lambda x, y: x >= y,
}  # fmt: skip


def reals(version, names=("f",), loop=False):
    """Expressions of type float; powers are of positive numbers, divisors are not 0."""
    leaves = [
        st.sampled_from([(f"{k / 8}", lambda env, k=k: k / 8) for k in range(1, 24)]),
        st.just(("pi", lambda env: math.pi)),
        *[st.just((name, lambda env, name=name: env[name])) for name in names],
    ]
    if version == 3:
        leaves += [st.just(("float(a)", lambda env: float(env["a"]))), st.just(("tau", lambda env: math.tau))]
    if loop:
        leaves.append(st.just(("(0.5 * i)", lambda env: 0.5 * env["i"])))
    power = "^" if version == 2 else "**"

    def grow(inner):
        two = st.tuples(inner, inner)
        return st.one_of(
            two.map(lambda s: (f"({s[0][0]} + {s[1][0]})", lambda env: s[0][1](env) + s[1][1](env))),
            two.map(lambda s: (f"{s[0][0]} * {s[1][0]}", lambda env: s[0][1](env) * s[1][1](env)))
            .filter(lambda s: " + " not in s[0] or s[0].startswith("("))
            .map(lambda s: (f"({s[0]})", s[1])),
            inner.map(lambda s: (f"(-{s[0]})", lambda env: -s[1](env))),
            inner.map(lambda s: (f"({s[0]} / 3.0)", lambda env: s[1](env) / 3.0)),
            inner.map(lambda s: (f"sin({s[0]})", lambda env: math.sin(s[1](env)))),
            inner.map(lambda s: (f"cos({s[0]})", lambda env: math.cos(s[1](env)))),
            inner.map(lambda s: (f"(-2.0 {power} cos({s[0]}))", lambda env: -(2.0 ** math.cos(s[1](env))))),
        )

    return st.recursive(st.one_of(leaves), grow, max_leaves=3)


# gates ----------------------------------------------------------------------------------------------------------
_GATES = {"x": (0, 1), "h": (0, 1), "s": (0, 1), "t": (0, 1), "sx": (0, 1), "rx": (1, 1), "ry": (1, 1), "rz": (1, 1), "p": (1, 1),
          "cx": (0, 2), "cp": (1, 2), "crz": (1, 2), "swap": (0, 2), "ccx": (0, 3), "u2": (2, 1), "cu": (4, 2)}  # fmt: skip
_MODIFIERS = {
    "": [], "inv @ ": [("inv",)], "pow(2) @ ": [("pow", 2)], "pow(0.5) @ ": [("pow", 0.5)],
    "ctrl @ ": [("ctrl", 1)], "negctrl @ ": [("negctrl", 1)], "ctrl @ inv @ ": [("inv",), ("ctrl", 1)],
    "inv @ negctrl @ pow(2) @ ": [("pow", 2), ("negctrl", 1), ("inv",)],
}  # fmt: skip


def _controls(steps):
    return sum(step[0] in ("ctrl", "negctrl") for step in steps)


def gates(version, loop=False, names=("f",)):
    """A gate, with modifiers in version 3."""

    @st.composite
    def gate(draw):
        name = draw(st.sampled_from(sorted(_GATES)))
        num_params, num_qubits = _GATES[name]
        fits = [m for m, steps in _MODIFIERS.items() if num_qubits + _controls(steps) <= QUBITS]
        modifier = draw(st.sampled_from(fits)) if version == 3 else ""
        params = [draw(reals(version, names, loop)) for _ in range(num_params)]
        steps = _MODIFIERS[modifier]
        count = num_qubits + _controls(steps)
        qubits = draw(st.permutations(range(QUBITS)))[:count]
        given = f"({', '.join(text for text, _ in params)})" if params else ""
        row = "u2_su2" if name == "u2" and version == 3 else name

        def action(branch):
            vector, env = branch
            values = [function(env) for _, function in params]
            return [((embed(modified(row, values, steps), qubits, vector), env), None)]

        return f"{modifier}{name}{given} {', '.join(f'q[{k}]' for k in qubits)};", action

    return gate()


def broadcast(version):
    """A gate on the whole register."""

    def made(choice):
        name, angle = choice
        given = f"({angle})" if _GATES[name][0] else ""

        def action(branch):
            vector, env = branch
            for qubit in range(QUBITS):
                vector = embed(modified(name, [angle] if given else [], []), (qubit,), vector)
            return [((vector, env), None)]

        return f"{name}{given} q;", action

    return st.tuples(st.sampled_from(["h", "x", "rx", "t"]), st.sampled_from([0.25, 1.5])).map(made)


def definition(version):
    """A gate that the program defines, and a call of it."""
    inner = st.lists(gates(version, names=("f", "g")), min_size=1, max_size=3)

    def called(parts):
        body, order, params = parts
        text = "gate mine(f, g) q0, q1, q2 { " + " ".join(text for text, _ in body) + " } "
        for k in range(QUBITS):
            text = text.replace(f"q[{k}]", f"q{k}")
        text = text.replace("float(a)", "0.0")

        def action(branch):
            vector, env = branch
            own = {"f": params[0][1](env), "g": params[1][1](env), "a": 0}
            turned = _turned(vector, order)
            for _, step in body:
                (((turned, _), _),) = step((turned, own))
            return [((_turned(turned, [order.index(k) for k in range(QUBITS)]), env), None)]

        call = f"mine({params[0][0]}, {params[1][0]}) {', '.join(f'q[{k}]' for k in order)};"
        return text, (call, action)

    return st.tuples(inner, st.permutations(range(QUBITS)), st.tuples(reals(version), reals(version))).map(called)


def _turned(vector, order):
    """The vector whose qubit k is qubit order[k] of the given one."""
    result = np.empty_like(vector)
    for index in range(len(vector)):
        source = sum((index >> k & 1) << order[k] for k in range(QUBITS))
        result[index] = vector[source]
    return result


# statements -----------------------------------------------------------------------------------------------------
def _projected(vector, qubit, value):
    keep = np.array([(index >> qubit & 1) == value for index in range(len(vector))])
    return np.where(keep, vector, 0)


def measurements(version):
    def made(choice):
        qubit, bit, arrow = choice

        def action(branch):
            vector, env = branch
            results = []
            for value in (0, 1):
                part = _projected(vector, qubit, value)
                if np.vdot(part, part).real > 1e-12:
                    bits = (*env["c"][:bit], value, *env["c"][bit + 1 :])
                    results.append(((part, {**env, "c": bits}), None))
            return results

        arrow = arrow or version == 2
        return (f"measure q[{qubit}] -> c[{bit}];" if arrow else f"c[{bit}] = measure q[{qubit}];"), action

    return st.tuples(st.integers(0, QUBITS - 1), st.integers(0, BITS - 1), st.booleans()).map(made)


def resets():
    def made(qubit):
        def action(branch):
            vector, env = branch
            results = []
            for value in (0, 1):
                part = _projected(vector, qubit, value)
                if np.vdot(part, part).real > 1e-12:
                    results.append(((embed(modified("x", [], []), (qubit,), part) if value else part, env), None))
            return results

        return f"reset q[{qubit}];", action

    return st.integers(0, QUBITS - 1).map(made)


def assignments(loop):
    def made(name, target):
        def build(value):
            return f"{target}{name} = {value[0]};", lambda branch: [
                ((branch[0], {**branch[1], name: value[1](branch[1])}), None)
            ]

        return build

    def bit(choice):
        k, value = choice

        def action(branch):
            bits = branch[1]["c"]
            return [((branch[0], {**branch[1], "c": (*bits[:k], int(value[1](branch[1])), *bits[k + 1 :])}), None)]

        return f"c[{k}] = {value[0]};", action

    return st.one_of(
        integers("int", loop).map(made("a", "")),
        integers("uint", loop).map(made("b", "")),
        reals(3, loop=loop)
        .filter(lambda r: abs(r[1]({"f": 1.0, "a": 1, "i": 1})) < 1e3)
        .map(_halved)
        .map(made("f", "")),
        st.tuples(st.integers(0, BITS - 1), conditions(loop)).map(bit),
    )


def _halved(value):
    """Kept small, however often it is assigned."""
    return f"sin({value[0]})", lambda env: math.sin(value[1](env))


def leaving(word):
    return f"{word};", lambda branch: [(branch, word)]


@st.composite
def branches(draw, inner, loop):
    condition = draw(conditions(loop))
    body, orelse = draw(inner), draw(st.one_of(st.just([]), inner))

    def action(branch):
        return run(body if condition[1](branch[1]) else orelse, branch)

    return f"if ({condition[0]}) {block(body)}" + (f" else {block(orelse)}" if orelse else ""), action


@st.composite
def switches(draw, inner, loop):
    target = draw(integers("uint", loop))
    bodies = [draw(inner) for _ in range(3)]
    text = (
        f"switch ({target[0]}) {{ case 0, 5 {block(bodies[0])} case 3 {block(bodies[1])} default {block(bodies[2])} }}"
    )

    def action(branch):
        value = target[1](branch[1])
        return run(bodies[0 if value in (0, 5) else 1 if value == 3 else 2], branch)

    return text, action


@st.composite
def scopes(draw, inner, loop):
    """A block with an `a` of its own."""
    value, body = draw(integers("int", loop)), draw(inner)

    def action(branch):
        vector, env = branch
        return [
            ((v, {**e, "a": env["a"]}), signal) for (v, e), signal in run(body, (vector, {**env, "a": value[1](env)}))
        ]

    # The initial value is that of the outer `a`, since the name means the new one only after its declaration.
    return f"{{ int[4] outer = {value[0]}; int[4] a = outer; {block(body)} }}", action


def _looped(rounds, body, branch, name="i"):
    """Run the body with the variable at each value, minding break and continue."""
    live, left = [branch], []
    for value in rounds:
        following = []
        for vector, env in live:
            for (v, e), signal in run(body, (vector, {**env, name: value})):
                e = {**e, name: env.get(name, 0)}
                if signal in (None, "continue"):
                    following.append((v, e))
                else:
                    left.append(((v, e), None if signal == "break" else signal))
        live = following
        if len(live) + len(left) > MOST:
            raise TooMany
    return [(each, None) for each in live] + left


@st.composite
def loops(draw, inner):
    start_, step, stop = draw(st.sampled_from([(0, 1, 2), (2, -1, 0), (0, 2, 3), (1, 1, 0)]))
    body = draw(inner)
    if draw(st.booleans()):
        text, values = f"[{start_}:{step}:{stop}]", list(range(start_, stop + (1 if step > 0 else -1), step))
    else:
        text, values = "{2, 0}", [2, 0]
    return f"for int i in {text} {block(body)}", lambda branch: _looped(values, body, branch)


@st.composite
def whiles(draw, inner):
    """A loop of at most three rounds, which also ends when a condition fails."""
    condition, body = draw(conditions()), draw(inner)
    text = f"{{ int[4] n = 0; while (n < 3 && {condition[0]}) {{ n += 1; {block(body)} }} }}"

    def action(branch):
        live, done = [branch], []
        for _ in range(3):
            following = []
            for each in live:
                if not condition[1](each[1]):
                    done.append((each, None))
                    continue
                for result, signal in run(body, each):
                    if signal in (None, "continue"):
                        following.append(result)
                    else:
                        done.append((result, None if signal == "break" else signal))
            live = following
        return [(each, None) for each in live] + done

    return text, action


#: A subroutine that returns in a branch, and what a call of it does.
SUBROUTINE = "def twist(qubit p, int[4] n) -> int[4] { rx(0.25 * n) p; if (n > 2) { return n - int[4](1); } h p; return n + int[4](2); }\n"


def calls(loop):
    def made(choice):
        qubit, value = choice

        def action(branch):
            vector, env = branch
            n = value[1](env)
            vector = embed(modified("rx", [0.25 * n], []), (qubit,), vector)
            if n > 2:
                return [((vector, {**env, "a": wrap(n - 1, "int")}), None)]
            return [((embed(modified("h", [], []), (qubit,), vector), {**env, "a": wrap(n + 2, "int")}), None)]

        return f"a = twist(q[{qubit}], {value[0]});", action

    return st.tuples(st.integers(0, QUBITS - 1), integers("int", loop)).map(made)


def blocks(depth, loop=False, leave=False):
    """Lists of statements of OpenQASM 3."""
    plain = [
        gates(3, loop),
        gates(3, loop),
        broadcast(3),
        measurements(3),
        resets(),
        assignments(loop),
        assignments(loop),
        calls(loop),
    ]
    if leave:
        plain.append(st.sampled_from([leaving("break"), leaving("continue")]))
    if depth:
        inner = blocks(depth - 1, loop, leave)
        plain += [branches(inner, loop), branches(inner, loop), switches(inner, loop), scopes(inner, loop)]
        plain += [loops(blocks(depth - 1, True, True)), whiles(blocks(depth - 1, loop, True))]
        plain.append(branches(st.just([leaving("end")]), loop))
    return st.lists(st.one_of(plain), min_size=1, max_size=4)


@st.composite
def programs3(draw):
    """(text, statements) of an OpenQASM 3 program."""
    definitions, call = draw(definition(3))
    statements = [*draw(blocks(2)), call, *draw(blocks(1))]
    text = (
        'OPENQASM 3.0;\ninclude "stdgates.inc";\n' + SUBROUTINE + definitions + "\nqubit[3] q;\nbit[3] c;\n"
        "int[4] a = 0;\nuint[4] b = 0;\nfloat f = 0.0;\n" + "\n".join(text for text, _ in statements) + "\n"
    )
    return text, statements


@st.composite
def programs2(draw):
    """(text, statements) of an OpenQASM 2 program."""
    definitions, call = draw(definition(2))
    plain = st.one_of(gates(2, names=()), gates(2, names=()), broadcast(2), measurements(2), resets())

    def conditional(choice):
        value, inner = choice

        def action(branch):
            now = sum(bit << k for k, bit in enumerate(branch[1]["c"]))
            return inner[1](branch) if now == value else [(branch, None)]

        return f"if (c == {value}) {inner[0]}", action

    step = st.one_of(plain, plain, st.tuples(st.integers(0, 8), plain).map(conditional))
    # The call's parameters may not use variables, which version 2 has not.
    statements = [
        *draw(st.lists(step, max_size=6)),
        *([call] if "f" not in call[0] else []),
        *draw(st.lists(step, max_size=6)),
    ]
    text = (
        'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
        + definitions
        + "\nqreg q[3];\ncreg c[3];\n"
        + "\n".join(t for t, _ in statements)
        + "\n"
    )
    return text, statements

"""How the rows of the gate table are written: a name of the standard include, modifiers on one, or a definition."""

from __future__ import annotations

from parsers.library import STDGATES_NAMES

#: OpenQASM 3: row -> text before the parameters' bracket, where it is not its own name.
ROWS3: dict[str, str] = {
    **{row: name for name, row in STDGATES_NAMES.items() if name not in ("CX", "phase", "cphase", "u1")},
    "sxdg": "inv @ sx", "cs": "ctrl @ s", "csdg": "ctrl @ sdg", "csx": "ctrl @ sx", "csxdg": "ctrl @ inv @ sx",
    "cu3": "ctrl @ u", "ccz": "ctrl(2) @ z", "c3x": "ctrl(3) @ x", "c4x": "ctrl(4) @ x", "c3sqrtx": "ctrl(3) @ sx",
    "c3sqrtxdg": "ctrl(3) @ inv @ sx", "iswapdg": "inv @ iswap", "rc3xdg": "inv @ rc3x", "gphase": "gphase", "U": "U",
    "u2": "real_u2",
}  # fmt: skip
#: Rows whose name has a phase that not every reader knows -> their names where that can show.
PHASED3 = {"U": "real_U", "u2_su2": "u2_su2", "u3_su2": "u3_su2"}
#: Rows that a text defines itself, and the gates that those use. Exact, phase included.
DEFINITIONS3: dict[str, tuple[str, tuple[str, ...]]] = {
    "u": ("gate u(a, b, c) q { p(c) q; ry(a) q; p(b) q; }", ("p", "ry")),
    "real_u2": ("gate real_u2(b, c) q { p(c) q; ry(pi/2) q; p(b) q; }", ("p", "ry")),
    "u0": ("gate u0(n) q { }", ()),
    "r": ("gate r(a, b) q { rz(-b) q; rx(a) q; rz(b) q; }", ("rz", "rx")),
    "rzz": ("gate rzz(a) q, r { cx q, r; rz(a) r; cx q, r; }", ("cx", "rz")),
    "rxx": ("gate rxx(a) q, r { h q; h r; cx q, r; rz(a) r; cx q, r; h q; h r; }", ("h", "cx", "rz")),
    "ryy": (
        "gate ryy(a) q, r { rx(pi/2) q; rx(pi/2) r; cx q, r; rz(a) r; cx q, r; rx(-pi/2) q; rx(-pi/2) r; }",
        ("rx", "cx", "rz"),
    ),
    "rzx": ("gate rzx(a) q, r { h r; cx q, r; rz(a) r; cx q, r; h r; }", ("h", "cx", "rz")),
    "iswap": ("gate iswap q, r { s q; s r; h q; cx q, r; cx r, q; h r; }", ("s", "h", "cx")),
    "dcx": ("gate dcx q, r { cx q, r; cx r, q; }", ("cx",)),
    "ecr": ("gate ecr q, r { rzx(pi/4) q, r; x q; rzx(-pi/4) q, r; }", ("rzx", "x")),
    "xx_plus_yy": (
        "gate xx_plus_yy(a, b) q, r { cx r, q; rz(-b) r; crx(a) q, r; rz(b) r; cx r, q; }", ("cx", "rz", "crx")
    ),
    "xx_minus_yy": (
        "gate xx_minus_yy(a, b) q, r { cx r, q; x q; rz(-b) r; crx(a) q, r; rz(b) r; x q; cx r, q; }",
        ("cx", "x", "rz", "crx"),
    ),
    "rccx": (
        "gate rccx q, r, t0 { h t0; t t0; cx r, t0; tdg t0; cx q, t0; t t0; cx r, t0; tdg t0; h t0; }",
        ("h", "t", "tdg", "cx"),
    ),
    # Not `U`, `u2` and `u3`, which Qiskit's reader takes without their phases: it shows under controls and powers.
    "real_U": ("gate real_U(a, b, c) q { p(a/2) q; x q; p(a/2) q; x q; p(c) q; ry(a) q; p(b) q; }", ("p", "x", "ry")),
    "u2_su2": ("gate u2_su2(b, c) q { rz(c) q; ry(pi/2) q; rz(b) q; }", ("rz", "ry")),
    "u3_su2": ("gate u3_su2(a, b, c) q { rz(c) q; ry(a) q; rz(b) q; }", ("rz", "ry")),
    "rc3x": (
        "gate rc3x q, r, c, t0 { h t0; t t0; cx c, t0; tdg t0; h t0; cx q, t0; t t0; cx r, t0; tdg t0; cx q, t0; t t0; "
        "cx r, t0; tdg t0; h t0; t t0; cx c, t0; tdg t0; h t0; }", ("h", "t", "tdg", "cx")
    ),
}  # fmt: skip

#: The gates of stdgates.inc out of `U`, for texts without an include. OpenQASM 3's `U` is exp(i a / 2) times that of
#: Qiskit's reader; where its angles add up to 0, as here, both mean the same. Uses are those of rows above too. There is
#: no `gphase` in them, which Braket's reader gets wrong under controls and inverses.
STANDARD3: dict[str, tuple[str, tuple[str, ...]]] = {
    "p": ("gate p(a) q { U(0, 0, a) q; }", ()),
    "ry": ("gate ry(a) q { U(a/2, 0, 0) q; U(-a/2, pi, -pi) q; }", ()),
    "x": ("gate x q { p(pi) q; ry(pi) q; }", ("p", "ry")),
    "y": ("gate y q { p(pi/2) q; ry(pi) q; p(pi/2) q; }", ("p", "ry")),
    "z": ("gate z q { p(pi) q; }", ("p",)),
    "h": ("gate h q { p(pi) q; ry(pi/2) q; }", ("p", "ry")),
    "s": ("gate s q { p(pi/2) q; }", ("p",)),
    "sdg": ("gate sdg q { p(-pi/2) q; }", ("p",)),
    "t": ("gate t q { p(pi/4) q; }", ("p",)),
    "tdg": ("gate tdg q { p(-pi/4) q; }", ("p",)),
    "rx": ("gate rx(a) q { p(pi/2) q; ry(a) q; p(-pi/2) q; }", ("p", "ry")),
    "rz": ("gate rz(a) q { p(a/2) q; x q; p(-a/2) q; x q; }", ("p", "x")),
    "sx": ("gate sx q { h q; p(pi/2) q; h q; }", ("h", "p")),
    "global_phase": ("gate global_phase(a) q { p(a) q; x q; p(a) q; x q; }", ("p", "x")),
    "p_of_0": ("gate p_of_0(a) q { x q; p(a) q; x q; }", ("p", "x")),
    "id": ("gate id q { p(0) q; }", ("p",)),
    "u2": ("gate u2(b, c) q { rz(c) q; ry(pi/2) q; rz(b) q; }", ("rz", "ry")),
    "u3": ("gate u3(a, b, c) q { rz(c) q; ry(a) q; rz(b) q; }", ("rz", "ry")),
    "cx": ("gate cx q, r { ctrl @ x q, r; }", ("x",)),
    "cy": ("gate cy q, r { ctrl @ y q, r; }", ("y",)),
    "cz": ("gate cz q, r { ctrl @ z q, r; }", ("z",)),
    "ch": ("gate ch q, r { ctrl @ h q, r; }", ("h",)),
    "cp": ("gate cp(a) q, r { ctrl @ p(a) q, r; }", ("p",)),
    "crx": ("gate crx(a) q, r { ctrl @ rx(a) q, r; }", ("rx",)),
    "cry": ("gate cry(a) q, r { ctrl @ ry(a) q, r; }", ("ry",)),
    "crz": ("gate crz(a) q, r { ctrl @ rz(a) q, r; }", ("rz",)),
    "cu": ("gate cu(a, b, c, d) q, r { p(d) q; ctrl @ u(a, b, c) q, r; }", ("p", "u")),
    "swap": ("gate swap q, r { cx q, r; cx r, q; cx q, r; }", ("cx",)),
    "ccx": ("gate ccx q, r, u { ctrl @ ctrl @ x q, r, u; }", ("x",)),
    "cswap": ("gate cswap q, r, u { ctrl @ swap q, r, u; }", ("swap",)),
}

#: OpenQASM 2: the names of the first qelib1.inc, which every reader knows.
ROWS2: dict[str, str] = {
    **{name: name for name in "u2 cx id x y z h s sdg t tdg rx ry rz cz cy ch ccx crz cu3".split()},
    "u": "u3", "p": "u1", "cp": "cu1", "U": "u3", "u3_su2": "u3", "u2_su2": "u2",
}  # fmt: skip
#: Rows that a text defines itself; equal up to a global phase, which OpenQASM 2 cannot see.
DEFINITIONS2: dict[str, tuple[str, tuple[str, ...]]] = {
    "u0": ("gate u0(n) q { }", ()),
    "sx": ("gate sx q { sdg q; h q; sdg q; }", ()),
    "sxdg": ("gate sxdg q { s q; h q; s q; }", ()),
    "r": ("gate r(a,b) q { rz(-b) q; rx(a) q; rz(b) q; }", ()),
    "swap": ("gate swap q,r { cx q,r; cx r,q; cx q,r; }", ()),
    "cs": ("gate cs q,r { cu1(pi/2) q,r; }", ()),
    "csdg": ("gate csdg q,r { cu1(-pi/2) q,r; }", ()),
    "csx": ("gate csx q,r { h r; cu1(pi/2) q,r; h r; }", ()),
    "csxdg": ("gate csxdg q,r { h r; cu1(-pi/2) q,r; h r; }", ()),
    "crx": ("gate crx(a) q,r { h r; crz(a) q,r; h r; }", ()),
    "cry": ("gate cry(a) q,r { ry(a/2) r; cx q,r; ry(-a/2) r; cx q,r; }", ()),
    # Not by cu3, which the first qelib1.inc of 2017 has with another relative phase.
    "cu": (
        "gate cu(a,b,c,d) q,r { u1(d+(b+c)/2) q; u1((c-b)/2) r; cx q,r; u3(-a/2,0,-(b+c)/2) r; cx q,r; u3(a/2,b,0) r; }",
        (),
    ),
    "rzz": ("gate rzz(a) q,r { cx q,r; u1(a) r; cx q,r; }", ()),
    "rxx": ("gate rxx(a) q,r { h q; h r; cx q,r; u1(a) r; cx q,r; h q; h r; }", ()),
    "ryy": ("gate ryy(a) q,r { rx(pi/2) q; rx(pi/2) r; cx q,r; u1(a) r; cx q,r; rx(-pi/2) q; rx(-pi/2) r; }", ()),
    "rzx": ("gate rzx(a) q,r { h r; cx q,r; u1(a) r; cx q,r; h r; }", ()),
    "iswap": ("gate iswap q,r { s q; s r; h q; cx q,r; cx r,q; h r; }", ()),
    "iswapdg": ("gate iswapdg q,r { h r; cx r,q; cx q,r; h q; sdg r; sdg q; }", ()),
    "dcx": ("gate dcx q,r { cx q,r; cx r,q; }", ()),
    "ecr": ("gate ecr q,r { rzx(pi/4) q,r; x q; rzx(-pi/4) q,r; }", ("rzx",)),
    "xx_plus_yy": ("gate xx_plus_yy(a,b) q,r { cx r,q; rz(-b) r; crx(a) q,r; rz(b) r; cx r,q; }", ("crx",)),
    "xx_minus_yy": ("gate xx_minus_yy(a,b) q,r { cx r,q; x q; rz(-b) r; crx(a) q,r; rz(b) r; x q; cx r,q; }", ("crx",)),
    "ccz": ("gate ccz q,r,c { h c; ccx q,r,c; h c; }", ()),
    "cswap": ("gate cswap q,r,c { cx c,r; ccx q,r,c; cx c,r; }", ()),
    "rccx": ("gate rccx q,r,c { h c; t c; cx r,c; tdg c; cx q,c; t c; cx r,c; tdg c; h c; }", ()),
    "c3x": ("gate c3x q,r,c,d { h d; c3z q,r,c,d; h d; }", ("c3z",)),
    "c3z": (
        "gate c3z q,r,c,d { u1(pi/8) q; u1(pi/8) r; u1(pi/8) c; u1(pi/8) d; cx q,r; u1(-pi/8) r; cx q,r; cx r,c; "
        "u1(-pi/8) c; cx q,c; u1(pi/8) c; cx r,c; u1(-pi/8) c; cx q,c; cx c,d; u1(-pi/8) d; cx r,d; u1(pi/8) d; "
        "cx c,d; u1(-pi/8) d; cx q,d; u1(pi/8) d; cx c,d; u1(-pi/8) d; cx r,d; u1(pi/8) d; cx c,d; u1(-pi/8) d; "
        "cx q,d; }", ()
    ),
    "c3p": (
        "gate c3p(a) q,r,c,d { cu1(a/4) q,d; cx q,r; cu1(-a/4) r,d; cx q,r; cu1(a/4) r,d; cx r,c; cu1(-a/4) c,d; "
        "cx q,c; cu1(a/4) c,d; cx r,c; cu1(-a/4) c,d; cx q,c; cu1(a/4) c,d; }", ()
    ),
    "c3sqrtx": ("gate c3sqrtx q,r,c,d { h d; c3p(pi/2) q,r,c,d; h d; }", ("c3p",)),
    "c3sqrtxdg": ("gate c3sqrtxdg q,r,c,d { h d; c3p(-pi/2) q,r,c,d; h d; }", ("c3p",)),
    "rc3x": (
        "gate rc3x q,r,c,d { h d; t d; cx c,d; tdg d; h d; cx q,d; t d; cx r,d; tdg d; cx q,d; t d; cx r,d; tdg d; "
        "h d; t d; cx c,d; tdg d; h d; }", ()
    ),
    "rc3xdg": (
        "gate rc3xdg q,r,c,d { h d; t d; cx c,d; tdg d; h d; t d; cx r,d; tdg d; cx q,d; t d; cx r,d; tdg d; cx q,d; "
        "h d; t d; cx c,d; tdg d; h d; }", ()
    ),
    "c4x": (
        "gate c4x q,r,c,d,e { h e; cu1(pi/2) d,e; h e; c3x q,r,c,d; h e; cu1(-pi/2) d,e; h e; c3x q,r,c,d; "
        "c3sqrtx q,r,c,e; }", ("c3x", "c3sqrtx")
    ),
}  # fmt: skip
#: OpenQASM 2: (row, its own and more controls that must be 1) -> row.
MORE_CONTROLS: dict[tuple[str, int], str] = {
    ("x", 1): "cx", ("x", 2): "ccx", ("x", 3): "c3x", ("x", 4): "c4x",
    ("cx", 1): "ccx", ("cx", 2): "c3x", ("cx", 3): "c4x", ("ccx", 1): "c3x", ("ccx", 2): "c4x", ("c3x", 1): "c4x",
    ("y", 1): "cy", ("z", 1): "cz", ("z", 2): "ccz", ("cz", 1): "ccz", ("h", 1): "ch", ("s", 1): "cs", ("sdg", 1): "csdg",
    ("sx", 1): "csx", ("sxdg", 1): "csxdg", ("sx", 3): "c3sqrtx", ("p", 1): "cp", ("rx", 1): "crx", ("ry", 1): "cry",
    ("rz", 1): "crz", ("u", 1): "cu3", ("swap", 1): "cswap",
}  # fmt: skip

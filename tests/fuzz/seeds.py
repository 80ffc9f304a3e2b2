"""Small programs to start from, and the words that mutations put in."""

HEAD2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[3]; creg c[3];\n'
HEAD3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[3] q; bit[3] c;\n'

BODIES2 = [
    "h q[0]; cx q[0], q[1]; u3(pi/2, -pi^2, 1e-3) q; measure q -> c;",
    "gate g(a, b) x, y { rz(a/2) x; cx x, y; u1(sin(b)*ln(2)) y; } g(0.5, pi) q[0], q[1];",
    "opaque o(t) a, b; barrier q[0], q; reset q; if (c == 3) x q[1]; if(c==1) measure q[0] -> c[0];",
    "qreg a[2]; creg d[2]; cx a, q; U(0,0,pi) a[0]; CX a[0], a[1]; measure a[1] -> d[0]; // end",
    "gate e a { } e q; gate f(t) a { e a; rx(-t^2+sqrt(t)) a; barrier a; } f(tan(1)*exp(2)) q[2];",
]
BODIES3 = [
    "h q[0]; ctrl @ x q[0], q[1]; negctrl(2) @ pow(1/2.0) @ inv @ s q[0], q[1], q[2]; gphase(pi/4); c = measure q;",
    "gate g(a, b) x, y { rz(a/2) x; ctrl @ U(a, b, 0) x, y; gphase(b); } ctrl @ g(0.5, π) q[0], q[1], q[2];",
    "def f(qubit[2] a, int[8] n, readonly array[int[8], #dim = 1] v) -> bit { for int i in [0:n] { rx(v[0]) a[0]; } return measure a[1]; } array[int[8], 3] w = {1, 2, 3}; c[0] = f(q[0:1], 2, w);",
    "input float a; input int[8] n; input bit[2] b; input array[float, 2] v; output bit r; rx(2*a + v[1]) q[0]; if (b == 2) x q[1]; for int i in [0:n] { x q[0]; } r = measure q[0];",
    'let r = q[0:1] ++ q[{2}]; const int[8] k = 3; uint[4] u = 15; u += 2; bit[4] m = "1010"; if (m[0] ^ m[1]) { x r[0]; } else if (u > k) h r; m = m << 1;',
    "c[0] = measure q[0]; while (c[0]) { h q[0]; c[0] = measure q[0]; if (c[1]) break; else continue; } switch (int(c)) { case 0, 1 { x q[1]; } case 2 { end; } default { reset q; } }",
    "int n = 0; for uint i in [5:-2:0] { n += i; if (i == 3) continue; n %= 7; } for int j in {1, 4, 2} rz(j * pi / 8) q[1]; for bit b in c { if (b) x q[0]; }",
    "duration d = 10ns; stretch s; box[2 * d] { delay[d + s] q[0]; x q; barrier; } durationof({x q[0];}); #pragma my thing\n@note me\nnop q;",
    "angle[8] t = pi / 3; t[0] = 1; float[32] f = float[32](t) + 0.5; complex[float[64]] z = 2.0 + 3im; rx(real(z) * f + arccos(0.5)) q[0]; bool ok = popcount(c) == 2 && !(c[0] == 1);",
    "array[uint[8], 2, 2] a = {{1, 2}, {3, 4}}; a[1, 0:1] = a[0]; int s = sizeof(a, 0) + a[1][1]; rotl(c, 1); int[8] p = 2 ** 3 - 7 % 4 | 1; x $0; cx $1, $0;",
    "extern e(float) -> bit; cal { play x; } defcal z $0 { x }",
    "def two(qubit a, bit[2] b, mutable array[bit[2], 2] m) { if (b[0]) { x a; m[0] = b; return; } h a; } array[bit[2], 2] w; two(q[0], c[0:1], w);",
]  # fmt: skip

WORDS = (
    "OPENQASM include qreg creg qubit bit gate opaque if else for while in switch case default break continue return end "
    "def extern cal defcal box let const input output mutable readonly int uint float angle bool complex array duration "
    "stretch gphase inv pow ctrl negctrl durationof sizeof delay reset measure barrier true false nop pragma void pi tau "
    "euler π ℇ h x cx ccx rx rz U CX u3 p cu swap q c a b t q[0] q[1] q[-1] q[0:1] q[{0,2}] c[0] q[9] $0 $7 "
    "sin cos tan exp ln sqrt log mod floor ceiling popcount rotl rotr arccos real imag "
    "0 1 2 3 8 64 63 -1 100 4294967296 9223372036854775808 1e9 1e309 0.5 .5 1. 0x1F 0b101 0o17 1_000 10ns 5dt 2im "
    '"0101" "qelib1.inc" "stdgates.inc" @ -> == != <= >= < > && || ! ~ & | ^ << >> + - * / % ** ++ = += -= *= /= '
    "<<= ( ) [ ] { } , ; : # int[8] uint[4] bit[2] angle[8] float[32] ctrl(2) pow(0.5) pow(-1) inv@ array[int[8],2] // /*"
).split()  # fmt: skip

// A distance-3 patch of the rotated surface code: nine data qubits in a square, row by row, and eight ancillas. The first
// round of syndromes projects |000000000> on a logical |0>: X-type outcomes are random, Z-type ones 0. Then a bit flip hits
// data qubit 3. The second round finds the same X-type outcomes, and the Z-type ones say where the flip was; it is undone.
// The logical Z, the parity of data qubits 0, 3 and 6, is always 0 in the end.
OPENQASM 3.0;
include "stdgates.inc";

qubit[9] data;
qubit[4] xs;
qubit[4] zs;
bit[4] x_first;
bit[4] z_first;
bit[4] x_second;
bit[4] z_second;
bit[9] result;

gate x_check_4 a, p, q, r, s { h a; cx a, p; cx a, q; cx a, r; cx a, s; h a; }
gate x_check_2 a, p, q { h a; cx a, p; cx a, q; h a; }
gate z_check_4 a, p, q, r, s { cx p, a; cx q, a; cx r, a; cx s, a; }
gate z_check_2 a, p, q { cx p, a; cx q, a; }

for uint round in [0:1] {
  reset xs;
  reset zs;
  x_check_4 xs[0], data[0], data[1], data[3], data[4];
  x_check_4 xs[1], data[4], data[5], data[7], data[8];
  x_check_2 xs[2], data[2], data[5];
  x_check_2 xs[3], data[3], data[6];
  z_check_4 zs[0], data[1], data[2], data[4], data[5];
  z_check_4 zs[1], data[3], data[4], data[6], data[7];
  z_check_2 zs[2], data[0], data[1];
  z_check_2 zs[3], data[7], data[8];
  if (round == 0) {
    x_first = measure xs;
    z_first = measure zs;
    x data[3];
  } else {
    x_second = measure xs;
    z_second = measure zs;
  }
}

// Which flip a syndrome means, up to a stabiliser: 2 and 5, and 3 and 6, are the same.
switch (z_second) {
  case 4 { x data[0]; }
  case 5 { x data[1]; }
  case 1 { x data[2]; }
  case 2 { x data[3]; }
  case 3 { x data[4]; }
  case 10 { x data[7]; }
  case 8 { x data[8]; }
}
result = measure data;

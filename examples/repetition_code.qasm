// Five rounds of the three-qubit repetition code with feedback: each round a bit flip hits one data qubit, two parities say
// which, and it is flipped back. The logical state cos(0.3)|000> + sin(0.3)|111> survives: the data qubits always agree,
// and are 111 with probability sin(0.3)**2.
OPENQASM 3.0;
include "stdgates.inc";

qubit[3] data;
qubit[2] parity;
bit[2] syndrome;
bit[3] result;

ry(0.6) data[0];
cx data[0], data[1];
cx data[0], data[2];

for uint round in {0, 1, 2, 1, 0} {
  x data[round];
  cx data[0], parity[0];
  cx data[1], parity[0];
  cx data[1], parity[1];
  cx data[2], parity[1];
  syndrome = measure parity;
  reset parity;
  switch (syndrome) {
    case 1 { x data[0]; }
    case 3 { x data[1]; }
    case 2 { x data[2]; }
  }
}
result = measure data;

// A hardware-efficient ansatz on four qubits: two layers of rotations around a ring of CZ gates.
//   qsim estimate examples/vqe_ansatz.qasm --observable "Z0*Z1 + Z1*Z2 + Z2*Z3 + 0.5*X0" \
//        --set angles=0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8 --set scale=1
OPENQASM 3.0;
include "stdgates.inc";

input array[float[64], 8] angles;
input float scale;

qubit[4] q;

for int k in [0:3] {
  ry(scale * angles[k]) q[k];
}
for int k in [0:2] {
  cz q[k], q[k + 1];
}
cz q[3], q[0];
for int k in [0:3] {
  ry(scale * angles[k + 4]) q[k];
}

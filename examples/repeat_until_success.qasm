// Repeat until success: a rotation by arccos(3/5) about Z out of Clifford and Toffoli gates (Paetznick and Svore,
// arXiv:1311.1074, figure 1; it is also an example of the OpenQASM 3 specification). Each try succeeds with probability
// 5/8, else it has only done a Z or nothing to the target, which the next try does not mind. The last rotation undoes it,
// so that `check` is always 0.
OPENQASM 3.0;
include "stdgates.inc";

qubit[2] ancilla;
qubit target;
bit[2] flags = "11";
bit check;

reset target;
h target;
while (flags != 0) {
  reset ancilla;
  h ancilla;
  ccx ancilla[0], ancilla[1], target;
  s target;
  ccx ancilla[0], ancilla[1], target;
  z target;
  h ancilla;
  flags = measure ancilla;
}
rz(pi - arccos(3 / 5.0)) target;
h target;
check = measure target;

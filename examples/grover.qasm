// Grover's search for 101 among three-bit numbers: two rounds find it with probability 0.945.
OPENQASM 3.0;
include "stdgates.inc";

def oracle(qubit[3] x) {
  negctrl @ ctrl @ ctrl @ gphase(pi) x[1], x[0], x[2];
}

def diffusion(qubit[3] x) {
  h x;
  negctrl(3) @ gphase(pi) x[0], x[1], x[2];
  h x;
}

qubit[3] x;
bit[3] found;

h x;
for int turn in [1:2] {
  oracle(x);
  diffusion(x);
}
found = measure x;

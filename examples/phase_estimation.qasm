// Iterative phase estimation (Dobsicek et al., Phys. Rev. A 76, 030306, 2007): one ancilla reads the phase of an
// eigenvalue exp(2 pi i * 11/16) bit by bit, the last bit first, and turns back by what it has read already. Since the phase
// has four bits, `phase` is always 11, "1011".
OPENQASM 3.0;
include "stdgates.inc";

qubit ancilla;
qubit eigenstate;
bit[4] phase;

x eigenstate;
for uint k in [0:3] {
  reset ancilla;
  h ancilla;
  pow(2 ** (3 - k)) @ ctrl @ p(2 * pi * 11 / 16) ancilla, eigenstate;
  for uint j in [0:2] {
    if (j < k) {
      if (phase[j]) p(-pi / 2 ** (k - j)) ancilla;
    }
  }
  h ancilla;
  phase[k] = measure ancilla;
}

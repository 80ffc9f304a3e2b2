// Teleportation: the state of `source` goes to `target`, with two measured bits on the way.
OPENQASM 3.0;
include "stdgates.inc";

input float theta;

qubit source;
qubit[2] pair;
bit[2] message;
bit received;

ry(theta) source;

h pair[0];
cx pair[0], pair[1];

cx source, pair[0];
h source;
message[0] = measure source;
message[1] = measure pair[0];

if (message[1]) { x pair[1]; }
if (message[0]) { z pair[1]; }

// Undoing the rotation shows that the state arrived: `received` is always 0.
ry(-theta) pair[1];
received = measure pair[1];

"""Clifford circuits of any width: stabiliser tableaus by `stim`, Pauli frames by kernels of our own.

`clifford` recognises which gates are Clifford, `program` turns a circuit into steps, `frames` samples them in bulk,
`tableau` is the state of one history, `engine` has the results that the simulator gives.
"""

"""Circuits of low entanglement: matrix-product states, with NumPy alone.

`state` is the chain and its gates, `gates` applies gates on three qubits and more, `readout` samples and contracts it,
`engine` has the results that the simulator gives.
"""

"""One statevector over many ranks: plans of exchanges, transports, and a simulator that runs on them.

`plan` decides which qubits are global, and knows nothing of how ranks talk; see docs/distributed.md.
"""

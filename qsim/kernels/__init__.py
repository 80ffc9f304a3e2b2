"""Compiled loops over amplitudes. They validate nothing, make no objects and import NumPy and Numba only."""

"""For authors of adapters: what a backend has to get right, as functions that any test can call."""

"""Speed, side by side with other simulators: ``python -m benchmarks --help``."""

"""Measurements, never part of the test suite: `python -m benchmarks` lists them."""

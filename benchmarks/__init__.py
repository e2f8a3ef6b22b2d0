"""Benchmarks: the figures of docs/performance.md, measured beside their floor in one run."""

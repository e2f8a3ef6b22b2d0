"""Passes: pure functions from one form of a pipeline to the next, one file each."""

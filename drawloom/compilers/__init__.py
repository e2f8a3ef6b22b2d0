"""Compilers: from the IR to the files an engine runs.

No compiler imports another, nor the front end, nor the runtimes.
"""

"""A real Argo Workflows on a real Kubernetes, on this machine alone, for tests.

The scripts beside this package (`up`, `down`, `restart-controller`, `build-argolint`) are its
commands. It needs the Python standard library only, and must import nothing of drawloom: what is
tested here must not be needed to set the test up.
"""

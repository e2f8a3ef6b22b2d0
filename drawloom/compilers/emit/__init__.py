"""Texts that compilers print."""

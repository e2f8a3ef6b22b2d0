"""Leaf codecs, one module for each kind of value, imported by `values.leaves` when one turns up."""

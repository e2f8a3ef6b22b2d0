"""Leaf codecs, one module for each kind of value, imported by `values.leaves` when the first value of the kind turns up."""

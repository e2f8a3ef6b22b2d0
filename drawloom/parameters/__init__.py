"""Values from outside (command line, JSON) as typed values for a pipeline's parameters.

Each module is imported from where it is used: a run from Python reads no texts.
"""

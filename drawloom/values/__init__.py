"""Values: codecs between Python objects and what a store keeps, the value digests, and the value types of drawloom's own."""

"""Values: codecs between Python objects and what a store keeps, and the value types of drawloom's own."""

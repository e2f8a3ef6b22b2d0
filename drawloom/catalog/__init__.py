"""The catalog: records, the store they live in, the index over them, and the questions asked of it."""

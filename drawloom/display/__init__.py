"""How things look: durations and sizes as text, values, failures, pictures of graphs, HTML for notebooks."""

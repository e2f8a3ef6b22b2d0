"""How things look: durations and sizes as text, values on one line, failures, pictures of graphs, HTML for notebooks."""

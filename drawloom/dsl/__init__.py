"""What users write: tasks, pipelines, control forms; and the tracing that turns them into IR."""

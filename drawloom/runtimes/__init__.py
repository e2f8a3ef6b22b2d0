"""What executes: the local run, the remote step, and what both use to find inputs, run a task and cache it."""

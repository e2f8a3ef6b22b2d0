"""drawloom's side of the workloads W1 to W4 that other pipeline libraries are measured with, a fresh process each.

Each script takes `--n --mode --work [--phase]` and prints one JSON line; a mode is an executor (`threads`, `inline`,
`processes`). Progress goes to a file as plain lines, as when the terminal is piped.
"""

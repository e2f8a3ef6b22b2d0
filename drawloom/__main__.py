"""`python -m drawloom` is the command line."""

from __future__ import annotations

from drawloom.cli.main import main

if __name__ == "__main__":
    main()

"""W3: W2 over one folder, in a cold and then a warm process."""

from __future__ import annotations

import os
import runpy

runpy.run_path(os.path.join(os.path.dirname(os.path.abspath(__file__)), "w2_fanout.py"), run_name="__main__")

"""Makes earlier results be found no more, as where the index was lost in part and a run's log can't be read again."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing

from drawloom.catalog.answers import row_key
from drawloom.catalog.cache_folder import cache_folder
from drawloom.catalog.catalog import Catalog
from drawloom.catalog.records import Commit
from drawloom.catalog.runlog import read_records

__all__ = ["forget_answers"]


def forget_answers(catalog: Catalog, lost: Callable[[Commit], bool] = lambda _: True) -> None:
    """Takes the commits that `lost` chooses out of the index of answers; there must be one."""
    folder = cache_folder(catalog.storage.url)
    assert folder is not None
    commits = [c for run in catalog.runs() for c in read_records(catalog.storage, run.id) if isinstance(c, Commit)]
    keys = [(row_key(c.cache_key),) for c in commits if c.cache_key and lost(c)]
    with closing(sqlite3.connect(os.path.join(folder, "answers-1.sqlite"))) as db, db:
        db.executemany("DELETE FROM answers WHERE key = ?", keys)

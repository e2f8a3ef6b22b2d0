"""The project file (`drawloom.toml`, or `[tool.drawloom]` of `pyproject.toml`), profiles and environment overrides."""

from __future__ import annotations

from drawloom.project.file import ProjectFile, find_project, read_project
from drawloom.project.model import EXECUTORS, Profile, ProjectModel
from drawloom.project.settings import Overrides, Settings, load_settings

__all__ = [
    "EXECUTORS",
    "Overrides",
    "Profile",
    "ProjectFile",
    "ProjectModel",
    "Settings",
    "find_project",
    "load_settings",
    "read_project",
]

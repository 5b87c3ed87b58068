"""Locates the files of the project that tests read."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The folder of the repository."""

DOCS = ROOT / "docs"

"""Where the files of the project lie that tests read: its documents, packages and settings."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The folder of the repository."""

DOCS = ROOT / "docs"

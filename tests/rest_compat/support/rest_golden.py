"""Loads the documented requests with their expected statuses and replies."""

import json
from pathlib import Path
from typing import Any

GOLDEN: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text())
    for path in sorted((Path(__file__).parents[1] / "golden").glob("*.json"))
}

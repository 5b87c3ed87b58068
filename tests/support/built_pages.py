"""Checks that every page which is built beforehand must pass: it equals its sources, and is complete."""

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.project import ROOT

SHARED = ROOT / "web" / "page_build"
"""What the builds of all pages share."""


@dataclass(frozen=True, kw_only=True)
class PageFolder:
    """The folder of a page: its sources, and the files in `dist` that were built from them."""

    root: Path
    sources: tuple[Path, ...]

    @property
    def dist(self) -> Path:
        return self.root / "dist"

    @property
    def manifest(self) -> dict[str, Any]:
        manifest: dict[str, Any] = json.loads((self.dist / "manifest.json").read_text())
        return manifest

    def contents(self) -> dict[str, bytes]:
        """Each file as a browser gets it, by its name."""
        return {
            path.name.removesuffix(".gz"): gzip.decompress(path.read_bytes())
            for path in self.dist.glob("*.gz")
        }

    def require_built_from_sources(self) -> None:
        digest = hashlib.sha256()
        paths = {
            os.path.relpath(path, self.root).replace(os.sep, "/"): path
            for path in (*self.sources, *SHARED.glob("*.mjs"))
        }
        for name in sorted(paths):
            digest.update(f"{name}\n".encode() + paths[name].read_bytes())
        folder = self.root.relative_to(ROOT)
        assert digest.hexdigest() == self.manifest["sources"], f"run: cd {folder} && npm ci && node build.mjs"

    def require_complete(self) -> None:
        """The manifest lists exactly the built files, and each has a hash of its contents in its name."""
        files = self.manifest["files"]
        assert sorted(self.contents()) == sorted(files)
        assert {self.manifest["script"], self.manifest["style"], self.manifest["licences"]} <= set(files)
        assert [name for name in files if not re.search(r"-[0-9A-Z]{8}\.\w+$", name)] == []
        names = re.compile(rb"[\w.-]+-[0-9A-Z]{8}\.(?:js|css|ttf)\b")
        referred = {name.decode() for text in self.contents().values() for name in names.findall(text)}
        assert referred
        assert referred - set(files) == set()

    def require_neutral(self) -> None:
        """Files contain no build time and no operating system."""
        for path in self.dist.glob("*.gz"):
            header = path.read_bytes()[:10]
            assert header[4:8] == bytes(4), path
            assert header[9] == 255, path

    def require_licences(self, packages: Iterable[tuple[str, str]]) -> None:
        """The licences are served as they are in the package, and name these packages."""
        text = self.contents()[self.manifest["licences"]]
        assert text == (self.dist / "THIRD_PARTY_LICENSES.txt").read_bytes()
        for package, licence in packages:
            line = rf"^{re.escape(package)} \d\S+ \({re.escape(licence)}\)$"
            assert re.search(line, text.decode(), re.MULTILINE), package

    def require_same_bytes_again(self, folder: Path) -> None:
        """A new build, with packages from the registry, makes the same bytes."""
        if not shutil.which("npm"):
            pytest.skip("needs npm, which is not installed")
        copy = folder / self.root.relative_to(ROOT)
        shutil.copytree(self.root, copy, ignore=shutil.ignore_patterns("dist", "node_modules", "__pycache__"))
        shutil.copytree(SHARED, folder / SHARED.relative_to(ROOT))
        for command in (["npm", "ci", "--no-audit", "--no-fund"], ["node", "build.mjs"]):
            subprocess.run(command, cwd=copy, check=True, capture_output=True)
        built = {path.name: path.read_bytes() for path in (copy / "dist").iterdir()}
        assert built == {path.name: path.read_bytes() for path in self.dist.iterdir()}

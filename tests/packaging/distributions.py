"""Builds distributions of the project, and reads what they contain."""

import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Self


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """A wheel and its contents, by the names of its files."""

    file: Path
    contents: dict[str, bytes]

    @classmethod
    def of(cls, file: Path) -> Self:
        with zipfile.ZipFile(file) as archive:
            return cls(file=file, contents={name: archive.read(name) for name in archive.namelist()})

    @property
    def metadata(self) -> str:
        """The name of its .dist-info folder."""
        return next(name.partition("/")[0] for name in self.contents if name.endswith(".dist-info/METADATA"))

    @property
    def top_level(self) -> set[str]:
        """What it puts into site-packages."""
        return {PurePosixPath(name).parts[0] for name in self.contents}


def run(*command: str | Path, folder: Path) -> str:
    """Run a program that must succeed, and return its output."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(requirement: str, *, into: Path) -> None:
    """Install a package into a virtual environment, with what it requires."""
    pip = [sys.executable, "-m", "pip", "--python", str(into), "--disable-pip-version-check"]
    run(*pip, "install", "--quiet", "--no-compile", requirement, folder=into)


def site_packages(environment: Path) -> Path:
    """Where a virtual environment has its packages."""
    (folder,) = environment.glob("lib/python*/site-packages")
    return folder


def build(kind: str, source: Path, out: Path) -> Path:
    """Build a wheel or an sdist from a source tree, with the build backend of this environment."""
    run(sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", out, source, folder=out)
    (file,) = out.iterdir()
    return file


def build_editable(source: Path, out: Path) -> Wheel:
    """Build the wheel that `pip install --editable` installs."""
    hook = "import sys; from hatchling.build import build_editable; build_editable(sys.argv[1])"
    run(sys.executable, "-c", hook, out, folder=source)
    (file,) = out.iterdir()
    return Wheel.of(file)


def unpack(sdist: Path, into: Path) -> Path:
    """The folder that an sdist unpacks to."""
    with tarfile.open(sdist) as archive:
        archive.extractall(into, filter="data")
    (folder,) = into.iterdir()
    return folder

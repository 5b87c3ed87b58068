"""Wheel, sdist and editable install put exactly one package, `uplift`, into site-packages."""

from pathlib import Path

from tests.packaging.distributions import Wheel, build_editable
from tests.support.project import ROOT


def packages_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name != "__pycache__"}


def test_the_wheel_installs_one_package(wheel: Wheel) -> None:
    assert wheel.top_level == {"uplift", wheel.metadata}


def test_the_sdist_has_one_package(unpacked_sdist: Path) -> None:
    assert packages_in(unpacked_sdist / "src") == {"uplift"}
    assert not [path for path in (unpacked_sdist / "src").rglob("*") if path.is_symlink()]


def test_an_editable_install_adds_one_folder_with_one_package_to_the_path(tmp_path: Path) -> None:
    editable = build_editable(ROOT, tmp_path)
    (path_file,) = editable.top_level - {editable.metadata}
    assert path_file.endswith(".pth")
    assert editable.contents[path_file].decode().split() == [str(ROOT / "src")]
    assert packages_in(ROOT / "src") == {"uplift"}

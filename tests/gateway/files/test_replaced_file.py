"""A file that a command writes has its name only when it is whole."""

import errno
import os
from pathlib import Path
from threading import Thread

import pytest

from uplift.gateway.files.replaced_file import replaced_file

OLD, NEW = "old\n", "ä\n"


def files_in(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in folder.iterdir()}


def test_it_replaces_a_file_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "audit.csv"
    file.write_text(OLD)
    file.chmod(0o640)
    with replaced_file(file) as out:
        out.write(NEW)
        out.flush()
        [part] = tmp_path.glob("audit.csv.*.part")
        assert (file.read_text(), part.read_text()) == (OLD, NEW)
    assert files_in(tmp_path) == {"audit.csv": NEW}
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_new_file_has_the_permissions_of_new_files(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.touch()
    with replaced_file(tmp_path / "new") as out:
        out.write(NEW)
    assert (tmp_path / "new").stat().st_mode == other.stat().st_mode


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    with replaced_file(link) as out:
        out.write(NEW)
    assert link.is_symlink()
    assert target.read_text() == NEW


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_block_that_raises_leaves_the_file_as_it_was(tmp_path: Path, error: type[BaseException]) -> None:
    file = tmp_path / "audit.csv"
    file.write_text(OLD)

    def write_half() -> None:
        with replaced_file(file) as out:
            out.write(NEW)
            raise error

    with pytest.raises(error):
        write_half()
    assert files_in(tmp_path) == {"audit.csv": OLD}


def test_a_failed_write_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "audit.csv"
    with pytest.raises(OSError, match="No space left on device") as failed, replaced_file(file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert failed.value.filename == str(file)
    assert files_in(tmp_path) == {}


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    file = tmp_path / "missing" / "audit.csv"
    with pytest.raises(FileNotFoundError) as failed, replaced_file(file):
        pass
    assert failed.value.filename == str(file)


def test_a_pipe_gets_what_is_written(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    with replaced_file(pipe) as out:
        out.write(NEW)
    reader.join()
    assert read == [NEW]
    assert pipe.is_fifo()

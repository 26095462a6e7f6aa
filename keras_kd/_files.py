"""Files that are either whole or not there: written aside, then renamed."""

import contextlib
import json
import os
import shutil
import tempfile
from pathlib import Path

from keras_kd._checks import invalid

try:
    import fcntl
except ImportError:  # Windows, where folders cannot be locked
    fcntl = None


@contextlib.contextmanager
def written_whole(*paths):
    """Gives a temporary path for each of `paths`; renames them all on success.

    The temporary files lie in the folder of their final ones, so that the rename is
    atomic. On any exception, a keyboard interrupt too, they are removed and the final
    paths keep what they had. Of several processes that write the same files, one wins:
    files of one folder that belong together stay together.

    Args:
        *paths: `str` or `Path`, the final names, whose folders exist.

    Yields:
        A list of `Path`, one for each of `paths`, with the same suffixes.
    """
    finals = [Path(path) for path in paths]
    temporary = []
    try:
        for final in finals:
            handle, name = tempfile.mkstemp(
                dir=final.parent, prefix=f".{final.stem}-", suffix=final.suffix
            )
            os.close(handle)
            temporary.append(Path(name))
        yield temporary
        with _renaming_alone(finals):
            for source, final in zip(temporary, finals, strict=True):
                source.chmod(0o666 & ~_umask())
                source.replace(final)
    finally:
        for path in temporary:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def _renaming_alone(finals):
    """Lets other processes wait that rename files in the same folder."""
    if fcntl is None or len(finals) < 2:
        yield
        return
    folder = os.open(finals[0].parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def write_json(path, value):
    """Writes `value` as indented JSON to `path`, whole or not at all."""
    with written_whole(path) as (temporary,):
        temporary.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def create_json(path, value):
    """Writes `value` as indented JSON to `path` unless there is a file already.

    Of several processes that try at once, one makes the file, and no other changes it.

    Args:
        path: `Path`, in a folder that exists.
        value: what JSON can hold.
    """
    if path.exists():
        return
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".new-") as folder:
        temporary = Path(folder) / path.name
        temporary.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
        try:
            # Unlike a rename, a link never takes the place of another file.
            os.link(temporary, path)
        except FileExistsError:
            pass
        except OSError:  # file systems without links
            temporary.rename(path)


def check_writable(where, path):
    """Raises unless a file can be made at `path`: its folder exists and is writable."""
    if Path(path).is_dir():
        raise invalid(where, "the path of a file", f'folder "{path}"', "Name the file.")
    folder = Path(path).absolute().parent
    if not folder.is_dir():
        raise invalid(
            where,
            "a path in a folder that exists",
            f'"{path}"',
            f'Make the folder first: mkdir -p "{folder}".',
        )
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise invalid(
            where,
            "a path in a folder that can be written",
            f'"{path}" ({error.strerror})',
            "Choose another folder, or change its permissions.",
        ) from error


def check_space(where, folder, needed_bytes):
    """Raises unless the disk of `folder` has room for `needed_bytes` more."""
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise invalid(
            where,
            f"{needed_bytes / 1e6:.1f} MB free for the folder {folder}",
            f"{free_bytes / 1e6:.1f} MB",
            "Make room on that disk, and run the same again.",
        )


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask

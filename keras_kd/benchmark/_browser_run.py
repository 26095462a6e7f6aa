"""How the program that drives the browser is called, and ended whatever happens."""

import os
import subprocess

from keras_kd.benchmark.measurement import DeviceError

# Not for ever: a page can hang.
LONGEST_S = 1800
_PATIENCE_S = 10


def printed_line(target, command, folder):
    """The line of JSON that a program prints on this machine.

    Args:
        target: str, for the message.
        command: list of str and `Path`.
        folder: `Path` for its temporary files, such as the browser's profile.

    Returns:
        A str.

    Raises:
        DeviceError: It failed, with its own line, or did not end in time.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, "TMPDIR": str(folder)},
        # Ctrl-C reaches this process only, which then ends the others in order.
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=LONGEST_S)
        except subprocess.TimeoutExpired as error:
            raise DeviceError(
                f"{target}: the browser did not end in {LONGEST_S} s. Ask for fewer "
                "runs."
            ) from error
        finally:
            _end(process)
    if process.returncode:
        said = err.strip().splitlines() or [f"it ended with {process.returncode}"]
        raise DeviceError(f"{target}: {said[-1]}")
    return out


def _end(process):
    """Ends a process that still runs; it closes its browser at the first signal."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()

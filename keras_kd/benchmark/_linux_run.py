"""How the program in export/linux is called, and what its end means."""

import signal
import subprocess

from keras_kd.benchmark.measurement import DeviceError

# A program that hangs, or a board that swallows what it is sent, is not waited for.
LONGEST_S = 1800


def options_of(request, *, golden, outputs):
    """The program's options for a request, a list of str.

    Args:
        request: a `Request`.
        golden: str or `Path`, where the golden inputs are for the program.
        outputs: str or `Path`, where it is to write its answers to them.
    """
    options = []
    for name in ("threads", "runs", "warmup"):
        options += [f"--{name}", str(getattr(request, name))]
    if request.golden is not None:
        options += ["--golden", str(golden), "--outputs", str(outputs)]
    if request.profile:
        options.append("--profile")
    return options


def finished(target, command):
    """A command that has ended: a `subprocess.CompletedProcess`, with text.

    Args:
        target: str, for the message.
        command: list of str and `Path`.

    Raises:
        DeviceError: It did not end in time.
    """
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            errors="replace",
            # What a person types is not for the device.
            stdin=subprocess.DEVNULL,
            timeout=LONGEST_S,
        )
    except subprocess.TimeoutExpired as error:
        raise DeviceError(
            f"{target}: {command[0]} did not end in {LONGEST_S} s. Ask for fewer runs."
        ) from error


def last_line(text):
    """The last line that is not empty; "" if there is none."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def printed_line(target, command):
    """The line of JSON that the program prints on this machine.

    Args:
        target: str, for the message.
        command: list, the program and its options.

    Raises:
        DeviceError: It failed; with its own line.
    """
    done = finished(target, command)
    if done.returncode == 0:
        return done.stdout
    reason = last_line(done.stderr)
    if not reason and done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        reason = f"{command[0]} was ended by {name}"
    raise DeviceError(
        f"{target}: {reason or f'{command[0]} ended with {done.returncode}'}"
    )

"""Stands for `adb` and one Android device: its shell commands really run, in a folder.

The folder is in the environment variable ADB_STUB; state.json in it says how the device
behaves, see `AndroidPhone` in android_phone.py; calls.txt gets a line for each call.
Messages, exit codes and states are those of adb 29 to 35, from its sources:
https://android.googlesource.com/platform/packages/modules/adb/.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HOME = Path(os.environ.get("ADB_STUB", ""))
ROOT = HOME / "device"
STATE = {}


def local(text):
    """The device's paths, here."""
    for folder in ("/data/local/tmp", "/proc/loadavg", "/sys/devices"):
        text = text.replace(folder, f"{ROOT}{folder}")
    return text


def fail(message, code=1):
    sys.stderr.write(message + "\n")
    sys.exit(code)


def devices():
    sys.stderr.write(STATE["chatter"])
    sys.stdout.write("List of devices attached\n" + STATE["devices"] + "\n")


def push(source, destination):
    size = os.path.getsize(source)
    if STATE["room_bytes"] is not None and size > STATE["room_bytes"]:
        fail(
            f"adb: error: failed to copy '{source}' to '{destination}': "
            "remote write failed: No space left on device"
        )
    copy = Path(local(destination))
    shutil.copyfile(source, copy)
    if copy.name == "benchmark_model":
        # What was given is no program of this machine; this is.
        tool = HOME / "benchmark_model.py"
        copy.write_text(f'#!/bin/sh\nexec {sys.executable} -S {tool} "$@"\n')
    sys.stdout.write(f"{source}: 1 file pushed. ({size} bytes in 0.001s)\n")


def pull(source, destination):
    shutil.copyfile(local(source), destination)
    sys.stdout.write(f"{source}: 1 file pulled.\n")


def shell(command):
    path = f"{HOME / 'bin_of_device'}:{os.environ['PATH']}"
    # The device's processes are not adb's: they outlive it.
    program = subprocess.run(
        ["sh", "-c", local(command)],
        env={**os.environ, "PATH": path},
        start_new_session=True,
        capture_output=True,
    )
    sys.stdout.buffer.write(program.stdout)
    sys.stderr.buffer.write(program.stderr)
    sys.exit(program.returncode if STATE["gives_exit_codes"] else 0)


def main(arguments):
    with open(HOME / "calls.txt", "a") as calls:
        calls.write(json.dumps(arguments) + "\n")
    if arguments == ["devices"]:
        return devices()
    assert arguments[0] == "-s", arguments
    serial, verb, *rest = arguments[1:]
    unplug, unplugged = STATE["unplug_at"], HOME / "unplugged"
    if unplug and unplug in " ".join(rest) and not unplugged.exists():
        unplugged.touch()
        sys.exit(255)
    if unplugged.exists() or serial not in STATE["devices"]:
        fail(f"adb: device '{serial}' not found")
    return {"push": push, "pull": pull, "shell": shell}[verb](*rest)


if __name__ == "__main__":
    STATE.update(json.loads((HOME / "state.json").read_text()))
    main(sys.argv[1:])

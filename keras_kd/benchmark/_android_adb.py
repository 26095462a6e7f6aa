"""An Android device through `adb`: found, asked, given files, and left as it was."""

import os
import re
import secrets
import shutil
import subprocess
from dataclasses import dataclass

from keras_kd.benchmark.measurement import DeviceError

ASK_S = 60
PUSH_S = 300
_EXIT = re.compile(r"KERAS_KD_EXIT=(\d+)\s*$")
_FIXES = {
    "unauthorized": 'Unlock it and allow "USB debugging" in its dialog.',
    "authorizing": 'Unlock it and allow "USB debugging" in its dialog.',
    "offline": "Unplug it and plug it in again, or run: adb reconnect offline.",
    "no permissions": "Let your user open it (Debian: apt install "
    "android-sdk-platform-tools-common), then plug it in again.",
}


class SlowDeviceError(DeviceError):
    """The device did not answer in time; it may still be there."""


@dataclass(frozen=True)
class Device:
    """One Android device that `adb` can talk to.

    Attributes:
        target: str, as the user gave it, for messages.
        adb: str, the path of adb.
        serial: str, of the device.
    """

    target: str
    adb: str
    serial: str

    def shell(self, command, *, timeout_s=ASK_S):
        """Runs a command of the device's shell.

        Args:
            command: str.
            timeout_s: float > 0.

        Returns:
            Its exit code, and what it printed on both its outputs.

        Raises:
            DeviceError: The device is gone, or too slow.
        """
        # The exit code is printed by the device itself: adb gives it only from
        # Android 7 on, and without the line we know that the device went away.
        script = f"({command}) 2>&1; echo KERAS_KD_EXIT=$?"
        done = self._run("shell", script, timeout_s=timeout_s)
        found = _EXIT.search(done.stdout)
        if found is None:
            raise DeviceError(
                f"{self.target}: lost the device {self.serial} during `{command[:60]}` "
                f"({_reason(done)}). Plug it in again."
            )
        return int(found[1]), done.stdout[: found.start()].strip()

    def push(self, source, destination):
        """Copies the file `source` to the path `destination` on the device."""
        done = self._run("push", str(source), destination, timeout_s=PUSH_S)
        if done.returncode:
            raise DeviceError(
                f"{self.target}: cannot copy {source} "
                f"({os.path.getsize(source) / 1e6:.1f} MB) to the device "
                f"({_reason(done)}). It needs that much room in /data/local/tmp."
            )

    def pull(self, source, destination):
        """Copies the path `source` of the device to the file `destination`."""
        done = self._run("pull", source, str(destination), timeout_s=PUSH_S)
        if done.returncode:
            raise DeviceError(
                f"{self.target}: cannot copy {source} from the device "
                f"({_reason(done)}). Plug it in again."
            )

    def properties(self):
        """What `getprop` says: a dict of str."""
        _, printed = self.shell("getprop")
        return dict(re.findall(r"^\[(.+?)\]: \[(.*?)\]", printed, re.MULTILINE))

    def read(self, path):
        """The content of a text file on the device, or None."""
        code, printed = self.shell(f"cat {path}")
        return None if code else printed

    def _run(self, *arguments, timeout_s):
        return _adb(
            self.target, self.adb, "-s", self.serial, *arguments, timeout_s=timeout_s
        )


class Folder:
    """A folder of our own on the device, removed at the end, with all that runs in it.

    Attributes:
        path: str, on the device.
        left: str, empty if the folder was removed, else one sentence that says not.

    Use it in a `with` statement. A `DeviceError` inside gets the sentence added.
    """

    def __init__(self, device):
        self._device = device
        self._name = f"keras_kd-{secrets.token_hex(4)}"
        self.path = f"/data/local/tmp/{self._name}"
        self.left = ""

    def __enter__(self):
        try:
            code, printed = self._device.shell(f"mkdir {self.path}")
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        if code:
            raise DeviceError(
                f"{self._device.target}: cannot make {self.path} ({printed}). "
                "Is /data/local/tmp writable for adb?"
            )
        return self

    def __exit__(self, kind, error, traceback):
        self._remove()
        if not self.left or error is None:
            return
        if isinstance(error, DeviceError):
            raise DeviceError(f"{error} {self.left}") from error
        error.add_note(self.left)

    def stop(self):
        """Ends what still runs in the folder."""
        self._device.shell(self._stopping)

    @property
    def _stopping(self):
        # In brackets, so that the pattern does not find the shell that looks for it.
        return f"pkill -f '{self._name[:-1]}[{self._name[-1]}]/'"

    def _remove(self):
        try:
            code, _ = self._device.shell(f"{self._stopping}; rm -rf {self.path}")
        except DeviceError:
            code = 1
        if code:
            self.left = f"{self.path} may be left on the device: remove it."


def connect(target, serial):
    """The device to use.

    Args:
        target: str, as the user gave it, for messages.
        serial: str, or "": the one of the environment variable ANDROID_SERIAL, else the
            only one.

    Returns:
        A `Device`.

    Raises:
        DeviceError: No adb; no device or more than one; the device cannot be used.
    """
    adb = shutil.which("adb")
    if adb is None:
        raise DeviceError(
            f"{target}: cannot find adb. Install it (Debian: apt install adb; others: "
            "Android's SDK Platform-Tools) and put it on the PATH."
        )
    serial = serial or os.environ.get("ANDROID_SERIAL", "")
    states = _states(_adb(target, adb, "devices", timeout_s=ASK_S), target)
    if not states:
        raise DeviceError(
            f"{target}: no device. Plug one in, with USB debugging switched on in its "
            "developer options; `adb devices` must list it."
        )
    listed = ", ".join(f"{name} ({state})" for name, state in states.items())
    if serial and serial not in states:
        raise DeviceError(f"{target}: no device {serial}, only {listed}. Choose one.")
    if not serial and len(states) > 1:
        raise DeviceError(
            f"{target}: {len(states)} devices: {listed}. Choose one, such as "
            f"--target android:{next(iter(states))}."
        )
    serial = serial or next(iter(states))
    if states[serial] != "device":
        raise DeviceError(
            f"{target}: the device {serial} is {_state(states[serial])}. "
            f"{_FIXES.get(_state(states[serial]), 'Start Android on it.')}"
        )
    return Device(target, adb, serial)


def _states(done, target):
    if done.returncode:
        raise DeviceError(
            f"{target}: `adb devices` failed ({_reason(done)}). Try: adb kill-server."
        )
    lines = done.stdout.partition("List of devices attached")[2].splitlines()
    words = [line.split(None, 1) for line in lines if line.strip()]
    return {serial: state.strip() for serial, state in words}


def _state(state):
    # adb adds advice of its own: "no permissions (…); see […]".
    return "no permissions" if state.startswith("no permissions") else state


def _adb(target, *command, timeout_s):
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as error:
        # Behind "-s SERIAL", what was asked for.
        asked = " ".join(part for part in command[1:] if part != "-s")
        raise SlowDeviceError(
            f"{target}: no answer in {timeout_s:g} s to `adb {asked[:80]}`. Is the "
            "device awake and idle?"
        ) from error
    except OSError as error:
        raise DeviceError(f"{target}: cannot run {command[0]} ({error}).") from error


def _reason(done):
    """The last words of adb, without its name."""
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
    last = lines[-1].strip() if lines else f"adb ended with {done.returncode}"
    return re.sub(r"^(adb: )?(error: )?", "", last)

"""An Android device for tests, behind a stub `adb`."""

import json
import os
import struct
import sys
from pathlib import Path

_COMMON = ["graph", "num_runs", "report_peak_memory_footprint", "use_gpu"]
# Of the flags of the two tools, see keras_kd/benchmark/_android_output.py.
HELP = {
    "Interpreter": [
        *_COMMON,
        *("use_nnapi", "enable_op_profiling", "require_full_delegation"),
    ],
    "CompiledModel": [
        *_COMMON,
        *("use_cpu", "use_npu", "use_profiler", "require_full_delegation"),
    ],
}
_STUB = Path(__file__).with_name("adb_stub.py")
_TOOL = """
import json, os, pathlib, sys, time
home = pathlib.Path({home!r})
tool = json.loads((home / "state.json").read_text())["tool"]
flags = dict(word.lstrip("-").partition("=")[::2] for word in sys.argv[1:])
with open(home / "flags.txt", "a") as file:
    file.write(json.dumps(flags) + "\\n")
if "help" in flags:
    print("ERROR: usage: benchmark_model <flags>\\nFlags:")
    for name in tool["flags"]:
        print("\\t--%s=x\\tstring\\toptional\\twords" % name)
    sys.exit(1)
kind = next((k for k in ("gpu", "npu", "nnapi") if flags.get("use_" + k)), "cpu")
if kind in tool["slow"]:
    (home / "running").write_text(str(os.getpid()))
    time.sleep(60)
if flags.get("report_peak_memory_footprint"):
    kind = "memory"
if flags.get("enable_op_profiling") or flags.get("use_profiler"):
    kind = "profile"
code, text = tool["answers"].get(kind, (1, "ERROR: Benchmarking failed."))
sys.stderr.write(text)
sys.exit(code)
"""


class AndroidPhone:
    """A device that answers as `state` says; change it, then `save`."""

    def __init__(self, home, *, flags=HELP["Interpreter"]):
        self.home = home
        self.state = {
            "devices": "PHONE1\tdevice\n",
            "chatter": "* daemon not running; starting now at tcp:5037\n",
            "properties": {
                "ro.product.cpu.abi": "arm64-v8a",
                "ro.product.cpu.abilist": "arm64-v8a,armeabi-v7a,armeabi",
                "ro.product.manufacturer": "Google",
                "ro.product.model": "Pixel 8",
                "ro.soc.model": "Tensor G3",
                "ro.build.version.release": "14",
            },
            "room_bytes": None,
            "gives_exit_codes": True,
            "unplug_at": None,
            "tool": {"flags": flags, "answers": {}, "slow": []},
        }
        self.temporary = home / "device" / "data" / "local" / "tmp"
        self.temporary.mkdir(parents=True)
        governor = "device/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
        self._write(governor, "schedutil\n")
        self._write("device/proc/loadavg", "1.25 2.00 3.00 1/100 4321\n")
        self._write("benchmark_model.py", _TOOL.format(home=str(home)))
        self._script("bin/adb", f'exec {sys.executable} -S {_STUB} "$@"')
        self._script("bin_of_device/getprop", f"cat {home}/properties")
        self.save()

    def plug_in(self, monkeypatch):
        """Puts its `adb` first on the PATH, and no other device in the way."""
        monkeypatch.setenv("PATH", f"{self.home / 'bin'}:{os.environ['PATH']}")
        monkeypatch.setenv("ADB_STUB", str(self.home))
        monkeypatch.delenv("ANDROID_SERIAL", raising=False)

    def save(self):
        (self.home / "state.json").write_text(json.dumps(self.state))
        lines = [f"[{k}]: [{v}]" for k, v in self.state["properties"].items()]
        (self.home / "properties").write_text("\r\n".join(lines) + "\r\n")

    def answers(self, **answers):
        """What benchmark_model prints: cpu=, gpu=, memory=, …, `(exit code, text)`."""
        self.state["tool"]["answers"] = answers
        self.save()

    def set(self, **changes):
        self.state.update(changes)
        self.save()

    @property
    def calls(self):
        """The arguments of each call of adb."""
        lines = (self.home / "calls.txt").read_text().splitlines()
        return [json.loads(line) for line in lines]

    @property
    def flags(self):
        """The flags of each run of benchmark_model, dicts."""
        lines = (self.home / "flags.txt").read_text().splitlines()
        return [json.loads(line) for line in lines]

    @property
    def left(self):
        """What lies in the device's folder for temporary files."""
        return os.listdir(self.temporary)

    def _write(self, name, text):
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def _script(self, name, command):
        self._write(name, f"#!/bin/sh\n{command}\n").chmod(0o755)


def elf(machine=183, bits=2):
    """The head of a program, by default of 64-bit ARM."""
    return b"\x7fELF" + bytes([bits, 1, 1]) + bytes(9) + struct.pack("<HH", 3, machine)

"""LiteRT's `benchmark_model` on an Android device: its flags, and what it measured."""

import contextlib
import shlex

from keras_kd.benchmark import _android_output as output
from keras_kd.benchmark._android_adb import SlowDeviceError
from keras_kd.benchmark.measurement import DeviceError, Measurement

# The tool ends a series of runs after so many seconds; it makes two.
SERIES_S = 120
RUN_S = 2 * SERIES_S + 120
# What the tool calls them, where it offers them.
_ACCELERATORS = {"GPU": "use_gpu", "NPU": "use_npu", "NNAPI": "use_nnapi"}
_MICROSECONDS_MATTER_MS = 0.02
_NOISY = 2.0


class _ToolError(DeviceError):
    """`benchmark_model` failed; the device is there."""


class ToolRun:
    """LiteRT's `benchmark_model` on the device."""

    def __init__(self, request, device, about, folder, tool):
        self._request, self._device, self._about = request, device, about
        self._folder, self._tool = folder, tool
        self._program = f"{folder.path}/benchmark_model"
        device.push(tool.path, self._program)
        # Asked for help it ends with 1; from 126 on it was not even started.
        code, printed = device.shell(
            f"chmod 755 {self._program} && {self._program} --help"
        )
        self._flags = output.read_flags(printed)
        if code >= 126 or "graph" not in self._flags:
            raise DeviceError(
                f"{request.target}: the device cannot run {tool.path} "
                f"({output.complaint(printed)}). Is it LiteRT's benchmark_model for "
                "Android?"
            )

    def measure(self, accelerator):
        """The `Measurement` on one accelerator, "CPU" or a key of `_ACCELERATORS`."""
        request = self._request
        printed = self._run(
            accelerator,
            num_runs=request.runs,
            min_secs=0,
            warmup_runs=request.warmup,
            # A phone takes a while to raise its frequency, longer than small models.
            warmup_min_secs=0.5 if request.warmup else 0,
        )
        timing = output.read_timing(printed)
        if timing is None:
            raise _ToolError(
                f"{request.target}: benchmark_model printed no times in a form known "
                f"here; its last words: {output.complaint(printed)}"
            )
        api = "CompiledModel" if "use_npu" in self._flags else "Interpreter"
        kind = "emulator" if self._about.is_emulated else accelerator
        return Measurement(
            target=request.target,
            measured_on=f"Android {kind}, {self._about.abis[0]}",
            machine=self._about.machine,
            runtime=f"LiteRT {api}, benchmark_model {self._tool.sha256[:12]}",
            accelerator=accelerator,
            is_emulated=self._about.is_emulated,
            threads=request.threads,
            runs=timing.runs,
            warmup=timing.warmup,
            init_ms=timing.init_ms,
            min_ms=timing.min_ms,
            p50_ms=timing.average_ms if timing.p50_ms is None else timing.p50_ms,
            peak_memory_bytes=self._peak_bytes(accelerator),
            operations=self._operations(accelerator),
            governor=self._about.governor,
            load=self._about.load,
            warnings=self._warnings(accelerator, timing),
        )

    def accelerated(self):
        """The `Measurement`s of what is not the CPU, and why others failed."""
        done, failed = [], []
        for accelerator, flag in _ACCELERATORS.items():
            if flag not in self._flags:
                continue
            try:
                done.append(self.measure(accelerator))
            except SlowDeviceError as error:
                self._folder.stop()
                failed.append(f"{accelerator} was not measured: {error}")
            except _ToolError as error:
                failed.append(f"{accelerator} was not measured: {error}")
        return done, failed

    def _run(self, accelerator, **flags):
        flags = {
            "graph": f"{self._folder.path}/student.tflite",
            "num_threads": self._request.threads,
            "max_secs": SERIES_S,
            **flags,
        }
        if accelerator != "CPU":
            flags[_ACCELERATORS[accelerator]] = "true"
            # Else operations run on the CPU unnoticed, in the end all of them.
            for flag, value in (
                ("require_full_delegation", "true"),
                ("use_cpu", "false"),
            ):
                if flag in self._flags:
                    flags[flag] = value
        words = [self._program, *(f"--{name}={value}" for name, value in flags.items())]
        code, printed = self._device.shell(shlex.join(words), timeout_s=RUN_S)
        if code:
            raise _ToolError(
                f"{self._request.target}: benchmark_model failed on the {accelerator} "
                f"with {code} ({output.complaint(printed)})."
            )
        if accelerator != "CPU" and output.runs_on_cpu(printed):
            raise _ToolError(
                f"{self._request.target}: some of the file runs on the CPU, not on "
                f"the {accelerator}."
            )
        return printed

    def _peak_bytes(self, accelerator):
        """From a run of its own: watching the memory slows the others."""
        if "report_peak_memory_footprint" not in self._flags:
            return None
        with contextlib.suppress(_ToolError):
            return output.read_peak_bytes(
                self._run(
                    accelerator,
                    num_runs=5,
                    min_secs=0,
                    report_peak_memory_footprint="true",
                )
            )
        return None

    def _operations(self, accelerator):
        """From a run of its own: so does the profiler."""
        if not self._request.profile:
            return ()
        flag = {"enable_op_profiling", "use_profiler"} & self._flags
        return output.read_operations(
            self._run(
                accelerator,
                num_runs=self._request.runs,
                min_secs=0,
                **dict.fromkeys(flag, "true"),
            )
        )

    def _warnings(self, accelerator, timing):
        request, warnings = self._request, []
        if timing.p50_ms is None:
            warnings.append("this benchmark_model gives no median: p50 is the average")
        elif timing.p50_ms < _MICROSECONDS_MATTER_MS:
            warnings.append("benchmark_model counts whole microseconds: p50 is coarse")
        if timing.p50_ms and timing.p95_ms and timing.p95_ms > _NOISY * timing.p50_ms:
            warnings.append(
                f"noisy: of twenty runs one took {timing.p95_ms:.3g} ms or more; let "
                "the device cool, and close what runs on it"
            )
        if timing.runs < request.runs:
            warnings.append(
                f"only {timing.runs} of {request.runs} runs fitted in {SERIES_S} s"
            )
        if request.golden and accelerator == "CPU":
            warnings.append(
                "benchmark_model gives no outputs, so the device's answers were not "
                "checked: build the program in export/android for that"
            )
        return (*warnings, *([self._tool.note] if self._tool.note else []))

"""An Android device: a stub of adb whose shell commands really run (adb_stub.py)."""

import contextlib
import os
import signal
import threading
import time

import pytest

from keras_kd.benchmark import _android_run, android
from keras_kd.benchmark.measurement import DeviceError
from keras_kd.benchmark.request import Request
from tests.benchmark.android_phone import HELP, AndroidPhone, elf
from tests.benchmark.test_android_output import COMPILED, INTERPRETER, PROFILE
from tests.programs import need

GPU = COMPILED.replace("median=358", "median=120")


@pytest.fixture
def phone(tmp_path, monkeypatch):
    need("cat", "mkdir", "sh")  # the phone's own
    phone = AndroidPhone(tmp_path / "phone")
    phone.plug_in(monkeypatch)
    monkeypatch.setenv("KERAS_KD_EXPORT", str(tmp_path / "no-programs"))
    tool = tmp_path / "benchmark_model"
    tool.write_bytes(elf() + b"rest")
    monkeypatch.setenv("KERAS_KD_BENCHMARK_MODEL", str(tool))
    phone.answers(cpu=(0, INTERPRETER), memory=(0, INTERPRETER), profile=(0, PROFILE))
    return phone


@pytest.fixture
def request_(tmp_path):
    path = tmp_path / "my student.tflite"
    path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(100))
    return Request(path, "android", threads=2, runs=50, warmup=3)


def _as(request, **changes):
    return Request(**{**vars(request), **changes})


def test_cpu_is_measured_and_the_device_described(phone, request_):
    result = android.run(request_)
    assert (result.target, result.measured_on) == ("android", "Android CPU, arm64-v8a")
    assert result.machine == "Google Pixel 8, Tensor G3, Android 14"
    assert result.runtime.startswith("LiteRT Interpreter, benchmark_model ")
    assert (result.p50_ms, result.p90_ms, result.min_ms) == (33.150, None, 32.641)
    assert (result.runs, result.warmup, result.threads) == (50, 14, 2)
    assert result.peak_memory_bytes == round(20.5 * 2**20)
    assert (result.governor, result.load) == ("schedutil", 1.25)
    assert not result.is_emulated
    assert result.warnings == ()
    assert phone.left == []


def test_tool_is_asked_for_exactly_these_runs_and_memory_apart(phone, request_):
    android.run(request_)
    _, timed, memory = phone.flags
    assert timed.pop("graph").endswith("/student.tflite")
    assert timed == {
        "num_threads": "2",
        "max_secs": "120",
        "num_runs": "50",
        "min_secs": "0",
        "warmup_runs": "3",
        "warmup_min_secs": "0.5",
    }
    assert memory["report_peak_memory_footprint"] == "true"


def test_profile_is_a_run_apart(phone, request_):
    result = android.run(_as(request_, profile=True))
    assert [one.ms for one in result.operations] == [4.1, 2.15, 6.107]
    assert "enable_op_profiling" not in phone.flags[1]


def test_every_accelerator_that_the_tool_offers_is_measured(phone, request_):
    phone.state["tool"]["flags"] = HELP["CompiledModel"]
    failure = "ERROR: Failed to compile model.\nERROR: Benchmarking failed.\n"
    phone.answers(cpu=(0, COMPILED), gpu=(0, GPU), npu=(1, failure))
    cpu, gpu = android.run_variants(request_)
    assert (cpu.accelerator, gpu.accelerator) == ("CPU", "GPU")
    assert (cpu.p50_ms, gpu.p50_ms) == (0.358, 0.120)
    assert gpu.measured_on == "Android GPU, arm64-v8a"
    assert cpu.runtime.startswith("LiteRT CompiledModel")
    [note] = cpu.warnings
    assert note.startswith("NPU was not measured: ")
    assert "Failed to compile model." in note
    runs = [flags for flags in phone.flags if flags.get("use_gpu")]
    # Else the tool gives the CPU's time as the GPU's.
    assert all(flags["require_full_delegation"] == "true" for flags in runs)
    assert all(flags["use_cpu"] == "false" for flags in runs)


def test_accelerator_that_leaves_work_to_the_cpu_is_not_measured(phone, request_):
    phone.state["tool"]["flags"] = ("graph", "use_gpu", "use_nnapi")
    applied = (
        "INFO: Though {} delegate is explicitly applied, the model graph will not "
    )
    phone.answers(
        cpu=(0, INTERPRETER),
        gpu=(0, applied.format("GPU") + "be executed by the delegate.\n" + GPU),
        nnapi=(0, INTERPRETER),
    )
    cpu, nnapi = android.run_variants(request_)
    assert nnapi.accelerator == "NNAPI"
    assert "some of the file runs on the CPU, not on the GPU" in cpu.warnings[0]


def test_noise_coarse_times_and_missing_medians_are_warned_of(phone, request_):
    line = "count=50 first=9 curr=9 min=9 max=90 avg=12.5 std=3"
    phone.answers(cpu=(0, line + " p5=9 median=10 p95=25\n"))
    coarse, noisy = android.run(request_).warnings
    assert "whole microseconds" in coarse
    assert noisy.startswith("noisy: of twenty runs one took 0.025 ms or more")
    phone.answers(cpu=(0, line + "\n"))
    result = android.run(_as(request_, runs=60, golden=request_.path))
    assert result.p50_ms == pytest.approx(0.0125)
    average, few, golden = result.warnings
    assert "p50 is the average" in average
    assert few == "only 50 of 60 runs fitted in 120 s"
    assert "answers were not checked" in golden


def test_emulators_times_are_not_a_devices(phone, request_):
    phone.set(devices="emulator-5554\tdevice\n")
    result = android.run(_as(request_, profile=True))
    assert result.is_emulated
    assert result.measured_on == "Android emulator, arm64-v8a"
    assert (result.p50_ms, result.init_ms, result.min_ms) == (None, None, None)
    assert result.operations == ()


def test_old_adb_without_exit_codes_is_understood(phone, request_):
    phone.set(gives_exit_codes=False)
    assert android.run(request_).p50_ms == 33.150
    phone.answers(cpu=(1, "ERROR: Failed to load model\nERROR: Benchmarking failed.\n"))
    with pytest.raises(DeviceError, match=r"with 1 \(Failed to load model\)"):
        android.run(request_)
    assert phone.left == []


@pytest.mark.parametrize(
    ("devices", "target", "message"),
    [
        ("", "android", "android: no device. Plug one in"),
        (
            "A\tdevice\nB\toffline",
            "android",
            r"2 devices: A \(device\), B \(offline\).",
        ),
        ("A\tdevice\nB\tdevice", "android:C", r"no device C, only A \(device\), B"),
        ("A\tunauthorized\n", "android", "A is unauthorized. Unlock it and allow"),
        ("A\toffline\n", "android", "A is offline. Unplug it"),
        ("A\tbootloader\n", "android", "A is bootloader. Start Android on it"),
        (
            "A\tno permissions (user in plugdev group; are your udev rules wrong?); "
            "see [http://developer.android.com/tools/device.html]\n",
            "android",
            "A is no permissions. Let your user open it",
        ),
    ],
)
def test_unusable_devices_are_one_clear_line(phone, request_, devices, target, message):
    phone.set(devices=devices)
    with pytest.raises(DeviceError, match=message) as error:
        android.run(_as(request_, target=target))
    assert "\n" not in str(error.value)
    assert phone.calls == [["devices"]]


def test_serial_chooses_one_of_several(phone, request_, monkeypatch):
    phone.set(devices="A\tunauthorized\n192.168.0.7:5555\tdevice\nC\tdevice\n")
    android.run(_as(request_, target="android:192.168.0.7:5555"))
    assert {call[1] for call in phone.calls[1:]} == {"192.168.0.7:5555"}
    monkeypatch.setenv("ANDROID_SERIAL", "C")
    android.run(request_)
    assert phone.calls[-1][1] == "C"


def test_missing_adb_says_what_to_install(phone, request_, monkeypatch):
    monkeypatch.setenv("PATH", str(phone.home / "empty"))
    with pytest.raises(DeviceError, match="apt install adb"):
        android.run(request_)


def test_full_device_is_one_clear_line_and_left_clean(phone, request_):
    phone.set(room_bytes=50)
    with pytest.raises(
        DeviceError, match=r"remote write failed: No space left"
    ) as error:
        android.run(request_)
    assert "It needs that much room in /data/local/tmp" in str(error.value)
    assert phone.left == []


@pytest.mark.parametrize("moment", ["mkdir", "student.tflite", "--help", "--graph"])
def test_unplugged_device_is_one_clear_line_that_says_what_is_left(
    phone, request_, moment
):
    phone.set(unplug_at=moment)
    with pytest.raises(DeviceError) as error:
        android.run_variants(request_)
    assert "PHONE1" in str(error.value) or "cannot copy" in str(error.value)
    assert "may be left on the device: remove it." in str(error.value)
    assert "\n" not in str(error.value)


def test_device_unplugged_after_the_last_run_keeps_the_result(phone, request_):
    phone.set(unplug_at="rm -rf")
    result = android.run(request_)
    assert result.p50_ms == 33.150
    assert result.warnings[-1].endswith("may be left on the device: remove it.")


@pytest.mark.slow
def test_slow_device_is_given_up_and_its_program_ended(phone, request_, monkeypatch):
    phone.state["tool"]["slow"] = ["cpu"]
    phone.save()
    monkeypatch.setattr(_android_run, "RUN_S", 5)
    with pytest.raises(DeviceError, match=r"android: no answer in 5 s to `adb PHONE1"):
        android.run(request_)
    assert phone.left == []
    assert _ended(phone)


@pytest.mark.slow
def test_slow_accelerator_is_a_note_and_ended(phone, request_, monkeypatch):
    phone.state["tool"]["slow"] = ["gpu"]
    phone.save()
    phone.answers(cpu=(0, INTERPRETER), nnapi=(0, INTERPRETER))
    monkeypatch.setattr(_android_run, "RUN_S", 5)
    cpu, nnapi = android.run_variants(request_)
    assert nnapi.accelerator == "NNAPI"
    assert cpu.warnings[0].startswith("GPU was not measured: android: no answer in")
    assert _ended(phone)
    # Before the next one is timed.
    scripts = [call[-1] for call in phone.calls]
    [first, _] = [k for k, script in enumerate(scripts) if "pkill" in script]
    assert any("use_nnapi" in script for script in scripts[first:])
    assert not any("use_nnapi" in script for script in scripts[:first])


@pytest.fixture
def control_c():
    """Raises KeyboardInterrupt; a shell has its background programs ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("control_c")
def test_control_c_leaves_nothing_on_the_device(phone, request_):
    phone.state["tool"]["slow"] = ["cpu"]
    phone.save()

    def interrupt():
        while not (phone.home / "running").exists():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        android.run(request_)
    assert phone.left == []
    assert _ended(phone)


def test_damaged_file_is_refused_before_the_device_is_touched(
    phone, request_, tmp_path
):
    bad = tmp_path / "bad.tflite"
    bad.write_bytes(b"<html>")
    with pytest.raises(ValueError, match="another kind of file or damaged"):
        android.run(_as(request_, path=bad))
    with pytest.raises(ValueError, match="No such file"):
        android.run(_as(request_, path=tmp_path / "none.tflite"))
    assert not (phone.home / "calls.txt").exists()


def test_program_that_does_not_start_is_one_clear_line(phone, request_):
    (phone.home / "benchmark_model.py").write_text("import sys; sys.exit(127)")
    with pytest.raises(DeviceError, match="Is it LiteRT's benchmark_model for Android"):
        android.run(request_)
    assert phone.left == []


def _ended(phone):
    pid = int((phone.home / "running").read_text())
    for _ in range(100):
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False

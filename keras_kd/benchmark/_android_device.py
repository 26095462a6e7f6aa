"""What an Android device says about itself."""

import dataclasses
from dataclasses import dataclass

from keras_kd.benchmark.measurement import DeviceError

_GOVERNOR = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
_TIMES = ("init_ms", "min_ms", "p50_ms", "p90_ms", "p99_ms")


@dataclass(frozen=True)
class About:
    """A device, in the words of a `Measurement`.

    Attributes:
        machine: str.
        abis: list of str, the kinds of programs that it runs, the best first.
        is_emulated: bool.
        governor: str or None.
        load: float or None.
    """

    machine: str
    abis: list[str]
    is_emulated: bool
    governor: str | None
    load: float | None


def describe(device):
    """An `About` the device."""
    known = device.properties()
    abis = known.get("ro.product.cpu.abilist") or known.get("ro.product.cpu.abi", "")
    if not abis:
        raise DeviceError(
            f"{device.target}: the device {device.serial} does not say what processor "
            "it has (getprop ro.product.cpu.abi). Is it Android?"
        )
    name = " ".join(
        known.get(f"ro.product.{word}", "") for word in ("manufacturer", "model")
    )
    chip = known.get("ro.soc.model") or known.get("ro.board.platform", "")
    version = known.get("ro.build.version.release", "")
    load = (device.read("/proc/loadavg") or "").split()
    return About(
        machine=", ".join(
            part.strip() for part in (name, chip, f"Android {version}") if part.strip()
        ),
        abis=[abi.strip() for abi in abis.split(",")],
        # An emulator's serial is always of this form.
        is_emulated=device.serial.startswith("emulator-")
        or "1" in (known.get("ro.kernel.qemu"), known.get("ro.boot.qemu")),
        governor=device.read(_GOVERNOR),
        load=float(load[0]) if load and load[0].replace(".", "").isdigit() else None,
    )


def without_times(measurement):
    """The `Measurement` of an emulator: its times are not a device's."""
    return dataclasses.replace(measurement, **dict.fromkeys(_TIMES), operations=())

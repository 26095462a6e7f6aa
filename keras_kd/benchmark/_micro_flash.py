"""An estimate of the flash that a file takes with TensorFlow Lite Micro.

The code of its kernels is as large as their functions in the x86-64 library of
tflite-micro 0.dev20261023182759, read from its table of symbols: reference kernels, for
all types. Interpreter, planner, C library and start are what remained when a program
with 6 kernels was built for a Cortex-M4: 99 kB, less a file of 21 kB and those kernels.
A linker that drops unused types, and optimised kernels, give other numbers.
"""

_INTERPRETER = 38_000
_OTHER_KERNEL = 5_000
_KERNELS = {
    "ADD": 9_000,
    "AVERAGE_POOL_2D": 3_500,
    "CONCATENATION": 1_600,
    "CONV_2D": 10_000,
    "DEPTHWISE_CONV_2D": 8_000,
    "FULLY_CONNECTED": 8_500,
    "HARD_SWISH": 1_600,
    "LOGISTIC": 2_000,
    "MAX_POOL_2D": 3_500,
    "MEAN": 5_500,
    "MUL": 8_000,
    "PAD": 8_500,
    "RESHAPE": 1_700,
    "SOFTMAX": 6_500,
    "SUB": 8_500,
}


def flash_bytes(inspection):
    """The bytes of a file and of the code that runs it, estimated.

    Args:
        inspection: its `Inspection`.

    Returns:
        Int.
    """
    names = {operation.name for operation in inspection.operations}
    kernels = sum(_KERNELS.get(name, _OTHER_KERNEL) for name in names)
    return inspection.size_bytes + _INTERPRETER + kernels

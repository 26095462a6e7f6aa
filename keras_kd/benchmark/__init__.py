"""A .tflite file on the device it is for: what it needs, and what it answers."""

from keras_kd.benchmark._micro_boards import BOARDS, Board, BoardFit, fits
from keras_kd.benchmark._programs import write_programs
from keras_kd.benchmark.compare import Comparison, FileTimes, compare
from keras_kd.benchmark.figure import figure_of
from keras_kd.benchmark.golden import write_golden
from keras_kd.benchmark.measure import measure
from keras_kd.benchmark.measurement import DeviceError, Measurement, OperationTime
from keras_kd.benchmark.table import BenchmarkRow, BenchmarkTable, table_of

__all__ = [
    "BOARDS",
    "BenchmarkRow",
    "BenchmarkTable",
    "Board",
    "BoardFit",
    "Comparison",
    "DeviceError",
    "FileTimes",
    "Measurement",
    "OperationTime",
    "compare",
    "figure_of",
    "fits",
    "measure",
    "table_of",
    "write_golden",
    "write_programs",
]

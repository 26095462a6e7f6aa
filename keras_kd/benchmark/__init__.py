"""The latency of a .tflite file, and what it was measured on."""

from keras_kd.benchmark.latency import Latency, measure

__all__ = ["Latency", "measure"]

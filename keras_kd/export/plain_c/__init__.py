"""An int8 .tflite file as plain C, without an interpreter."""

from keras_kd.export.plain_c.write import PlainC, write_plain_c

__all__ = ["PlainC", "write_plain_c"]

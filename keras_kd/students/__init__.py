"""Architectures for students."""

from keras_kd.students.convnet import convnet

__all__ = ["convnet"]

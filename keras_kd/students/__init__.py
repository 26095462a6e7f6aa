"""Architectures for students."""

from keras_kd.students.convnet import convnet
from keras_kd.students.inverted_residual import inverted_residual_net
from keras_kd.students.residual import residual_net
from keras_kd.students.separable import separable_convnet
from keras_kd.students.shrinking.rules.lookup import register_rule
from keras_kd.students.shrinking.scaling import Scaling
from keras_kd.students.shrinking.shrink import shrink
from keras_kd.students.token_transformer import token_transformer

__all__ = [
    "Scaling",
    "convnet",
    "inverted_residual_net",
    "register_rule",
    "residual_net",
    "separable_convnet",
    "shrink",
    "token_transformer",
]

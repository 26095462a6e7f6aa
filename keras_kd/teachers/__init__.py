"""Teachers: whatever answers a batch with logits and features."""

from keras_kd.teachers.base import Teacher
from keras_kd.teachers.frozen import FrozenTeacher

__all__ = ["FrozenTeacher", "Teacher"]

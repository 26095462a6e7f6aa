"""The largest student that fits a device."""

from keras_kd.budget.candidate import Candidate
from keras_kd.budget.found import Found
from keras_kd.budget.limits import Limits
from keras_kd.budget.within import within

__all__ = ["Candidate", "Found", "Limits", "within"]

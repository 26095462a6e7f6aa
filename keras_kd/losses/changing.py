"""Numbers that may be set while a compiled step goes on reading them."""

import keras
import numpy as np
from keras import ops

from keras_kd._checks import check_positive, invalid, is_number
from keras_kd.losses import schedules


class Number:
    """A setting of the loss: a schedule, or a number that can be set at any time.

    A compiled step holds a Python number for ever; this one is in a variable once
    `hold` was called.

    Args:
        where: str, see `invalid`.
        name: str, of the setting.
        value: a number or `LearningRateSchedule`.
        check: function of `(where, name, number)` that raises.

    Attributes:
        value: what was set last.

    Example:
        >>> number = Number("Distiller", "temperature", 4.0)
        >>> number.hold()
        >>> number.set(2.0)
        >>> float(number.at(0))
        2.0
    """

    def __init__(self, where, name, value, check=check_positive):
        schedules.check_schedule(where, name, value, check)
        self.value = self._given = value
        self._told = where, name
        self._check = check
        self._variable = None
        self._kept_for = None

    def hold(self):
        """Has compiled steps read it anew, those that are traced from now on."""
        if self._variable is None and not schedules.is_schedule(self.value):
            self._variable = keras.Variable(
                self.value, dtype="float32", trainable=False, autocast=False
            )

    def at(self, iterations):
        """The number that holds at a step; a scalar tensor once it is held."""
        if self._variable is None:
            return schedules.value_at(self.value, iterations)
        return ops.convert_to_tensor(self._variable)

    def keep(self, why):
        """Refuses other numbers from now on; `why` is for the error."""
        self._kept_for = why

    def set(self, value):
        """Sets the number, for all steps from now on.

        Raises:
            ValueError: It is out of range; or there is a schedule in either place.
        """
        where, name = self._told
        if self._kept_for is not None and value != self.value:
            raise invalid(
                where, f"`{name}` to stay {self.value}", repr(value), self._kept_for
            )
        if schedules.is_schedule(value) or schedules.is_schedule(self.value):
            raise invalid(
                where,
                f"`{name}` to be set in the place of a number, by a number",
                " by ".join(type(each).__name__ for each in (self.value, value)),
                "Pass a LearningRateSchedule when you make it, or pass a number then, "
                "and set other numbers from a callback.",
            )
        if hasattr(value, "__array__") and not np.ndim(value):
            value = float(value)
        self._check(where, name, value)
        self.value = value
        if self._variable is not None:
            self._variable.assign(value)

    def save(self, store, key):
        """Writes it beside weights, if it was set to another than at first."""
        if self.value is not self._given and self.value != self._given:
            store[key] = np.array([self._given, self.value], "float64")

    def load(self, stored, key):
        """Takes it out of `stored`, a dict; it holds where the first number was ours.

        Who goes on with another setting than the file began with means the new one.
        """
        numbers = stored.pop(key, None)
        if numbers is None or schedules.is_schedule(self.value):
            return
        given, value = np.asarray(numbers).tolist()
        if given == self._given:
            self.set(value)


class Temperature:
    """The attribute `temperature` of a loss, which a callback may set.

    Inside `call` it is the number of the step. Without this a user's loss that reads
    it there would go on with what it was when the step was traced.
    """

    def __get__(self, loss, kind=None):
        number = number_of(loss) if loss is not None else None
        if number is None:
            return None if loss is None else vars(loss).get("_temperature")
        return number.at(loss.iterations) if loss.calls_now else number.value

    def __set__(self, loss, value):
        number = number_of(loss)
        if number is not None:
            number.set(value)
            return
        if is_number(value) or schedules.is_schedule(value):
            value = Number(type(loss).__name__, "temperature", value)
        vars(loss)["_temperature"] = value


def number_of(loss):
    """The `Number` behind a loss's temperature; None where it has none of its own."""
    number = vars(loss).get("_temperature")
    return number if isinstance(number, Number) else None

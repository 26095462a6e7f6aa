"""The one error for bad input."""

import keras
import pytest

from keras_kd._checks import InvalidInputError, invalid


def test_the_message_is_put_together_from_its_parts():
    error = invalid("Distiller", "one student", [1, 2], "Pass one.")
    assert str(error) == "Distiller: expected one student, got [1, 2]. Pass one."
    assert error.parts == ("Distiller", "one student", [1, 2], "Pass one.")


class Refusing(keras.layers.Layer):
    def call(self, inputs):
        raise invalid("Refusing", "nothing", "something", "Do not call it.")


def test_it_stays_what_it_is_in_a_layer_that_keras_calls():
    with pytest.raises(InvalidInputError, match="expected nothing, got something"):
        Refusing()(keras.ops.ones((1, 2)))

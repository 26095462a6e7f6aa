"""Sizes by hand, what stays, and what is refused."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_kd
from keras_kd.losses import suggest_layers
from keras_kd.students import convnet, shrink


def parameters_of_convnet(width, classes=10):
    """As `tests/students/test_convnet.py` counts them."""

    def convolution(inputs, outputs):
        return 9 * inputs * outputs + 4 * outputs

    w, count = width, 0
    for inputs, outputs in ((1, w), (w, w), (w, 2 * w), (2 * w, 2 * w)):
        count += convolution(inputs, outputs)
    return count + 2 * w * classes + classes


@pytest.mark.parametrize("width", [0.25, 0.5, 0.75])
def test_parameters_are_those_of_the_narrower_net_by_hand(width):
    teacher = convnet((8, 8, 1), 10, width=64)
    student = shrink(teacher, width=width)
    assert student.count_params() == parameters_of_convnet(int(64 * width))
    assert student.input_shape == teacher.input_shape
    assert student.output_shape == teacher.output_shape


@pytest.mark.parametrize("width", [0.25, 0.5, 0.75])
def test_transformer_has_the_parameters_by_hand(width):
    """Half the heads of the same size; without `width`² the formula would not hold."""

    def count(dim, key_dim, heads):
        projections = 3 * (dim * heads * key_dim + heads * key_dim)
        attention = projections + heads * key_dim * dim + dim
        dense = dim * 2 * dim + 2 * dim + 2 * dim * dim + dim
        return 50 * dim + 2 * dim + attention + 2 * dim + dense + dim * 5 + 5

    tokens = keras.Input((7,), dtype="int32")
    x = layers.Embedding(50, 64)(tokens)
    y = layers.LayerNormalization()(x)
    x = layers.Add()([x, layers.MultiHeadAttention(4, 16)(y, y)])
    y = layers.LayerNormalization()(x)
    y = layers.Dense(64)(layers.Dense(128, activation="gelu")(y))
    x = layers.GlobalAveragePooling1D()(layers.Add()([x, y]))
    teacher = keras.Model(tokens, layers.Dense(5)(x))
    assert teacher.count_params() == count(64, 16, 4)
    student = shrink(teacher, width=width)
    assert student.count_params() == count(int(64 * width), 16, int(4 * width))


def test_size_of_heads_scales_where_their_number_cannot():
    x = keras.Input((5, 24))
    teacher = keras.Model(x, layers.MultiHeadAttention(3, 32)(x, x))
    attention = shrink(teacher, width=0.5).layers[-1]
    assert (attention.num_heads, attention.key_dim, attention.value_dim) == (3, 16, 16)


def test_sequential_stays_sequential_and_names_stay(make_model):
    teacher = make_model(32, batch_norm=True)
    student = shrink(teacher, width=0.5)
    assert isinstance(student, keras.Sequential)
    assert [layer.name for layer in student.layers] == [
        layer.name for layer in teacher.layers
    ]
    assert student.get_layer("hidden").units == 16
    assert student.name == f"{teacher.name}_student"
    assert shrink(teacher, name="small").name == "small"


def test_named_inputs_and_outputs_stay():
    image, size = keras.Input((8,), name="image"), keras.Input((2,), name="size")
    x = layers.Dense(32)(layers.Concatenate()([layers.Dense(32)(image), size]))
    outputs = {"a": layers.Dense(3)(x), "b": layers.Dense(2)(x)}
    teacher = keras.Model({"image": image, "size": size}, outputs)
    student = shrink(teacher, width=0.25)
    answer = student({"image": np.ones((2, 8)), "size": np.ones((2, 2))})
    assert {name: tuple(value.shape) for name, value in answer.items()} == {
        "a": (2, 3),
        "b": (2, 2),
    }


def test_layer_used_twice_stays_one_layer():
    inputs = keras.Input((8,))
    shared = layers.Dense(32, name="shared")
    x = shared(shared(layers.Dense(32)(inputs)))
    student = shrink(keras.Model(inputs, layers.Dense(2)(x)), width=0.5)
    by_hand = (8 * 16 + 16) + (16 * 16 + 16) + (16 * 2 + 2)
    assert student.count_params() == by_hand


def test_model_inside_used_twice_stays_one_model():
    tower = keras.Sequential([keras.Input((8,)), layers.Dense(32)], name="tower")
    left, right = keras.Input((8,)), keras.Input((8,))
    outputs = layers.Dense(1)(layers.Subtract()([tower(left), tower(right)]))
    student = shrink(keras.Model([left, right], outputs), width=0.5)
    assert student.count_params() == (8 * 16 + 16) + (16 + 1)
    assert student.get_layer("tower").layers[0].units == 16


def test_activation_used_at_two_widths_is_followed():
    inputs = keras.Input((4,))
    relu = layers.ReLU()
    x = relu(layers.Dense(16)(relu(layers.Dense(64)(inputs))))
    student = shrink(keras.Model(inputs, layers.Dense(2)(x)), width=0.5)
    assert student.count_params() == (4 * 32 + 32) + (32 * 8 + 8) + (8 * 2 + 2)


def test_frozen_teacher_has_a_trainable_student_and_is_not_changed():
    teacher = convnet((8, 8, 1), 10, width=16)
    teacher.trainable = False
    before = [np.array(weight) for weight in teacher.weights]
    config = teacher.to_json()
    student = shrink(teacher, width=0.5, init="teacher")
    student.get_layer("logits").kernel.assign_add(keras.ops.ones((16, 10)))
    assert len(student.trainable_weights) == 4 * 3 + 2
    assert teacher.to_json() == config
    assert not teacher.trainable_weights
    for weight, value in zip(teacher.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_statistics_of_input_normalization_are_copied_at_random_init():
    teacher = keras.Sequential(
        [keras.Input((3,)), layers.Normalization(), layers.Dense(32), layers.Dense(2)]
    )
    x = np.array([[1.0, 2, 3], [3, 6, 9]])
    teacher.layers[0].adapt(x)
    student = shrink(teacher, width=0.5)
    expected = (x - x.mean(0)) / x.std(0)
    np.testing.assert_allclose(student.layers[0](x), expected, rtol=1e-5)


def test_suggest_layers_pairs_every_stage_by_name():
    teacher = convnet((16, 16, 3), 10, width=32, blocks=3)
    pairs = suggest_layers(teacher, shrink(teacher, width=0.25))
    assert [(p.teacher_layer, p.student_layer) for p in pairs] == [
        (f"block_{n}", f"block_{n}") for n in (1, 2, 3)
    ]


def test_student_learns_from_its_teacher(teacher, arrays):
    student = shrink(teacher, width=0.5, init="teacher")
    distiller = keras_kd.Distiller(teacher, student)
    distiller.compile(optimizer="adam")
    history = distiller.fit(*arrays, epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]


def test_student_is_saved_and_loaded_as_any_model(tmp_path):
    student = shrink(convnet((8, 8, 1), 10, width=16), width=0.5)
    student.save(tmp_path / "student.keras")
    loaded = keras.saving.load_model(tmp_path / "student.keras")
    x = np.ones((2, 8, 8, 1), "float32")
    np.testing.assert_array_equal(student(x), loaded(x))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 0}, "`width` above 0 and at most 1, got 0"),
        ({"width": 1.5}, "`width` above 0 and at most 1"),
        ({"depth": True}, "`depth` above 0 and at most 1"),
        ({"divisor": 0}, "`divisor` to be a number above 0"),
        ({"divisor": 1.5}, "`divisor` to be an int"),
        ({"init": "Teacher"}, 'Did you mean "teacher"'),
        ({"data": np.ones((2, 8, 8, 1))}, '`data` with init="teacher" only'),
        ({"init": "teacher", "data": np.ones((2, 8))}, r"`data` of shape \(8, 8, 1\)"),
        ({"depth": 0.5}, "repeated residual blocks"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        shrink(convnet((8, 8, 1), 10, width=8), **arguments)


class Calling(keras.Model):
    def call(self, inputs):
        return 2 * super().call(inputs)


def test_unbuilt_and_subclassed_teachers_are_refused():
    class Own(keras.Model):
        pass

    with pytest.raises(ValueError, match="which is not built"):
        shrink(keras.Sequential([layers.Dense(2)]))
    with pytest.raises(ValueError, match="Functional or Sequential model, got Own"):
        shrink(Own())
    x = keras.Input((4,))
    with pytest.raises(ValueError, match="Its own `call` cannot be followed"):
        shrink(Calling(x, layers.Dense(2)(x)))
    with pytest.raises(ValueError, match="got str"):
        shrink("teacher.keras")

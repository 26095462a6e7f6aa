"""Students that cannot learn together get one clear error before training."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_kd


@pytest.fixture
def students(make_model):
    return [make_model(6), make_model(12)]


def compiled(students):
    distiller = keras_kd.MutualDistiller(students)
    distiller.compile("sgd")
    return distiller


def test_fewer_than_two_students(make_model):
    for students in ([make_model(6)], make_model(6), [], ["a", "b"]):
        with pytest.raises(ValueError, match=r"at least two keras\.Models"):
            keras_kd.MutualDistiller(students)


def test_one_model_twice_or_shared_layers(make_model):
    model = make_model(6)
    other = keras.Sequential([keras.Input((8, 8, 1)), *model.layers[:-1]])
    other.add(layers.Dense(10))
    for students in ([model, model], [model, other]):
        with pytest.raises(ValueError, match="shares layers"):
            keras_kd.MutualDistiller(students)


def test_two_models_on_one_input_share_nothing():
    x = keras.Input((4,))
    models = [keras.Model(x, layers.Dense(3)(x)) for _ in range(2)]
    assert len(keras_kd.MutualDistiller(models).students) == 2


def test_other_classes(make_model):
    other = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(7)]
    )
    with pytest.raises(ValueError, match=r"\(None, 10\), \(None, 7\)"):
        keras_kd.MutualDistiller([make_model(6), other])


def test_softmax_beside_sigmoid(make_model):
    with pytest.raises(ValueError, match="some in softmax and some in sigmoid"):
        keras_kd.MutualDistiller([make_model(6, "softmax"), make_model(6, "sigmoid")])


@pytest.mark.parametrize(
    "option", [{"weight": -1}, {"weight": None}, {"temperature": 0}]
)
def test_numbers_out_of_range(students, option):
    with pytest.raises(ValueError, match=f"`{next(iter(option))}` to be a number"):
        keras_kd.MutualDistiller(students, **option)


def test_loss_that_reads_logits_as_probabilities(students):
    distiller = keras_kd.MutualDistiller(students)
    with pytest.raises(ValueError, match=r"MutualDistiller\.compile.*from_logits"):
        distiller.compile("sgd", "sparse_categorical_crossentropy")


def test_metrics_by_name_of_student(students):
    with pytest.raises(ValueError, match="`metrics` to be a list"):
        keras_kd.MutualDistiller(students).compile(
            "sgd", metrics={"student_1": "accuracy"}
        )


def test_data_that_cannot_be_used(students, arrays):
    x, y = arrays
    for data, message in (
        ((x, None), "data without labels"),
        ((x[:0], y[:0]), "empty dataset"),
        ((x[:, :4], y), "batches of shape"),
        ((x, y + 1), "labels from 0 to 9"),
        ((x * np.nan, y), "finite outputs"),
    ):
        with pytest.raises(ValueError, match=f"MutualDistiller.fit.*{message}"):
            compiled(students).fit(*data)
    with pytest.raises(ValueError, match="data without labels"):
        compiled(students).evaluate(x, verbose=0)


def test_export_asks_for_one_student(students, tmp_path):
    with pytest.raises(ValueError, match=r"students\[0\].export"):
        keras_kd.MutualDistiller(students).export(tmp_path / "model")


def test_nan_weights(students, arrays):
    students[1].get_layer("scores").bias.assign(np.full(10, np.nan))
    with pytest.raises(ValueError, match="finite weights in the student"):
        compiled(students).fit(*arrays)

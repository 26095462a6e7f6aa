"""Bad input gets one clear error before training."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_kd
from keras_kd.losses import MultiLabelDistillation, SoftTargetDistillation
from keras_kd.teachers import FrozenTeacher


def compiled(teacher, student, **kwargs):
    distiller = keras_kd.Distiller(teacher, student, **kwargs)
    distiller.compile("sgd")
    return distiller


def test_different_class_counts(teacher):
    student = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(7)]
    )
    with pytest.raises(ValueError, match=r"\(None, 10\).*\(None, 7\).*same number"):
        keras_kd.Distiller(teacher, student)


def test_teacher_of_another_input_shape(student):
    teacher = keras.Sequential(
        [keras.Input((16, 16, 1)), layers.Flatten(), layers.Dense(10)]
    )
    with pytest.raises(ValueError, match="teacher_preprocessing"):
        keras_kd.Distiller(teacher, student)


def test_teacher_preprocessing_bridges_another_input_shape(student, arrays):
    teacher = keras.Sequential(
        [keras.Input((16, 16, 1)), layers.Flatten(), layers.Dense(10)]
    )
    resize = layers.Resizing(16, 16)
    distiller = compiled(teacher, student, teacher_preprocessing=resize)
    distiller.fit(*arrays, verbose=0)
    answers = distiller.teacher(arrays[0][:4]).logits
    np.testing.assert_allclose(answers, teacher(resize(arrays[0][:4])), rtol=1e-6)


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan"), "half", None, True])
def test_alpha_outside_0_to_1(teacher, student, alpha):
    with pytest.raises(ValueError, match="`alpha` to be a number in"):
        keras_kd.Distiller(teacher, student, alpha=alpha)


def test_alpha_schedule_that_starts_outside_0_to_1(teacher, student):
    schedule = keras.optimizers.schedules.CosineDecay(2.0, 10)
    with pytest.raises(ValueError, match="schedule of `alpha` to stay in its range"):
        keras_kd.Distiller(teacher, student, alpha=schedule)


@pytest.mark.parametrize("temperature", [0, -2.0, float("inf")])
def test_temperature_not_above_0(teacher, student, temperature):
    with pytest.raises(ValueError, match="`temperature` to be a number above 0"):
        keras_kd.Distiller(teacher, student, temperature=temperature)


def test_temperature_beside_distillation_losses(teacher, student):
    with pytest.raises(ValueError, match="Give the temperature to the loss"):
        keras_kd.Distiller(teacher, student, SoftTargetDistillation(), temperature=2.0)


def test_wrong_number_of_loss_weights(teacher, student):
    with pytest.raises(ValueError, match="1 losses and 2 weights"):
        keras_kd.Distiller(teacher, student, SoftTargetDistillation(), [1.0, 2.0])


def test_a_loss_that_is_not_for_distillation(teacher, student):
    with pytest.raises(ValueError, match=r"keras_kd.losses or keras.distillation"):
        keras_kd.Distiller(teacher, student, "mse")


def test_student_is_the_teacher(teacher):
    with pytest.raises(ValueError, match="shares layers with its teacher"):
        keras_kd.Distiller(teacher, teacher)


def test_teacher_that_is_no_model(student):
    with pytest.raises(ValueError, match=r"expected a keras.Model, got str"):
        keras_kd.Distiller("teacher.keras", student)


def test_teacher_without_weights(student):
    teacher = keras.Sequential([layers.Dense(10)])
    with pytest.raises(ValueError, match="no weights yet"):
        keras_kd.Distiller(teacher, student)


def test_nan_weights_in_the_teacher(teacher, student):
    teacher.get_layer("hidden").bias.assign(np.full(32, np.nan))
    with pytest.raises(ValueError, match=r"finite weights in the teacher.*hidden"):
        keras_kd.Distiller(teacher, student)


def test_nan_weights_in_the_student(teacher, student, arrays):
    student.get_layer("scores").bias.assign(np.full(10, np.inf))
    with pytest.raises(ValueError, match="finite weights in the student"):
        compiled(teacher, student).fit(*arrays)


def test_nan_outputs_of_the_teacher(student, arrays):
    inputs = keras.Input((8, 8, 1))
    x = layers.Dense(10)(layers.Flatten()(inputs))
    teacher = keras.Model(inputs, keras.ops.log(x - keras.ops.max(x) - 1.0))
    with pytest.raises(ValueError, match="finite outputs of the teacher"):
        compiled(teacher, student).fit(*arrays)


@pytest.mark.parametrize("kind", ["arrays", "tf.data", "generator"])
def test_empty_data_set(teacher, student, arrays, kind):
    x, y = arrays[0][:0], arrays[1][:0]
    data = {
        "arrays": (x, y),
        "tf.data": (tf.data.Dataset.from_tensor_slices((x, y)).batch(4),),
        "generator": ((batch for batch in []),),
    }[kind]
    with pytest.raises(ValueError, match="an empty dataset"):
        compiled(teacher, student).fit(*data)


@pytest.mark.parametrize("label", [10, -1])
def test_labels_out_of_range(teacher, student, arrays, label):
    x, y = arrays[0], arrays[1].copy()
    y[-1] = label
    with pytest.raises(ValueError, match=f"labels from 0 to 9.*label {label}"):
        compiled(teacher, student).fit(x, y)


def test_labels_of_another_width(teacher, student, arrays):
    with pytest.raises(ValueError, match=r"\(batch,\) or \(batch, 10\)"):
        compiled(teacher, student).fit(arrays[0], np.eye(7)[arrays[1] % 7])


def test_nan_labels(teacher, student, arrays):
    y = np.eye(10)[arrays[1]]
    y[3, 3] = np.nan
    with pytest.raises(ValueError, match="finite labels"):
        compiled(teacher, student).fit(arrays[0], y)


def test_multi_hot_labels_on_a_softmax(teacher, student, arrays):
    y = np.eye(10)[arrays[1]] + np.eye(10)[(arrays[1] + 1) % 10]
    with pytest.raises(ValueError, match='activation="sigmoid"'):
        compiled(teacher, student).fit(arrays[0], y)


@pytest.mark.parametrize("kind", ["arrays", "tf.data"])
def test_unlabelled_data_with_alpha(teacher, student, arrays, kind):
    x = arrays[0]
    data = x if kind == "arrays" else tf.data.Dataset.from_tensor_slices(x).batch(32)
    with pytest.raises(ValueError, match="Pass alpha=0"):
        compiled(teacher, student).fit(data)


def test_layer_path_that_does_not_exist(teacher, student):
    feature = keras.distillation.FeatureDistillation("mse", "hidden", "hiden")
    with pytest.raises(ValueError, match='Did you mean "hidden"'):
        keras_kd.Distiller(teacher, student, feature)


@pytest.mark.parametrize(
    "loss",
    [
        "sparse_categorical_crossentropy",
        keras.losses.SparseCategoricalCrossentropy(),
        keras.losses.categorical_crossentropy,
    ],
)
def test_loss_on_probabilities_for_a_head_of_logits(teacher, student, loss):
    with pytest.raises(
        ValueError, match="from_logits=True, because the student's head"
    ):
        keras_kd.Distiller(teacher, student).compile("sgd", loss=loss)


@pytest.mark.parametrize(
    "metric",
    ["sparse_categorical_crossentropy", keras.metrics.SparseCategoricalCrossentropy()],
    ids=["name", "object"],
)
def test_metric_on_probabilities_for_a_head_of_logits(teacher, student, metric):
    distiller = keras_kd.Distiller(teacher, student)
    with pytest.raises(ValueError, match="from_logits=True"):
        distiller.compile("adam", metrics=["accuracy", "acc", metric])


def test_loss_on_logits_for_a_softmax_head(teacher, make_model):
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    with pytest.raises(ValueError, match=r"from_logits=False.*softmax"):
        keras_kd.Distiller(teacher, make_model(4, "softmax")).compile("sgd", loss=loss)


def test_probabilities_from_a_head_that_is_not_recognised(teacher, student, arrays):
    inputs = keras.Input((8, 8, 1))
    x = keras.ops.softmax(layers.Dense(10)(layers.Flatten()(inputs)))
    unclear = keras.Model(inputs, x)
    with pytest.raises(ValueError, match="like probabilities"):
        compiled(unclear, student).fit(*arrays)
    with pytest.raises(ValueError, match="logits from the student"):
        compiled(teacher, unclear).fit(*arrays)
    stated = FrozenTeacher(unclear, from_logits=False)
    compiled(stated, student).fit(*arrays, verbose=0)


def test_from_logits_that_contradicts_a_recognised_head(teacher, student):
    with pytest.raises(ValueError, match="from_logits=True, as its head"):
        keras_kd.Distiller(teacher, student, from_logits=False)


def test_from_logits_speaks_of_the_head_that_is_not_recognised(student, arrays):
    inputs = keras.Input((8, 8, 1))
    scores = layers.Dense(10)(layers.Flatten()(inputs))
    teacher = keras.Model(inputs, keras.ops.softmax(scores))
    distiller = compiled(teacher, student, from_logits=False)
    assert distiller.head.activation == "linear"
    answer = distiller.teacher(arrays[0][:4]).logits
    np.testing.assert_allclose(
        keras.ops.softmax(answer), teacher(arrays[0][:4]), rtol=1e-5
    )
    wrong = keras.Model(inputs, 3.0 * scores)
    with pytest.raises(ValueError, match="probabilities from the teacher"):
        compiled(wrong, student, from_logits=False).fit(*arrays)


def test_sigmoid_outputs_of_a_head_that_is_not_recognised(student, arrays):
    inputs = keras.Input((8, 8, 1))
    x = layers.Dense(10)(layers.Flatten()(inputs))
    teacher = keras.Model(inputs, keras.ops.sigmoid(x))
    with pytest.raises(ValueError, match="FrozenTeacher"):
        compiled(teacher, student).fit(*arrays)


def test_student_that_shares_layers_with_its_teacher(teacher):
    hidden = teacher.get_layer("hidden").output
    student = keras.Model(teacher.inputs, layers.Dense(10)(hidden))
    with pytest.raises(ValueError, match="shares layers with its teacher"):
        keras_kd.Distiller(teacher, student)


def test_heads_of_different_kinds(make_model):
    with pytest.raises(ValueError, match="same kind of head"):
        keras_kd.Distiller(make_model(8, "softmax"), make_model(4, "sigmoid"))


def test_alpha_schedule_that_leaves_0_to_1_later(teacher, student):
    schedule = keras.optimizers.schedules.PolynomialDecay(1.0, 2, -1.0)
    with pytest.raises(ValueError, match="at step 10"):
        keras_kd.Distiller(teacher, student, alpha=schedule)


def test_one_loss_object_for_models_of_other_shapes(teacher, student):
    loss = MultiLabelDistillation()
    keras_kd.Distiller(teacher, student, loss)
    inputs = keras.Input((8, 8, 1))
    small = [
        keras.Model(inputs, layers.Dense(3)(layers.Flatten()(inputs))) for _ in range(2)
    ]
    with pytest.raises(ValueError, match="Make a new loss"):
        keras_kd.Distiller(*small, loss)


def test_data_of_another_shape_than_the_models(teacher, student):
    x, y = np.zeros((8, 28, 28, 1)), np.zeros(8, int)
    with pytest.raises(ValueError, match=r"\(None, 8, 8, 1\).*\(8, 28, 28, 1\)"):
        compiled(teacher, student).fit(x, y)


def test_data_that_is_not_batched(teacher, student, arrays):
    data = tf.data.Dataset.from_tensor_slices(arrays)
    with pytest.raises(ValueError, match=r"\.batch\(32\)"):
        compiled(teacher, student).fit(data)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.full(320, 0.5), "fractions"),
        (np.full(320, "cat"), "labels as numbers"),
    ],
)
def test_labels_that_are_no_class_numbers(teacher, student, arrays, labels, message):
    with pytest.raises(ValueError, match=message):
        compiled(teacher, student).fit(arrays[0], labels)


def test_labels_of_the_whole_first_batch_are_looked_at(teacher, student, arrays):
    x, y = arrays[0], arrays[1].copy()
    y[30] = 10
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(32)
    with pytest.raises(ValueError, match="label 10"):
        compiled(teacher, student).fit(data)


def test_evaluating_unlabelled_data_without_a_teacher(
    teacher, student, arrays, tmp_path
):
    distiller = compiled(teacher, student, alpha=0)
    distiller.save(tmp_path / "d.keras")
    loaded = keras.models.load_model(tmp_path / "d.keras")
    with pytest.raises(ValueError, match="data without labels"):
        loaded.evaluate(arrays[0])


def test_keras_feature_losses_on_layers_of_other_shapes(teacher, student):
    feature = keras.distillation.FeatureDistillation("mse", "hidden", "conv")
    with pytest.raises(ValueError, match="Name layers of the same shape"):
        keras_kd.Distiller(teacher, student, feature)


def test_softmax_over_one_unit(arrays):
    one = [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(1)]
    models = keras.Sequential(one), keras.Sequential([*one[:2], layers.Dense(1)])
    with pytest.raises(ValueError, match="MultiLabelDistillation"):
        keras_kd.Distiller(*models, SoftTargetDistillation())


def test_preprocessing_beside_a_teacher_that_has_its_own(teacher, student):
    with pytest.raises(ValueError, match="Give the preprocessing to the teacher"):
        keras_kd.Distiller(
            FrozenTeacher(teacher), student, teacher_preprocessing=lambda x: x
        )

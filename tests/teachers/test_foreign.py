"""Teachers that are not Keras models answer like the Keras models they came from."""

import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, logit, softmax

import keras_kd
from keras_kd.teachers import CallableTeacher, SavedModelTeacher


def foreign(function, **options):
    given = {"from_logits": True, "num_classes": 10, "fingerprint": "a", **options}
    return CallableTeacher(function, **given)


def through_numpy(model):
    return foreign(lambda x: np.asarray(model(x)), numpy=True)


def trained_student(teacher, student, arrays):
    """The weights after an epoch; the same student is used again and again."""
    before = student.get_weights()
    distiller = keras_kd.Distiller(teacher, student)
    distiller.compile(keras.optimizers.SGD(0.1))
    distiller.fit(*arrays, shuffle=False, verbose=0)
    after = student.get_weights()
    student.set_weights(before)
    return after


def assert_teaches_like(teacher, model, student, arrays):
    got = trained_student(teacher, student, arrays)
    expected = trained_student(model, student, arrays)
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.slow
def test_functions_of_tensors_and_of_arrays_teach(teacher, student, arrays):
    assert_teaches_like(foreign(teacher), teacher, student, arrays)
    assert_teaches_like(through_numpy(teacher), teacher, student, arrays)


@pytest.mark.parametrize("numpy", [False, True])
def test_probabilities_are_turned_back_into_logits(make_model, arrays, numpy):
    x = arrays[0][:8]
    for head, options in (("softmax", {}), ("sigmoid", {"multi_label": True})):
        model = make_model(8, head)
        function = (lambda x, m=model: np.asarray(m(x))) if numpy else model
        answer = foreign(function, from_logits=False, numpy=numpy, **options)(x)
        back = {"softmax": lambda z: softmax(z, axis=-1), "sigmoid": expit}[head]
        np.testing.assert_allclose(back(answer.logits), model(x), rtol=1e-4)


def test_one_class_is_a_sigmoid():
    teacher = foreign(lambda x: x, from_logits=False, num_classes=1)
    assert teacher.head.activation == "sigmoid"
    answer = teacher(np.float32([[0.25], [0.9]])).logits
    np.testing.assert_allclose(answer, logit([[0.25], [0.9]]), rtol=1e-5)


def test_probabilities_of_0_and_1_give_finite_logits():
    teacher = foreign(lambda x: x, from_logits=False, num_classes=2)
    answer = teacher(np.float32([[0.0, 1.0]])).logits
    assert np.isfinite(answer).all()
    np.testing.assert_allclose(softmax(answer, axis=-1), [[0, 1]], atol=1e-30)


def test_preprocessing_comes_first_and_inputs_may_be_a_dict():
    teacher = foreign(
        lambda x: x["a"] + 10 * x["b"],
        num_classes=2,
        preprocessing=lambda x: {"a": x["a"] * 2, "b": x["b"]},
        numpy=True,
    )
    inputs = {"a": np.float32([[1, 2]]), "b": np.float32([[3, 4]])}
    np.testing.assert_array_equal(teacher(inputs).logits, [[32, 44]])
    compiled = tf.function(lambda x: teacher(x).logits)
    np.testing.assert_array_equal(compiled(inputs), [[32, 44]])


def test_answers_of_another_shape_are_an_error():
    x = np.zeros((4, 3), "float32")
    for function in (lambda x: x, lambda x: x[:, 0], lambda x: 0.0):
        for numpy in (False, True):
            teacher = foreign(function, num_classes=5, numpy=numpy)
            with pytest.raises(ValueError, match="a row of 5 classes for each of 4"):
                teacher(x)
    with pytest.raises(ValueError, match="a row of 3 classes for each of 4 examples"):
        foreign(lambda x: x[:2], num_classes=3)(x)


def test_shapes_that_only_the_running_program_knows_are_checked_there():
    def function(x):
        return tf.numpy_function(lambda x: 2 * x, [x], tf.float32)

    inputs = tf.ones((4, 3))
    for num_classes in (3, 5):
        teacher = foreign(function, num_classes=num_classes)
        compiled = tf.function(lambda x, t=teacher: t(x).logits)
        concrete = compiled.get_concrete_function(tf.TensorSpec((None, 3)))
        assert concrete.output_shapes[-1] == num_classes
        if num_classes == 3:
            np.testing.assert_array_equal(compiled(inputs), 2 * np.ones((4, 3)))
            continue
        with pytest.raises(tf.errors.InvalidArgumentError, match="expected shape"):
            compiled(inputs)


def test_a_function_of_arrays_that_is_not_said_to_be_one(teacher, student):
    with pytest.raises(ValueError, match="Pass numpy=True"):
        keras_kd.Distiller(foreign(lambda x: np.asarray(teacher(x)) + 1), student)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"from_logits": None}, "`from_logits` to be True for logits or False"),
        ({"num_classes": 0}, "`num_classes` to be an integer above 0"),
        ({"num_classes": 2.5}, "`num_classes` to be an integer above 0"),
        ({"fingerprint": ""}, "`fingerprint` to be a text"),
        ({"multi_label": True}, "`multi_label` for probabilities only"),
    ],
)
def test_arguments_that_cannot_be_used(options, words):
    with pytest.raises(ValueError, match=f"CallableTeacher: expected {words}"):
        foreign(lambda x: x, **options)
    with pytest.raises(ValueError, match="expected a function"):
        foreign("not a function")


def test_probabilities_said_to_be_logits_are_found_before_training(
    make_model, student, arrays
):
    model = make_model(8)
    distiller = keras_kd.Distiller(foreign(model, from_logits=False), student)
    distiller.compile()
    with pytest.raises(ValueError, match="probabilities from the teacher, because of"):
        distiller.fit(*arrays, verbose=0)


def test_xla_is_refused_where_python_runs_inside_the_step(teacher, student, arrays):
    distiller = keras_kd.Distiller(through_numpy(teacher), student)
    assert not distiller.supports_jit
    with pytest.warns(UserWarning, match="doesn't support `jit_compile=True`"):
        distiller.compile(jit_compile=True)
    with pytest.raises(ValueError, match="jit_compile=False for a teacher that runs"):
        distiller.fit(*arrays, verbose=0)
    distiller.compile()
    assert distiller.fit(*arrays, verbose=0).history["loss"]


def test_layers_of_a_foreign_teacher_are_an_error(teacher, student):
    hint = keras_kd.losses.HintDistillation("hidden", "hidden")
    with pytest.raises(ValueError, match="Only Keras models show their layers"):
        keras_kd.Distiller(foreign(teacher), student, hint)


def test_fingerprints_tell_functions_heads_and_preprocessing_apart():
    prints = [
        foreign(abs).fingerprint,
        foreign(abs, fingerprint="b").fingerprint,
        foreign(abs, from_logits=False).fingerprint,
        foreign(abs, from_logits=False, multi_label=True).fingerprint,
        foreign(abs, preprocessing=abs).fingerprint,
    ]
    assert len(set(prints)) == 5


def test_a_loaded_distiller_knows_its_function_by_the_fingerprint(
    teacher, student, tmp_path
):
    keras_kd.Distiller(foreign(teacher), student).save(tmp_path / "d.keras")
    loaded = keras.models.load_model(tmp_path / "d.keras")
    with pytest.raises(ValueError, match="the teacher with fingerprint"):
        loaded.attach_teacher(foreign(teacher, fingerprint="b"))
    loaded.attach_teacher(foreign(teacher))


def test_saved_model_teaches_like_its_keras_model(teacher, student, arrays, tmp_path):
    teacher.export(tmp_path / "saved", verbose=False)
    saved = SavedModelTeacher(tmp_path / "saved", from_logits=True)
    assert saved.num_classes == 10
    assert_teaches_like(saved, teacher, student, arrays)


@pytest.mark.slow
def test_saved_model_can_be_compiled_by_xla(teacher, student, arrays, tmp_path):
    teacher.export(tmp_path / "saved", verbose=False)
    distiller = keras_kd.Distiller(
        SavedModelTeacher(tmp_path / "saved", from_logits=True), student
    )
    distiller.compile(jit_compile=True)
    assert np.isfinite(distiller.fit(*arrays, verbose=0).history["loss"]).all()


def test_saved_models_fingerprint_is_that_of_its_files(make_model, tmp_path):
    make_model(8).export(tmp_path / "one", verbose=False)
    make_model(8).export(tmp_path / "other", verbose=False)
    shutil.copytree(tmp_path / "one", tmp_path / "copy")
    one, other, copy = (
        SavedModelTeacher(tmp_path / name, from_logits=True).fingerprint
        for name in ("one", "other", "copy")
    )
    assert one == copy
    assert one != other


def write_module(folder):
    """A SavedModel of TensorFlow alone: two inputs, two outputs, float64."""

    class Sums(tf.Module):
        @tf.function(
            input_signature=[
                tf.TensorSpec((None, 2), tf.float64, "a"),
                tf.TensorSpec((None, 2), tf.float64, "b"),
            ]
        )
        def sums(self, a, b):
            return {"sum": a + b, "difference": a - b}

    module = Sums()
    tf.saved_model.save(module, str(folder), signatures={"sums": module.sums})
    return folder


def test_signature_and_output_are_chosen_by_name(tmp_path):
    folder = write_module(tmp_path / "module")
    teacher = SavedModelTeacher(
        folder, from_logits=True, signature="sums", output="difference"
    )
    inputs = {"b": np.float32([[1, 2]]), "a": np.float32([[5, 5]])}
    np.testing.assert_array_equal(teacher(inputs).logits, [[4, 3]])
    with pytest.raises(ValueError, match="inputs named a, b, got no names"):
        teacher([np.float32([[1, 2]]), np.float32([[1, 2]])])
    with pytest.raises(ValueError, match="inputs named a, b, got a, c"):
        teacher({"a": inputs["a"], "c": inputs["a"]})
    with pytest.raises(ValueError, match="`signature` to be one of 'sums'"):
        SavedModelTeacher(folder, from_logits=True)
    with pytest.raises(ValueError, match="`output` to be one of 'difference', 'sum'"):
        SavedModelTeacher(folder, from_logits=True, signature="sums", output="total")
    with pytest.raises(ValueError, match="`output` to be one of"):
        SavedModelTeacher(folder, from_logits=True, signature="sums")


def test_what_is_no_saved_model_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="the folder of a SavedModel, got"):
        SavedModelTeacher(tmp_path, from_logits=True)
    tf.saved_model.save(tf.Module(), str(tmp_path / "bare"))
    with pytest.raises(ValueError, match="a SavedModel with signatures"):
        SavedModelTeacher(tmp_path / "bare", from_logits=True)

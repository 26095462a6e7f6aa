"""What cannot be a chain is one clear error before the first round."""

import keras
import pytest
from keras import layers

import keras_kd
from keras_kd.distiller import born_again, distill_through_assistants


@pytest.fixture
def run(teacher, student, arrays, make_model, tmp_path):
    """A function that runs a chain of three models but for what it is given."""

    def run(**changes):
        arguments = {
            "teacher": teacher,
            "assistants": [make_model(12)],
            "student": student,
            "x": arrays[0],
            "y": arrays[1],
            "folder": tmp_path / "chain",
            "verbose": 0,
        }
        distill_through_assistants(**{**arguments, **changes})

    yield run
    assert not list(tmp_path.glob("chain/*/*")), "a round was begun"


def test_assistant_that_is_not_in_a_list(run, make_model):
    with pytest.raises(ValueError, match=r"assistants=\[model\]"):
        run(assistants=make_model(12))


def test_models_that_are_none_or_not_built(run):
    for model in ("a.keras", keras.Sequential([layers.Dense(10)])):
        with pytest.raises(ValueError, match=r"built keras\.Model"):
            run(assistants=[model])


def test_models_with_common_layers(run, teacher, student):
    for assistant in (teacher, student):
        with pytest.raises(ValueError, match="shares layers with one before it"):
            run(assistants=[assistant])


def test_last_pair_that_does_not_fit_is_found_before_the_first_round(run):
    seven = [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(7)]
    with pytest.raises(ValueError, match="same number"):
        run(student=keras.Sequential(seven))


def test_generator_which_can_be_read_once_only(run, arrays):
    with pytest.raises(ValueError, match="a generator"):
        run(x=(batch for batch in [arrays]), y=None)


@pytest.mark.parametrize("epochs", [0, 1.5, None, True])
def test_number_of_epochs(run, epochs):
    with pytest.raises(ValueError, match="`epochs` to be an integer"):
        run(epochs=epochs)


def test_folder_that_is_a_file(run, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ValueError, match="Choose another folder"):
        run(folder=file)


def test_distiller_that_is_none_of_this_student_or_not_compiled(run, teacher, student):
    for made in (
        lambda t, s: None,
        lambda t, s: keras_kd.Distiller(t, s),
        lambda t, s: keras_kd.Distiller(teacher, student),
    ):
        with pytest.raises(ValueError, match="return a compiled Distiller"):
            run(make_distiller=made)


def test_data_that_cannot_be_used(run, arrays):
    with pytest.raises(ValueError, match="labels from 0 to 9"):
        run(y=arrays[1] + 1)


def test_number_of_generations(make_model, arrays, tmp_path):
    with pytest.raises(ValueError, match="`generations` to be an integer"):
        born_again(None, make_model, 0, *arrays, folder=tmp_path)


@pytest.mark.slow
def test_monitor_that_is_not_logged(teacher, student, arrays, tmp_path):
    options = {"folder": tmp_path, "monitor": "val_acuracy", "verbose": 0}
    with pytest.raises(ValueError, match='Did you mean "val_accuracy"'):
        distill_through_assistants(
            teacher, [], student, *arrays, validation_data=arrays, **options
        )
    options["monitor"] = "val_accuracy"  # nothing is in the way of the right one
    distill_through_assistants(
        teacher, [], student, *arrays, validation_data=arrays, **options
    )

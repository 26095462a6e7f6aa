"""A teacher's answers on disk: how they are computed, and how small they are."""

import json
import re
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_kd.data import Split, random_crop, random_flip
from keras_kd.teachers import (
    CallableTeacher,
    Ensemble,
    FrozenTeacher,
    SoftTargets,
    label,
)
from keras_kd.teachers._labelling import Labelling
from keras_kd.teachers._store import write_shard


def make_data(count, features=4, seed=0):
    """Rows of normal numbers without labels, as a `Split`, and as an array."""
    x = np.random.default_rng(seed).normal(size=(count, features)).astype("float32")
    ids = [f"row {number}" for number in range(count)]
    examples = tf.data.Dataset.from_tensor_slices({"id": ids, "x": x})
    return Split(examples, count), x


def make_linear(num_classes, features=4, seed=0, scale=1.0, activation=None):
    """A teacher whose logits NumPy can compute: `(model, kernel)`."""
    kernel = scale * np.random.default_rng(seed).normal(size=(features, num_classes))
    dense = keras.layers.Dense(num_classes, use_bias=False, activation=activation)
    model = keras.Sequential([keras.Input((features,)), dense])
    model.set_weights([kernel])
    return model, kernel


def stored(soft, data, **options):
    """All soft targets and inputs, in order, as arrays."""
    batches = [x for (x,) in soft.attach(data, labels=False, **options)]
    inputs, logits = (
        [part.numpy() for part in parts]
        for parts in zip(*((x.inputs, x.soft_targets) for x in batches), strict=True)
    )
    return np.concatenate(inputs), np.concatenate(logits)


def truncated(logits, k, temperature=1.0):
    """The k likeliest classes as they are, the rest of the mass spread evenly."""
    p = np.exp((logits - logits.max(axis=-1, keepdims=True)) / temperature)
    p /= p.sum(axis=-1, keepdims=True)
    result = np.empty_like(p)
    for row, probabilities in enumerate(p):
        kept = np.argsort(-probabilities)[:k]
        rest = np.delete(np.arange(len(probabilities)), kept)
        result[row, kept] = probabilities[kept]
        result[row, rest] = probabilities[rest].sum() / len(rest)
    return result


def softmax(logits):
    p = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return p / p.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 1e-3), ("float32", 1e-6)])
def test_all_logits_come_back_as_they_were_but_for_the_rounding(
    tmp_path, dtype, tolerance
):
    data, x = make_data(300)
    teacher, kernel = make_linear(7)
    soft = label(teacher, data, tmp_path / "s", dtype=dtype, batch_size=64)
    inputs, logits = stored(soft, data, batch_size=50)
    np.testing.assert_array_equal(inputs, x)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, x @ kernel, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("temperature", [None, 4.0])
def test_top_k_is_the_truncated_distribution(tmp_path, temperature):
    data, x = make_data(100)
    teacher, kernel = make_linear(50)
    soft = label(
        teacher, data, tmp_path, top_k=3, dtype="float32", temperature=temperature
    )
    _, logits = stored(soft, data)
    at = temperature or 1.0
    np.testing.assert_allclose(
        softmax(logits / at), truncated(x @ kernel, 3, at), rtol=1e-4, atol=1e-7
    )
    top = np.argsort(-(x @ kernel), axis=-1)[:, :3]
    np.testing.assert_allclose(
        np.take_along_axis(logits, top, -1),
        np.take_along_axis(x @ kernel, top, -1),
        rtol=1e-5,
    )


def test_tail_without_a_probability_in_float32_is_finite(tmp_path):
    data, x = make_data(50)
    teacher, kernel = make_linear(20, scale=400.0)
    soft = label(teacher, data, tmp_path, top_k=2)
    _, logits = stored(soft, data)
    z = np.sort(x @ kernel, axis=-1)
    highest = z[:, -3:-2]
    tail = highest[:, 0] + np.log(np.exp(z[:, :-2] - highest).sum(axis=-1) / 18)
    assert (tail < z[:, -1] - 104).any()  # exp of it is 0 in float32
    np.testing.assert_allclose(logits.min(axis=-1), tail, rtol=1e-4)


@pytest.mark.parametrize("num_classes", [5000, 70_000])
def test_class_numbers_are_exact(tmp_path, num_classes):
    """Float16 has no odd numbers above 2048, uint16 none above 65535."""
    data, x = make_data(40)
    teacher, kernel = make_linear(num_classes)
    soft = label(teacher, data, tmp_path, top_k=5)
    _, logits = stored(soft, data)
    top = np.argsort(-(x @ kernel), axis=-1)[:, :5]
    assert top.max() > (2048 if num_classes == 5000 else 65_535)
    assert (top % 2 == 1).any()
    chosen = np.argsort(-logits, axis=-1)[:, :5]
    np.testing.assert_array_equal(np.sort(chosen), np.sort(top))


def test_top_10_of_1000_classes_takes_a_fiftieth_of_float32_logits(tmp_path):
    data, _ = make_data(3000)
    teacher, _ = make_linear(1000)
    label(teacher, data, tmp_path, top_k=10)
    size_bytes = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert size_bytes / 3000 <= 4 * 1000 / 50


def test_records_are_tfrecords_of_the_documented_layout(tmp_path):
    data, x = make_data(10)
    teacher, kernel = make_linear(6)
    label(teacher, data, tmp_path, top_k=2)
    (path,) = tmp_path.glob("shard-*")
    (record,) = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    rows = np.frombuffer(record, np.uint8).reshape(10, 8 + 2 * 2 + 2 * 2 + 4)
    top = np.argsort(-(x @ kernel), axis=-1)[:, :2]
    np.testing.assert_array_equal(rows[:, 12:16].copy().view("<u2"), top)
    np.testing.assert_allclose(
        rows[:, 8:12].copy().view("<f2"),
        np.take_along_axis(x @ kernel, top, -1),
        rtol=1e-3,
    )


def test_manifest_says_what_was_labelled(tmp_path):
    data, _ = make_data(70)
    teacher, _ = make_linear(6)
    label(teacher, data, tmp_path, top_k=2, batch_size=32, shard_size=32)
    manifest = json.loads((tmp_path / "soft_targets.json").read_text())
    assert manifest["teacher"] == FrozenTeacher(teacher).fingerprint
    assert manifest["num_classes"] == 6
    assert manifest["top_k"] == 2
    assert manifest["dtype"] == "float16"
    assert manifest["views"] == 1
    assert manifest["count"] == 70
    assert manifest["versions"]["keras"] == keras.__version__
    assert [shard["count"] for shard in manifest["shards"]] == [32, 32, 6]


def test_any_shard_by_itself_has_the_bytes_of_the_whole_run(digits, teacher, tmp_path):
    options = {
        "views": 2,
        "augment": random_crop(1),
        "batch_size": 32,
        "shard_size": 64,
    }
    label(teacher, digits.validation, tmp_path / "whole", **options)
    labelling = Labelling(teacher, digits.validation, **options)
    plan = labelling.plan
    assert plan.num_shards == 10
    for shard in (9, 4, 0):
        file = tmp_path / "shard"
        write_shard(file, plan, labelling.rows_of(shard))
        whole = tmp_path / "whole" / plan.file_name(shard)
        assert file.read_bytes() == whole.read_bytes()


@pytest.mark.slow
def test_each_view_is_another_crop_of_the_image_and_labelled_as_such(
    digits, teacher, tmp_path
):
    data = digits.validation
    augment = [random_crop(1), random_flip]
    soft = label(teacher, data, tmp_path, views=3, augment=augment, dtype="float32")
    inputs, logits = stored(soft, data, augment=augment, batch_size=90)
    np.testing.assert_allclose(logits, teacher.predict(inputs, verbose=0), atol=1e-4)
    images, views = data.arrays()[0], np.split(inputs, 3)
    for number, view in enumerate(views):
        assert (view != views[number - 1]).any(axis=(1, 2, 3)).mean() > 0.5
        for image, seen in zip(images[:20], view, strict=False):
            padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
            windows = [padded[i : i + 8, j : j + 8] for i in range(3) for j in range(3)]
            windows += [window[:, ::-1] for window in windows]
            assert any((seen == window).all() for window in windows)


@pytest.mark.slow
def test_view_follows_from_the_id_and_not_from_the_place(digits, teacher, tmp_path):
    whole, part = digits.validation, digits.validation.examples.skip(50)
    options = {"augment": random_crop(2)}
    soft = label(teacher, whole, tmp_path / "whole", **options)
    other = label(teacher, part, tmp_path / "part", **options)
    np.testing.assert_array_equal(
        stored(soft, whole, **options)[0][50:], stored(other, part, **options)[0]
    )


def test_softmax_head_gives_its_logits(tmp_path):
    data, x = make_data(50)
    teacher, kernel = make_linear(5, activation="softmax")
    soft = label(teacher, data, tmp_path, dtype="float32")
    assert soft.head.activation == "softmax"
    np.testing.assert_allclose(stored(soft, data)[1], x @ kernel, rtol=1e-4, atol=1e-5)


def test_ensemble_is_its_mean_at_the_temperature(tmp_path):
    data, x = make_data(50)
    (one, first), (two, second) = make_linear(5, seed=1), make_linear(5, seed=2)
    soft = label([one, two], data, tmp_path, temperature=3.0, dtype="float32")
    mean = (softmax(x @ first / 3) + softmax(x @ second / 3)) / 2
    np.testing.assert_allclose(softmax(stored(soft, data)[1] / 3), mean, rtol=1e-4)
    ensemble = Ensemble([one, two], average="logits")
    soft = label(ensemble, data, tmp_path / "logits", dtype="float32")
    mean = (x @ first + x @ second) / 2
    np.testing.assert_allclose(stored(soft, data)[1], mean, rtol=1e-4, atol=1e-5)


def test_inputs_may_be_a_structure(tmp_path):
    x = {"a": np.eye(6, 3, dtype="float32"), "b": np.ones((6, 2), "float32")}
    ids = [str(number) for number in range(6)]
    data = tf.data.Dataset.from_tensor_slices({"id": ids, "x": x})
    inputs = {"a": keras.Input((3,), name="a"), "b": keras.Input((2,), name="b")}
    joined = keras.layers.Concatenate()([inputs["a"], inputs["b"]])
    teacher = keras.Model(inputs, keras.layers.Dense(4)(joined))
    soft = label(teacher, data, tmp_path, dtype="float32")
    ((batch,),) = soft.attach(data, labels=False)
    np.testing.assert_allclose(batch.soft_targets, teacher(x), rtol=1e-5)


def test_data_that_do_not_say_their_number_are_counted(tmp_path):
    data, _ = make_data(33)
    unknown = data.examples.filter(lambda example: True)
    soft = label(make_linear(5)[0], unknown, tmp_path)
    assert soft.count == 33
    assert len(stored(soft, unknown)[0]) == 33


def test_a_complete_store_is_not_computed_again(tmp_path):
    data, _ = make_data(100)
    teacher, _ = make_linear(5)
    label(teacher, data, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    time.sleep(0.01)
    label(teacher, data, tmp_path)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"teacher": make_linear(5, seed=9)[0]}, "teacher="),
        ({"data": make_data(50, seed=9)[0]}, "first_example="),
        ({"data": make_data(49)[0]}, "count=50, got count=49"),
        ({"top_k": 3}, "top_k=2, got top_k=3"),
        ({"dtype": "float32"}, "dtype='float16'"),
        ({"temperature": 2.0}, "temperature=1.0, got temperature=2.0"),
        ({"batch_size": 50}, "batch_size=256, got batch_size=50"),
    ],
    ids=lambda change: "".join(change) if isinstance(change, dict) else "",
)
def test_other_arguments_for_the_same_folder_are_refused(tmp_path, change, message):
    arguments = {"teacher": make_linear(5)[0], "data": make_data(50)[0], "top_k": 2}

    def run(teacher, data, **options):
        return label(teacher, data, tmp_path, **options)

    run(**arguments)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match="choose another folder") as error:
        run(**{**arguments, **change})
    assert message in str(error.value)
    assert before == {path: path.read_bytes() for path in tmp_path.iterdir()}


def flip_row_30(x):
    """NaN for one input, which only the teacher's answers show."""
    return tf.where(x[:, :1] == make_data(50)[1][30, 0], np.nan, x)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top_k": 5}, "top_k below the 5 classes"),
        ({"top_k": 0}, "`top_k` to be an int of at least 1"),
        ({"top_k": True}, "`top_k` to be an int of at least 1"),
        ({"dtype": "bfloat16"}, "Did you mean"),
        ({"views": 2}, "`augment` for several views"),
        ({"views": 1.5}, "`views` to be an int"),
        ({"batch_size": 0}, "`batch_size` to be an int of at least 1"),
        ({"batch_size": 64, "shard_size": 100}, "Choose 128"),
        ({"temperature": 2.0}, "Leave it out"),
        ({"temperature": -1.0, "top_k": 2}, "above 0"),
        ({"augment": random_crop(1)}, "images (height, width, channels)"),
        ({"teacher": "model"}, "a Keras model, a list of them or a Teacher"),
        ({"teacher": make_linear(5, features=3)[0]}, "examples that the teacher takes"),
        ({"teacher": [make_linear(5)[0]] * 2}, "such as temperature=4.0"),
        ({"teacher": make_linear(5, scale=1e6)[0]}, 'Label with dtype="float32"'),
        ({"teacher": make_linear(5, scale=np.nan)[0]}, "finite outputs of the teacher"),
        (
            {"teacher": FrozenTeacher(make_linear(5)[0], preprocessing=flip_row_30)},
            'others for example "row 30"',
        ),
        (
            {"teacher": make_linear(5, activation="sigmoid")[0], "top_k": 2},
            "such labels share no mass",
        ),
        ({"data": [1, 2]}, "examples as dicts of 'id', 'x'"),
        ({"data": make_data(9)[0].examples.batch(3)}, 'a string as "id"'),
        ({"data": make_data(9)[0].examples.repeat()}, "one without end"),
        ({"data": make_data(9)[0].examples.take(0)}, "got none"),
        ({"data": make_data(9)[0].examples.filter(lambda _: False)}, "empty data set"),
        (
            {"data": Split(make_data(9)[0].examples, 10)},
            "10 examples, as many as at first, got 9",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_labelled_is_refused(tmp_path, options, message):
    arguments = {"teacher": make_linear(5)[0], "data": make_data(50)[0], **options}
    teacher, data = arguments.pop("teacher"), arguments.pop("data")
    with pytest.raises(ValueError, match=re.escape(message)):
        label(teacher, data, tmp_path, **arguments)


def test_augmentation_that_ignores_its_seed_is_refused(digits, teacher, tmp_path):
    def noisy(image, seed):
        return image + tf.random.uniform(())

    with pytest.raises(ValueError, match="the same image from `augment`"):
        label(teacher, digits.validation, tmp_path, augment=noisy)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_no_store_is_refused(tmp_path):
    data, teacher = make_data(20)[0], make_linear(5)[0]
    label(teacher, data, tmp_path / "s")
    (tmp_path / "s" / "soft_targets.json").unlink()
    with pytest.raises(ValueError, match="shards without their"):
        label(teacher, data, tmp_path / "s")
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="be able to write"):
        label(teacher, data, tmp_path / "file")
    with pytest.raises(ValueError, match="Make it with"):
        SoftTargets(tmp_path / "nothing")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "soft_targets.json").write_text("{")
    for use in (SoftTargets, lambda path: label(teacher, data, path)):
        with pytest.raises(ValueError, match="of format 1"):
            use(tmp_path / "bad")


def test_progress_shows_rate_and_time_left(tmp_path, capsys):
    label(make_linear(5)[0], make_data(500)[0], tmp_path / "s", progress=True)
    shown = capsys.readouterr().out
    assert "500/500" in shown
    assert "/s" in shown
    label(make_linear(5)[0], make_data(500)[0], tmp_path / "t")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("numpy", [True, False])
def test_function_that_works_in_place_changes_no_array(tmp_path, numpy):
    _, x = make_data(20)
    before = x.copy()
    examples = {"id": [f"row {number}" for number in range(20)], "x": x}
    data = Split(tf.data.Dataset.from_tensor_slices(examples), 20)

    def doubled(inputs):
        inputs *= 2.0
        return inputs

    teacher = CallableTeacher(
        doubled, from_logits=True, num_classes=4, fingerprint="2x", numpy=numpy
    )
    soft = label(teacher, data, tmp_path, dtype="float32", batch_size=8)
    inputs, logits = stored(soft, data)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(inputs, before)
    np.testing.assert_allclose(logits, 2.0 * before, rtol=1e-6)

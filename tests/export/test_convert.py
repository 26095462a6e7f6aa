"""Files that run, say what they are, and appear whole or not at all."""

import hashlib
import json

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.export import (
    PRECISIONS,
    ConversionError,
    LiteRtModel,
    _process,
    convert,
    verify,
)


@pytest.fixture(scope="module")
def model(digits):
    """A student that knows digits well enough to be scored."""
    from keras_kd.students import convnet

    keras.utils.set_random_seed(0)
    student = convnet((8, 8, 1), 10, width=8)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    student.compile(keras.optimizers.Adam(0.01), loss)
    student.fit(digits.train.batches(32, shuffle_seed=0), epochs=8, verbose=0)
    return student


@pytest.fixture(scope="module")
def files(model, digits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    manifests = {}
    for precision in PRECISIONS:
        manifests[precision] = convert(
            model,
            folder / f"{precision}.tflite",
            precision=precision,
            calibration_data=digits.train,
            labels=digits.class_names,
        )
    return folder, manifests


@pytest.mark.parametrize("precision", PRECISIONS)
def test_file_is_as_accurate_as_its_keras_model(files, model, digits, precision):
    folder, _ = files
    result = verify(folder / f"{precision}.tflite", model, digits.test)
    assert result.examples == len(digits.test)
    # Four bits cost what only quantisation-aware training gives back.
    may_lose = 0.06 if precision == "int4_weights" else 0.01
    assert result.accuracy >= result.keras_accuracy - may_lose
    assert result.accuracy_ci95[0] < result.accuracy < result.accuracy_ci95[1]
    assert result.keras_agreement > 0.98 - may_lose
    largest = {"float32": 1e-4, "float16": 0.1}.get(precision, 5.0)
    assert result.max_abs_error < largest


def test_verify_counts_what_a_loop_counts(files, model, digits):
    folder, _ = files
    x, y = digits.test.arrays()
    run = LiteRtModel(folder / "int8.tflite")
    chosen = np.array([run(x[row : row + 1])[0].argmax() for row in range(200)])
    theirs = model.predict(x[:200], verbose=0).argmax(axis=-1)
    result = verify(folder / "int8.tflite", model, (x[:200], y[:200]))
    assert result.accuracy == pytest.approx(np.mean(chosen == y[:200]))
    assert result.keras_agreement == pytest.approx(np.mean(chosen == theirs))
    assert verify(folder / "int8.tflite", model, digits.test.batches(100)) == verify(
        folder / "int8.tflite", model, (x, np.eye(10)[y])
    )


@pytest.mark.parametrize("precision", PRECISIONS)
def test_manifest_says_what_the_file_is(files, model, precision):
    folder, manifests = files
    manifest = json.loads((folder / f"{precision}.json").read_text())
    content = (folder / f"{precision}.tflite").read_bytes()
    assert manifest["sha256"] == hashlib.sha256(content).hexdigest()
    assert manifest["size_bytes"] == len(content) == manifests[precision].size_bytes
    assert manifest["labels"] == [str(digit) for digit in range(10)]
    assert manifest["input"]["shape"] == [1, 8, 8, 1]
    assert manifest["input_range"] == [0.0, 1.0]
    assert manifest["output_kind"] == "logits"
    assert manifest["params"] == model.count_params()
    assert not [op for op in manifest["ops"] if op.startswith("CUSTOM")]
    assert manifest["ops"]["CONV_2D"] == 4
    dtype = {"int8": "int8", "int16x8": "int16"}.get(precision, "float32")
    assert manifest["input"]["dtype"] == manifest["output"]["dtype"] == dtype
    assert (manifest["input"]["scale"] is not None) == (dtype != "float32")
    assert (manifest["input"]["name"], manifest["output"]["name"]) == (
        "image",
        "logits",
    )


def test_smaller_precisions_make_smaller_files(files):
    _, manifests = files
    falling = ("float32", "float16", "dynamic_int8", "int4_weights")
    sizes = [manifests[precision].size_bytes for precision in falling]
    assert sizes == sorted(sizes, reverse=True)
    assert manifests["int8"].size_bytes < manifests["float16"].size_bytes


def test_softmax_head_and_subclassed_models_convert(tmp_path):
    class Small(keras.Model):
        def __init__(self):
            super().__init__()
            self.head = layers.Dense(3, activation="softmax")

        def call(self, inputs):
            return self.head(inputs)

    x = np.random.default_rng(0).normal(size=(20, 4)).astype("float32")
    functional = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, activation="softmax")]
    )
    path = tmp_path / "m.tflite"
    assert convert(functional, path, precision="float32").output_kind == "softmax"
    subclassed = Small()
    subclassed(x)
    convert(subclassed, path, precision="int8", calibration_data=x)
    np.testing.assert_allclose(LiteRtModel(path)(x), subclassed(x), atol=0.05)


def leftovers(folder):
    return sorted(path.name for path in folder.iterdir())


def test_operation_that_tflite_lacks_is_named_and_leaves_nothing(tmp_path):
    layer = layers.Dense(3, activation=keras.ops.erf, name="odd")
    model = keras.Sequential([keras.Input((8,)), layer])
    with pytest.raises(ConversionError, match=r"no builtin operation for Erf.*odd"):
        convert(model, tmp_path / "m.tflite", precision="float32")
    assert leftovers(tmp_path) == []


@pytest.mark.slow
def test_crash_of_the_converter_is_an_error_and_leaves_nothing(tmp_path):
    model = keras.Sequential([keras.Input((8, 8)), layers.LSTM(4), layers.Dense(3)])
    data = np.random.default_rng(0).random((5, 8, 8), dtype="float32")
    with pytest.raises(ConversionError, match=r"crashed with signal.*unroll=True"):
        convert(model, tmp_path / "m.tflite", precision="int8", calibration_data=data)
    assert leftovers(tmp_path) == []


def test_interrupt_keeps_the_old_files(model, tmp_path, monkeypatch):
    for name in ("m.tflite", "m.json"):
        (tmp_path / name).write_bytes(b"old")

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(_process, "do_job", interrupted)
    with pytest.raises(KeyboardInterrupt):
        convert(model, tmp_path / "m.tflite", precision="float32")
    assert leftovers(tmp_path) == ["m.json", "m.tflite"]
    assert (tmp_path / "m.tflite").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"precision": "int4"}, "Did you mean"),
        ({"precision": "int8"}, "calibration_data for int8"),
        (
            {"precision": "int8", "calibration_data": np.zeros((4, 8, 8))},
            r"shape \(n, 8, 8, 1\), got \(4, 8, 8\)",
        ),
        (
            {"precision": "int8", "calibration_data": np.full((4, 8, 8, 1), np.nan)},
            "finite calibration_data",
        ),
        (
            {"precision": "int8", "calibration_data": np.zeros((0, 8, 8, 1))},
            "calibration_data for int8",
        ),
        ({"path": "missing/m.tflite"}, "mkdir -p"),
        ({"path": "/proc/m.tflite"}, "can be written"),
        ({"path": "m.lite"}, "Add the ending"),
        ({"path": "."}, "Add the ending"),
        ({"labels": ["cat", "dog"]}, "10 labels, one for each output"),
        ({"calibration_data": ["text"]}, "array of inputs"),
        ({"model": "m.keras"}, "Load it with load_model"),
    ],
)
def test_unusable_arguments_say_what_to_do(
    model, changes, message, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    arguments = {"model": model, "path": "m.tflite", "precision": "float32"} | changes
    with pytest.raises(ValueError, match=message):
        convert(arguments.pop("model"), arguments.pop("path"), **arguments)
    assert leftovers(tmp_path) == []


def test_mixed_precision_model_is_exported_in_float32(tmp_path):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        stack = [keras.Input((8, 8, 1)), layers.Conv2D(4, 3), layers.Flatten()]
        model = keras.Sequential([*stack, layers.Dense(3)])
    finally:
        keras.config.set_dtype_policy("float32")
    convert(model, tmp_path / "m.tflite", precision="float32")
    x = np.random.default_rng(0).random((4, 8, 8, 1), dtype="float32")
    np.testing.assert_allclose(
        LiteRtModel(tmp_path / "m.tflite")(x), model(x), atol=0.01
    )


@pytest.mark.slow
def test_calibration_takes_tf_data_with_and_without_labels(model, digits, tmp_path):
    path = tmp_path / "m.tflite"
    sizes = set()
    for data in (
        digits.validation.batches(32),
        digits.validation.batches(32, labels=False),
        digits.validation,
        digits.validation.arrays()[0],
    ):
        sizes.add(convert(model, path, precision="int8", calibration_data=data).sha256)
    assert len(sizes) == 1


@pytest.mark.slow
def test_yes_or_no_heads_are_scored_by_their_threshold(digits, tmp_path):
    x, y = digits.test.arrays()
    labels = (y > 4).astype("int64")
    for activation, threshold in ((None, 0.0), ("sigmoid", 0.5)):
        head = layers.Dense(1, activation=activation)
        model = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), head])
        convert(model, tmp_path / "m.tflite", precision="float32")
        scores = model.predict(x, verbose=0)[:, 0]
        result = verify(tmp_path / "m.tflite", model, (x, labels))
        expected = np.mean((scores > threshold) == labels)
        assert result.accuracy == pytest.approx(expected, abs=0.01)
        assert 0.1 < result.accuracy < 0.9
        assert result.keras_agreement > 0.99


def test_model_that_tensorflow_cannot_trace_is_named_and_leaves_nothing(tmp_path):
    spaced = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="my layer")])
    with pytest.raises(ConversionError, match=r"traced by TensorFlow.*'my layer'"):
        convert(spaced, tmp_path / "m.tflite", precision="float32")
    assert leftovers(tmp_path) == []


def test_models_that_cannot_be_exported_say_what_to_do(tmp_path):
    path = tmp_path / "m.tflite"
    open_shape = keras.Sequential(
        [keras.Input((None, None, 1)), layers.GlobalAveragePooling2D()]
    )
    with pytest.raises(ValueError, match="one input of fixed shape"):
        convert(open_shape, path, precision="float32")
    broken = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    broken.layers[0].kernel.assign([[np.nan], [1.0]])
    with pytest.raises(ValueError, match="finite weights"):
        convert(broken, path, precision="float32")
    broken.layers[0].kernel.assign([[1e6], [1.0]])
    with pytest.raises(ValueError, match=r"float16 can hold.*1e\+06"):
        convert(broken, path, precision="float16")


def test_verify_refuses_what_does_not_fit(files, model, tmp_path):
    folder, _ = files
    file = folder / "float32.tflite"
    with pytest.raises(ValueError, match=r"shape \(None, 8, 8, 1\)"):
        verify(file, model, (np.zeros((4, 5)), np.zeros(4, int)))
    with pytest.raises(ValueError, match="one class for each example"):
        verify(file, model, (np.zeros((4, 8, 8, 1)), np.ones((4, 10))))
    with pytest.raises(ValueError, match="labelled examples"):
        verify(file, model, (np.zeros((0, 8, 8, 1)), np.zeros(0, int)))
    other = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(3)]
    )
    with pytest.raises(ValueError, match="model the file was made from"):
        verify(file, other, (np.zeros((4, 8, 8, 1)), np.zeros(4, int)))
    (tmp_path / "no.tflite").write_bytes(b"not a model")
    for path in (tmp_path / "no.tflite", tmp_path / "missing.tflite"):
        with pytest.raises(ValueError, match=r"keras_kd.export.convert"):
            verify(path, model, (np.zeros((4, 8, 8, 1)), np.zeros(4, int)))

"""Quantisation-aware students train like any other, and end as files that agree."""

import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_kd
from keras_kd.export import LiteRtModel, convert, inspect, quantization_aware, verify
from keras_kd.losses import HintDistillation, suggest_layers
from keras_kd.outputs import find_head
from keras_kd.students import convnet


@pytest.fixture(scope="module")
def teacher(digits):
    keras.utils.set_random_seed(0)
    model = convnet((8, 8, 1), 10, width=16)
    _fit(model, digits, epochs=12, rate=3e-3)
    return model


@pytest.fixture(scope="module")
def student(digits, teacher):
    keras.utils.set_random_seed(1)
    model = convnet((8, 8, 1), 10, width=6)
    _distil(teacher, model, digits, epochs=12, rate=3e-3)
    return model


def _fit(model, digits, *, epochs, rate):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss)
    batches = digits.train.batches(64, shuffle_seed=0)
    model.fit(batches, epochs=epochs, verbose=0, shuffle=False)


def _distil(teacher, model, digits, *, epochs, rate, **options):
    distiller = keras_kd.Distiller(teacher, model, **options)
    distiller.compile(keras.optimizers.Adam(rate))
    batches = digits.train.batches(64, shuffle_seed=0)
    distiller.fit(batches, epochs=epochs, verbose=0, shuffle=False)
    return distiller


def _accuracy(model, digits):
    x, y = digits.test.arrays()
    return float(np.mean(np.asarray(model(x)).argmax(axis=-1) == y))


@pytest.fixture(scope="module")
def trained(student, teacher, digits, tmp_path_factory):
    """Quantisation-aware models by precision, each with its file."""
    folder = tmp_path_factory.mktemp("trained")
    result = {}
    for precision, bits in (("int8", 8), ("int4_weights", 4)):
        model = quantization_aware(student, weights_bits=bits)
        _distil(teacher, model, digits, epochs=5, rate=1e-3)
        path = folder / f"{precision}.tflite"
        convert(model, path, precision=precision)
        result[precision] = model, path
    return result


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["int8", "int4_weights"])
def test_file_agrees_with_the_model_that_was_trained(trained, digits, precision):
    model, path = trained[precision]
    result = verify(path, model, digits.test)
    # LiteRT rounds twice where it scales sums, which shows with the coarser of the two.
    assert result.keras_agreement >= {"int8": 0.995, "int4_weights": 0.99}[precision]
    assert result.accuracy >= result.keras_accuracy - 0.01


@pytest.mark.slow
def test_training_gives_back_what_four_bits_cost(trained, student, digits, tmp_path):
    hurt = quantization_aware(student, weights_bits=4)
    hurt(digits.train.arrays()[0], training=True)
    path = tmp_path / "student.tflite"
    convert(hurt, path, precision="int4_weights")
    before = _accuracy(LiteRtModel(path), digits)
    after = _accuracy(LiteRtModel(trained["int4_weights"][1]), digits)
    assert before < after - 0.01
    assert after >= _accuracy(student, digits) - 0.01


@pytest.mark.slow
def test_scales_in_the_file_are_the_trained_ranges(trained):
    model, path = trained["int8"]
    low, high = model.get_layer("image_range").bounds
    found = inspect(path)
    assert found.inputs[0].scale == pytest.approx((high - low) / 255, rel=1e-5)
    by_layer = {one.layer: one for one in found.operations}
    for name in ("block_1", "block_2", "features", "logits"):
        low, high = model.get_layer(name).output_range.bounds
        (output,) = by_layer[name].outputs
        assert output.scale == pytest.approx((high - low) / 255, rel=1e-5)
        assert output.zero_point == pytest.approx(-128 - low / output.scale, abs=0.6)


@pytest.mark.slow
def test_four_bit_weights_take_less_room_than_eight(trained):
    sizes = {name: inspect(path).weight_bytes for name, (_, path) in trained.items()}
    assert sizes["int4_weights"] < 0.7 * sizes["int8"]


@pytest.mark.slow
def test_model_comes_back_from_its_file(trained, digits, tmp_path):
    model, _ = trained["int4_weights"]
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    x = digits.test.arrays()[0][:50]
    np.testing.assert_array_equal(loaded(x), model(x))
    convert(loaded, tmp_path / "a.tflite", precision="int4_weights")
    np.testing.assert_array_equal(
        LiteRtModel(tmp_path / "a.tflite")(x),
        LiteRtModel(trained["int4_weights"][1])(x),
    )


@pytest.mark.slow
def test_distiller_comes_back_with_its_quantised_student(
    student, teacher, digits, tmp_path
):
    model = quantization_aware(student)
    distiller = _distil(teacher, model, digits, epochs=1, rate=1e-3)
    distiller.save(tmp_path / "distiller.keras")
    loaded = keras.models.load_model(tmp_path / "distiller.keras")
    x = digits.test.arrays()[0][:50]
    np.testing.assert_array_equal(loaded.student(x), model(x))


@pytest.mark.slow
@pytest.mark.parametrize(
    "imports", ["import keras_kd, keras", "import keras, keras_kd"]
)
def test_any_order_of_imports_finds_the_classes(trained, imports, tmp_path):
    model, _ = trained["int8"]
    model.save(tmp_path / "model.keras")
    program = f"{imports}; keras.models.load_model({str(tmp_path / 'model.keras')!r})"
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


@pytest.mark.slow
def test_losses_and_heads_find_their_layers(student, teacher, digits):
    model = quantization_aware(student)
    pairs = suggest_layers(teacher, model)
    assert [pair.student_layer for pair in pairs] == ["block_1", "block_2"]
    assert find_head(model) == find_head(student)
    loss = HintDistillation("block_2", "block_2")
    _distil(teacher, model, digits, epochs=1, rate=1e-3, distillation_losses=[loss])
    assert model.get_layer("block_2").output_range.is_set


@pytest.mark.slow
def test_ranges_are_no_stages_to_distil(teacher):
    halved = keras.Sequential(
        [
            keras.Input((8, 8, 1), name="image"),
            keras.layers.Conv2D(4, 3, strides=2, padding="same", name="conv"),
        ]
    )
    (pair,) = suggest_layers(teacher, quantization_aware(halved))
    assert pair.student_layer == "conv"


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [{"jit_compile": True}, {"steps_per_execution": 3}, {"run_eagerly": True}],
    ids=str,
)
def test_every_way_to_run_a_step_gives_the_same_weights(
    student, teacher, arrays, options
):
    start = quantization_aware(student).trainable_variables
    weights = []
    for way in ({"jit_compile": False}, options):
        model = quantization_aware(student)
        distiller = keras_kd.Distiller(teacher, model)
        distiller.compile(keras.optimizers.SGD(0.01), **way)
        distiller.fit(*arrays, batch_size=64, verbose=0, shuffle=False)
        weights.append(model.trainable_variables)
    for before, one, other in zip(start, *weights, strict=True):
        moved = np.linalg.norm(np.asarray(one) - np.asarray(before))
        # A value in the middle of two levels may go either way.
        difference = np.linalg.norm(np.asarray(one) - np.asarray(other))
        assert difference <= 0.05 * moved + 1e-6


@pytest.mark.slow
def test_two_replicas_train_and_convert(
    student, teacher, arrays, two_replicas, tmp_path
):
    with two_replicas.scope():
        model = quantization_aware(keras.models.clone_model(student))
        distiller = keras_kd.Distiller(keras.models.clone_model(teacher), model)
        distiller.compile(keras.optimizers.SGD(0.01))
    distiller.fit(*arrays, batch_size=64, verbose=0)
    convert(model, tmp_path / "student.tflite", precision="int8")
    assert model.get_layer("block_1").output_range.is_set


@pytest.mark.slow
def test_mixed_precision_student_becomes_a_float32_one(arrays, tmp_path):
    policy = keras.mixed_precision.dtype_policy()
    try:
        keras.mixed_precision.set_global_policy("mixed_float16")
        student = convnet((8, 8, 1), 10, width=4)
        model = quantization_aware(student)
        model(arrays[0], training=True)
        assert model(arrays[0]).dtype == "float32"
    finally:
        keras.mixed_precision.set_global_policy(policy)
    assert {layer.compute_dtype for layer in model.layers[1:]} == {"float32"}
    convert(model, tmp_path / "student.tflite", precision="int8")

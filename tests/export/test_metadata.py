"""What a file says about itself, read by programs that are not ours."""

import zipfile

import flatbuffers
import keras
import mediapipe
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from keras import layers
from mediapipe.tasks.python import BaseOptions, vision

from keras_kd.export import PRECISIONS, convert
from keras_kd.export.metadata import read_description

LABELS = ["Känguru", "<b>cat</b>", "dog, small"]


@pytest.fixture(scope="module")
def model():
    """Tells red, green and blue pictures apart."""
    stack = [keras.Input((16, 16, 3)), layers.GlobalAveragePooling2D()]
    head = layers.Dense(3, kernel_initializer="identity")
    model = keras.Sequential([*stack, head])
    model.layers[-1].kernel.assign(np.eye(3) * 5)
    return model


@pytest.fixture(scope="module")
def pictures():
    colours = np.random.default_rng(0).integers(0, 256, (50, 1, 1, 3), dtype="uint8")
    return np.tile(colours, (1, 16, 16, 1))


def export(model, path, pictures, **options):
    return convert(
        model, path, labels=LABELS, calibration_data=pictures / 255.0, **options
    )


@pytest.mark.parametrize(
    "options",
    [
        {"precision": "float32", "output": "probabilities"},
        {"precision": "float32", "fold_normalization": False},
        {"precision": "dynamic_int8"},
        {"precision": "int8", "float_io": True},
    ],
    ids=str,
)
def test_mediapipe_classifies_pixels_with_our_labels(
    model, pictures, options, tmp_path
):
    path = tmp_path / "m.tflite"
    export(model, path, pictures, normalization=(0, 255), **options)
    shades = [np.zeros((16, 16, 3), "uint8") for _ in LABELS]
    for channel, picture in enumerate(shades):
        picture[..., channel] = 200
    base = BaseOptions(model_asset_path=str(path))
    with vision.ImageClassifier.create_from_options(
        vision.ImageClassifierOptions(base_options=base, max_results=1)
    ) as classifier:
        results = [
            classifier.classify(
                mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=picture)
            )
            for picture in shades
        ]
    best = [result.classifications[0].categories[0] for result in results]
    assert [category.category_name for category in best] == LABELS
    if options.get("output") == "probabilities":
        powers = np.exp(np.array([200 / 255 * 5, 0.0, 0.0]))
        assert best[0].score == pytest.approx(powers[0] / powers.sum(), abs=1e-5)
    else:
        assert best[0].score == pytest.approx(200 / 255 * 5, rel=0.02)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_buffers_lie_where_the_schema_wants_them(model, pictures, precision, tmp_path):
    path = tmp_path / "m.tflite"
    export(model, path, pictures, precision=precision)
    content = path.read_bytes()
    file = schema.Model.GetRootAs(content)
    buffers = [file.Buffers(index) for index in range(file.BuffersLength())]
    vectors = [buffer._tab.Vector(buffer._tab.Offset(4)) for buffer in buffers]
    used = [
        start
        for start, buffer in zip(vectors, buffers, strict=True)
        if buffer.DataLength()
    ]
    assert len(used) >= 3
    assert {start % 16 for start in used} == {0}


def test_labels_are_a_text_file_in_the_file(model, pictures, tmp_path):
    path = tmp_path / "m.tflite"
    manifest = export(model, path, pictures, precision="float32")
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["labels.txt"]
        assert archive.read("labels.txt").decode().split("\n") == LABELS
    assert manifest.labels == tuple(LABELS)


def test_signature_has_names_that_tell(tmp_path):
    named = keras.Sequential([keras.Input((4,), name="sensor"), layers.Dense(3)])
    plain = keras.Sequential([keras.Input((4,)), layers.Dense(3, "softmax")])
    path = tmp_path / "m.tflite"
    for model, given, gives in (
        (named, "sensor", "logits"),
        (plain, "input", "probabilities"),
    ):
        convert(model, path, precision="float32")
        signatures = Interpreter(str(path)).get_signature_list()
        assert signatures == {
            "serving_default": {"inputs": [given], "outputs": [gives]}
        }
        run = Interpreter(str(path)).get_signature_runner("serving_default")
        assert run(**{given: np.zeros((1, 4), "float32")})[gives].shape == (1, 3)


@pytest.mark.slow
def test_same_model_gives_the_same_file(model, pictures, tmp_path):
    for precision in ("float32", "int8", "int4_weights"):
        first = export(model, tmp_path / "a.tflite", pictures, precision=precision)
        again = export(model, tmp_path / "b.tflite", pictures, precision=precision)
        assert first.sha256 == again.sha256


def test_description_of_a_file_that_is_not_ours_is_none(model, pictures, tmp_path):
    path = tmp_path / "m.tflite"
    export(model, path, pictures, precision="float32")
    assert read_description(path).output_kind == "logits"
    file = schema.ModelT.InitFromPackedBuf(bytearray(path.read_bytes()), 0)
    file.metadata = None
    builder = flatbuffers.Builder(1024)
    builder.Finish(file.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    assert read_description(path) is None


@pytest.mark.parametrize("labels", [["a", "b\nc", "d"], ["a", "", "d"]])
def test_labels_that_do_not_fit_a_line_are_refused(model, labels, tmp_path):
    with pytest.raises(ValueError, match="labels of one line each"):
        convert(model, tmp_path / "m.tflite", precision="float32", labels=labels)

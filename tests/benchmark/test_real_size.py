"""Files of 4, 14 and 50 MB on the targets of this machine."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from keras_kd.benchmark import measure, write_golden
from keras_kd.export import LiteRtModel, inspect
from keras_kd.outputs.litert import quantise
from tests.programs import needs
from tests.real_size import CLASSES


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_golden_file_holds_every_byte_of_photos_and_classes(
    mobilenet_file, images, tmp_path, precision
):
    path = mobilenet_file(precision)
    outputs = write_golden(tmp_path / "golden", path, images[0][:5])
    number_bytes = {"float32": 4, "int8": 1}[precision]
    size = 24 + 5 * number_bytes * (96 * 96 * 3 + CLASSES)
    assert (tmp_path / "golden").stat().st_size == size
    chosen = LiteRtModel(path)(images[0][:5]).argmax(-1)
    np.testing.assert_array_equal(outputs.argmax(-1), chosen)


@pytest.mark.slow
@pytest.mark.parametrize(
    "target", ["host", pytest.param("linux", marks=needs("gcc", "make"))]
)
def test_mobilenet_answers_as_keras_does(mobilenet_file, mobilenet_v2, images, target):
    x = images[0][:4]
    path = mobilenet_file("float32")
    found = measure(path, target=target, examples=x, runs=5, warmup=1)
    expected = mobilenet_v2.predict(x, verbose=0)
    np.testing.assert_allclose(found.outputs, expected, atol=0.01)
    assert found.peak_memory_bytes > path.stat().st_size
    # 56 million multiplications: no processor of today does that in a tenth.
    assert 0.1 < found.min_ms <= found.p50_ms <= found.p99_ms


@pytest.mark.slow
def test_memory_of_a_file_of_50_mb_is_not_several_times_the_file(dense_file):
    path = dense_file("float32")
    found = measure(path, runs=3, warmup=0)
    size = path.stat().st_size
    assert size > 50e6
    assert size < found.peak_memory_bytes < 5 * size


def by_reference(path, examples):
    """What the kernels answer that TensorFlow Lite Micro has, in LiteRT."""
    interpreter = Interpreter(
        str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    [input_], [output] = (
        interpreter.get_input_details(),
        interpreter.get_output_details(),
    )
    answers = []
    for one in quantise(examples, input_):
        interpreter.set_tensor(input_["index"], one[None])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(output["index"])[0])
    return np.stack(answers)


@pytest.mark.slow
def test_mobilenet_in_tflm_answers_as_here_in_the_arena_that_was_foretold(
    mobilenet_file, images
):
    path = mobilenet_file("int8")
    enough = inspect(path).micro_arena_bytes
    found = measure(path, target=f"microcontroller:{enough}", examples=images[0][:2])
    assert enough / 2 < found.arena_bytes <= enough
    np.testing.assert_array_equal(found.outputs, by_reference(path, images[0][:2]))
    assert found.flash_bytes > path.stat().st_size

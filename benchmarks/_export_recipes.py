"""Ways to make a .tflite file of each precision: those taken and those left."""

import contextlib
import io
import re

import keras
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer import quantizer, recipe
from ai_edge_quantizer.algorithm_manager import AlgorithmName
from ai_edge_quantizer.qtyping import TFLOperationName as Operation
from ai_edge_quantizer.recipe_manager import RecipeManager


def dynamic_by_converter(model, _, __):
    """The converter's own rule: tensors of 1,024 weights and more."""
    converter = tf.lite.TFLiteConverter.from_keras_model(_batch_of_one(model))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return _quietly(converter.convert)


def dynamic_everywhere(_, content, __):
    """Every operation with int8 weights and float activations."""
    return _quantise(content, recipe.dynamic_wi8_afp32())


def weights_in_int8(_, content, __):
    """Weights turned to float before each operation."""
    return _quantise(content, recipe.weight_only_wi8_afp32())


def static_int8(_, content, examples):
    """The quantizer's own int8, from ranges of the same examples."""
    return _quantise(content, recipe.static_wi8_ai8(), examples)


def static_int16(_, content, examples):
    """The quantizer's own int8 weights with int16 activations."""
    return _quantise(content, recipe.static_wi8_ai16(), examples)


def int4_everywhere(algorithm):
    """4-bit weights in every operation that can have them."""

    def make(_, content, __):
        return _quantise(content, recipe.dynamic_wi4_afp32(algorithm_key=algorithm))

    return make


def int4_in_dense_layers(_, content, __):
    """4-bit weights in dense layers, 8-bit ones elsewhere."""
    manager = RecipeManager()
    manager.add_dynamic_config(".*", Operation.ALL_SUPPORTED, num_bits=8)
    manager.add_dynamic_config(
        ".*", Operation.FULLY_CONNECTED, num_bits=4, algorithm_key=AlgorithmName.MSE
    )
    return _quantise(content, manager.get_quantization_recipe())


def int4_but_first(algorithm):
    """4-bit weights but in the first convolution and in depthwise ones."""

    def make(_, content, __):
        manager = RecipeManager()
        manager.add_dynamic_config(".*", Operation.ALL_SUPPORTED, num_bits=8)
        manager.add_weight_only_config(".*", Operation.DEPTHWISE_CONV_2D, num_bits=8)
        for operation in (Operation.FULLY_CONNECTED, Operation.CONV_2D):
            manager.add_dynamic_config(
                ".*", operation, num_bits=4, algorithm_key=algorithm
            )
        manager.add_weight_only_config(
            _first_output(content), Operation.CONV_2D, num_bits=8
        )
        return _quantise(content, manager.get_quantization_recipe())

    return make


# By precision, those that `keras_kd.export.convert` does not take. A function of the
# Keras model, the float32 file and calibration examples gives the content of a file.
OTHERS = {
    "dynamic_int8": {
        "converter": dynamic_by_converter,
        "quantizer, dynamic everywhere": dynamic_everywhere,
        "quantizer, weights only": weights_in_int8,
    },
    "int8": {"quantizer": static_int8},
    "int16x8": {"quantizer": static_int16},
    "int4_weights": {
        "everywhere, min-max": int4_everywhere(AlgorithmName.MIN_MAX_UNIFORM_QUANT),
        "everywhere, MSE": int4_everywhere(AlgorithmName.MSE),
        "everywhere, OCTAV": int4_everywhere(AlgorithmName.OCTAV),
        "first and depthwise int8, MSE": int4_but_first(AlgorithmName.MSE),
        "int4 in dense layers only, MSE": int4_in_dense_layers,
    },
}
TAKEN = {
    "float32": "converter",
    "float16": "converter",
    "dynamic_int8": "quantizer, depthwise weights only",
    "int8": "converter",
    "int16x8": "converter",
    "int4_weights": "first and depthwise int8, OCTAV",
}


def _batch_of_one(model):
    inputs = keras.Input(batch_shape=(1, *model.input_shape[1:]))
    return keras.Model(inputs, model(inputs))


def _first_output(content):
    """A pattern of the output of the first operation."""
    graph = schema.ModelT.InitFromPackedBuf(bytearray(content), 0).subgraphs[0]
    return re.escape(graph.tensors[graph.operators[0].outputs[0]].name.decode())


def _quantise(content, steps, examples=None):
    made = quantizer.Quantizer(content, steps)
    ranges = None
    if examples is not None:
        [(key, names)] = Interpreter(model_content=content).get_signature_list().items()
        name = names["inputs"][0]
        ranges = made.calibrate({key: [{name: one[None]} for one in examples]})
    result = _quietly(lambda: made.quantize(ranges, enable_progress_report=False))
    return bytes(result.quantized_model)


def _quietly(function):
    # The quantizer reports its progress on stdout.
    with contextlib.redirect_stdout(io.StringIO()):
        return function()

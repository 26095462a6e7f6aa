"""Which layers of a student to compare with which of its teacher."""

import math
from dataclasses import dataclass

import keras
from keras import layers

from keras_kd._checks import invalid
from keras_kd.outputs import layer_paths, layer_shapes

# They make no map of their own, but bring one to the size that the next stage needs.
_RESIZING = (layers.Cropping2D, layers.ZeroPadding2D)


@dataclass(frozen=True)
class LayerPair:
    """A layer of the teacher and the student's layer of the same stage.

    Attributes:
        teacher_layer: str, a path such as "backbone/block_6".
        student_layer: str, a path.
        teacher_shape: tuple, the shape of the layer's output, `(None, height, width,
            channels)` for images.
        student_shape: tuple.

    Example:
        >>> LayerPair("a", "b", (None, 4, 4, 8), (None, 4, 4, 2)).student_layer
        'b'
    """

    teacher_layer: str
    student_layer: str
    teacher_shape: tuple[int | None, ...]
    student_shape: tuple[int | None, ...]


def suggest_layers(teacher: keras.Model, student: keras.Model) -> list[LayerPair]:
    """Pairs the stages of two models by how often they halved their input.

    A stage ends at the last layer of its resolution, where its features are most
    abstract. Resolutions count relative to each model's input, so that the models may
    take images of different sizes; halvings are rounded, so that 28 -> 4 (a padded
    model) and 32 -> 4 are the same stage. Sequences and tokens count alike: a
    transformer, which shortens nothing, is one stage.

    Args:
        teacher: Functional or Sequential, with one input, channels last. Models inside
            it may be of any kind.
        student: the same.

    Returns:
        A list of `LayerPair`, from the finest resolution to the coarsest; empty if the
        models have no stage in common. Passed over are layers whose output size is not
        fixed, that run more than once or give several tensors; maps of one position;
        and all that comes before the first weights.

    Raises:
        ValueError: A model is subclassed, not built, or has several inputs.

    Example:
        >>> from keras_kd.students import convnet
        >>> teacher = convnet((32, 32, 3), 10, width=16)
        >>> student = convnet((16, 16, 3), 10, width=4)
        >>> for pair in suggest_layers(teacher, student):
        ...     print(pair.teacher_layer, pair.teacher_shape, pair.student_shape)
        block_1 (None, 32, 32, 16) (None, 16, 16, 4)
        block_2 (None, 16, 16, 32) (None, 8, 8, 8)
    """
    teacher_stages, student_stages = _stages(teacher), _stages(student)
    return [
        LayerPair(
            teacher_layer=teacher_stages[stage][0],
            student_layer=student_stages[stage][0],
            teacher_shape=teacher_stages[stage][1],
            student_shape=student_stages[stage][1],
        )
        for stage in sorted(teacher_stages)
        if stage in student_stages
    ]


def _stages(model):
    """The last path and shape of each resolution, by its number of halvings."""
    input_shape, shapes = _run_shapes(model)
    paths = layer_paths(model)
    stages, has_weights = {}, False
    for path, shape in shapes.items():
        layer = paths[path]
        has_weights |= _has_kernel(layer) and not isinstance(
            layer, layers.Normalization
        )
        if has_weights and _ends_a_stage(layer) and _is_map(shape, input_shape):
            stages[_halvings(input_shape, shape)] = path, shape
    return stages


def _has_kernel(layer):
    # Numbers alone are what is known of a range, in a student with fake quantisation.
    return any(len(weight.shape) for weight in layer.weights)


def _ends_a_stage(layer):
    # The output of a model is that of a layer inside it.
    return not isinstance(layer, (keras.Model, *_RESIZING))


def _is_map(shape, input_shape):
    return (
        len(shape) == len(input_shape) >= 3
        and None not in (*shape[1:], *input_shape[1:-1])
        and max(shape[1:-1]) > 1
    )


def _halvings(input_shape, shape):
    sizes = zip(input_shape[1:-1], shape[1:-1], strict=True)
    return tuple(round(math.log2(full / size)) for full, size in sizes)


def _run_shapes(model):
    """The shape of the input, with channels, and of each output in running order."""
    inputs = getattr(model, "inputs", None) or ()
    if len(inputs) != 1:
        raise invalid(
            "suggest_layers",
            f'model "{model.name}" to be Functional or Sequential, with one input',
            f"{type(model).__name__} with {len(inputs)} known inputs",
            "Name teacher_layers and student_layers yourself.",
        )
    # A Functional model may take its one input by name.
    structure = inputs[0] if isinstance(model, keras.Sequential) else model.input
    symbols = keras.tree.map_structure(
        lambda tensor: keras.KerasTensor((None, *tensor.shape[1:]), tensor.dtype),
        structure,
    )
    (symbol,) = keras.tree.flatten(symbols)
    shape = symbol.shape
    if len(shape) == 2 and "int" in keras.backend.standardize_dtype(symbol.dtype):
        # Tokens: their one axis is that of positions, and channels come with embedding.
        shape = (*shape, 1)
    return shape, layer_shapes(model, symbols)

"""Layers to choose instead, where the chosen ones do not fit a loss."""

import itertools
import math

import keras
import tensorflow as tf

MOST_NAMED = 3
MOST_TRIED = 200


def propose_layers(loss, teacher_shapes, student_shapes):
    """Proposes layers for a loss that could not be built with its own.

    What is proposed was tried: a copy of the loss builds for the shapes of those
    layers. The pairs of layers are gone through in order. Of a pair that does not fit,
    the student's layer is changed; where no layer of the student fits, the teacher's;
    where changing one does not help, both.

    Args:
        loss: a `DistillationLoss`, not built.
        teacher_shapes: `ModelOutputs` of shapes, of all layers that could be chosen, in
            the order they run.
        student_shapes: the same for the student.

    Returns:
        A list of sentences, one for each pair to change, such as 'Student layers that
        fit "block_1": "relu_1", "conv_1".'; layers of the nearest resolution, the last
        first. Empty if nothing was found with which the loss can be built.

    Example:
        >>> from keras_kd.losses import ChannelDistillation
        >>> from keras_kd.outputs import ModelOutputs
        >>> small, large = (None, 4, 4, 2), (None, 8, 8, 2)
        >>> teacher = ModelOutputs((None, 10), {"block_1": large})
        >>> student = ModelOutputs((None, 10), {"relu_1": large, "relu_2": small})
        >>> loss = ChannelDistillation("block_1", "relu_2")
        >>> propose_layers(loss, teacher, student)
        ['Student layers that fit "block_1": "relu_1".']
    """
    trials = _Trials(loss, teacher_shapes, student_shapes)
    chosen = list(itertools.zip_longest(loss.teacher_layers, loss.student_layers))
    changed, found = list(chosen), {}
    for number in range(len(chosen)):
        # The pairs up to this one, so that only this one can be at fault.
        if not trials.fits(changed[: number + 1]):
            found[number] = trials.pairs_that_fit(changed[:number], chosen[number])
            if not found[number]:
                return []
            changed[number] = found[number][0]
    # Beside all the others, too: a loss may relate one pair to the next.
    for number, pairs in found.items():
        before, after = changed[:number], changed[number + 1 :]
        found[number] = [pair for pair in pairs if trials.fits([*before, pair, *after])]
    if not all(found.values()):
        return []
    return [_sentence(chosen[number], pairs) for number, pairs in found.items()]


class _Trials:
    """Builds copies of a loss for other layers; each combination of shapes once."""

    def __init__(self, loss, teacher_shapes, student_shapes):
        self.loss = loss
        self.teacher, self.student = teacher_shapes, student_shapes
        self.results = {}

    def fits(self, pairs):
        """Whether the loss can be built for pairs of paths, None for the logits."""
        layers = [
            tuple(path for path in side if path is not None)
            for side in zip(*pairs, strict=True)
        ]
        shapes = tuple(
            tuple(outputs.features[path] for path in paths)
            for outputs, paths in zip((self.teacher, self.student), layers, strict=True)
        )
        if shapes not in self.results:
            may_try = len(self.results) < MOST_TRIED
            self.results[shapes] = may_try and self._builds(*layers)
        return self.results[shapes]

    def pairs_that_fit(self, before, pair):
        """Pairs to take for one that does not fit, after others that do."""
        for pairs in self._candidates(*pair):
            fitting = (other for other in pairs if self.fits([*before, other]))
            if found := list(itertools.islice(fitting, MOST_NAMED)):
                return found
        return []

    def _candidates(self, teacher_path, student_path):
        """Lists of pairs, the most welcome list and pair first."""
        teacher, student = self.teacher.features, self.student.features
        if student_path is not None:
            wanted = teacher.get(teacher_path, self.teacher.logits)
            for paths in _by_resolution(student, wanted):
                yield [(teacher_path, path) for path in paths]
        if teacher_path is not None:
            wanted = student.get(student_path, self.student.logits)
            for paths in _by_resolution(teacher, wanted):
                yield [(path, student_path) for path in paths]
        if None not in (teacher_path, student_path):
            yield _last_of_each_size(teacher, student)

    def _builds(self, teacher_layers, student_layers):
        try:
            config = keras.saving.serialize_keras_object(self.loss)
            name = keras.saving.get_registered_name(type(self.loss))
            # In a graph that never runs, weights of any size take no memory.
            with tf.Graph().as_default():
                copy = keras.saving.deserialize_keras_object(
                    config, custom_objects={name: type(self.loss)}
                )
                copy.teacher_layers = teacher_layers
                copy.student_layers = student_layers
                copy.build(self.teacher, self.student)
        except Exception:
            # Whatever a loss raises, it does not fit; the error to be shown is another.
            return False
        return True


def _by_resolution(shapes, wanted):
    """Lists of paths to outputs of one resolution: nearest first, the last first."""

    def distance(path):
        return _resolution_distance(shapes[path], wanted)

    paths = sorted(reversed(shapes), key=distance)
    return [list(group) for _, group in itertools.groupby(paths, distance)]


def _resolution_distance(shape, wanted):
    """The number of halvings between two shapes, summed over height and width."""
    if len(shape) != len(wanted):
        return math.inf
    sizes = zip(shape[1:-1], wanted[1:-1], strict=True)
    return sum(abs(math.log2(size / other)) for size, other in sizes if size and other)


def _last_of_each_size(teacher, student):
    """Pairs of the last layers of each resolution that both models have."""
    teacher_last, student_last = (
        {shape[1:-1]: path for path, shape in shapes.items() if len(shape) > 2}
        for shapes in (teacher, student)
    )
    return [
        (path, student_last[size])
        for size, path in teacher_last.items()
        if size in student_last
    ]


def _sentence(chosen, pairs):
    teacher_paths, student_paths = zip(*pairs, strict=True)
    if set(teacher_paths) == {chosen[0]}:
        partner = _quoted(chosen[0], "the teacher's logits")
        return f"Student layers that fit {partner}: {_listed(student_paths)}."
    if set(student_paths) == {chosen[1]}:
        partner = _quoted(chosen[1], "the student's logits")
        return f"Teacher layers that fit {partner}: {_listed(teacher_paths)}."
    both = ", ".join(f'"{teacher}" and "{student}"' for teacher, student in pairs)
    return f"Layers of teacher and student that fit each other: {both}."


def _listed(paths):
    return ", ".join(_quoted(path) for path in paths)


def _quoted(path, otherwise=None):
    return otherwise if path is None else f'"{path}"'

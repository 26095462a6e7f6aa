"""The search for the largest student that fits."""

from keras_kd._checks import check_choice, invalid
from keras_kd._progress import shown
from keras_kd.benchmark.targets import target_module
from keras_kd.budget._impossible import impossible
from keras_kd.budget._measuring import Conditions, Measuring
from keras_kd.budget._records import records_in
from keras_kd.budget._search import largest_that_fits, most_measurements
from keras_kd.budget.found import Found
from keras_kd.budget.limits import WHERE, Limits, check_limits
from keras_kd.export import PRECISIONS
from keras_kd.export.examples import examples_for
from keras_kd.students import shrink
from keras_kd.students.shrinking.grid import architectures
from keras_kd.students.shrinking.shrink import check_arguments

EXPORT_OPTIONS = (
    "labels",
    "input_range",
    "normalization",
    "fold_normalization",
    "output",
    "float_io",
)


def within(
    teacher,
    *,
    max_size_bytes=None,
    max_params=None,
    max_macs=None,
    max_arena_bytes=None,
    max_latency_ms=None,
    target="host",
    threads=1,
    precision="int8",
    depths=(1.0,),
    divisor=8,
    init="random",
    data=None,
    export_options=None,
    cache=None,
    progress=False,
    name=None,
):
    """The largest student of a teacher that fits a device.

    Students are made by `keras_kd.students.shrink`, at every width at which their
    architecture changes, and measured by converting them: nothing is estimated. The
    one with the most parameters that breaks no limit is chosen; of the same depth, the
    next larger one was measured too, and is over a limit, or there is none.

    The converter merges equal constants, such as the biases of a new student, so that
    its file would grow in training; what is measured has random weights instead, and
    the file of the trained student is no larger, with the same precision and options.
    (Which operations join integers of several ranges depends on the ranges: with
    recurrent layers, pass `data`. The file of a quantisation-aware copy is another.)
    A latency is of the target at this time: the median of 200 runs, and within 15 %
    of the limit the median of three such medians, which another day may exceed.

    Args:
        teacher: Functional or Sequential `keras.Model`, see `shrink`; of one input and
            one output. It is not changed.
        max_size_bytes: None, or number > 0: of the .tflite file.
        max_params: None, or number > 0: weights of the Keras model.
        max_macs: None, or number > 0: multiplications with accumulation of one run.
        max_arena_bytes: None, or number > 0: the arena of TensorFlow Lite Micro as a
            whole, `Inspection.micro_arena_bytes`: activations and what persists.
        max_latency_ms: None, or number > 0: the median of one run.
        target: where the latency is measured, see `keras_kd.benchmark.measure`.
        threads: int > 0, of the measurement.
        precision: of the file, see `keras_kd.export.convert`.
        depths: the depths to choose from, floats in (0, 1], see `shrink`.
        divisor: int > 0, see `shrink`; a smaller one comes nearer to the limits.
        init: "random" or "teacher", see `shrink`.
        data: None, or inputs as in training, see `calibration_data` of `convert`: for
            the ranges of integer files, random inputs by default, and for
            `init="teacher"`.
        export_options: None, or dict of what else `convert` will be given, for it
            changes the file: "labels", "input_range", "normalization",
            "fold_normalization", "output", "float_io".
        cache: folder where what was measured is kept, so that the same search needs no
            conversions; by default "keras_kd/budget" in the folder of Keras, `~/.keras`
            or the variable KERAS_HOME. False for none.
        progress: bool, whether to show a bar.
        name: str, of the student; by default the teacher's and "_student". It is in
            the file.

    Returns:
        `Found`: `student`, a new model, and what was tried.

    Raises:
        ValueError: An argument cannot be used, or no student meets the limits; then
            the message tells which limit fails, and what can be reached.
        ConversionError: The teacher has a layer that cannot be converted.

    Example:
        >>> from keras_kd.students import convnet
        >>> teacher = convnet((8, 8, 1), 10, width=16)
        >>> found = within(teacher, max_params=10_000, cache=False)
        >>> found.student.count_params(), found.chosen.width
        (8066, 0.7)
        >>> [(one.width, one.params, one.fits) for one in found.tried]
        [(0.5, 4466, True), (0.7, 8066, True), (0.8, 11658, False)]
    """
    limits = Limits(
        max_size_bytes, max_params, max_macs, max_arena_bytes, max_latency_ms
    )
    options = {} if export_options is None else export_options
    of_teacher = data if init == "teacher" else None
    check_limits(limits)
    _check(precision, target, threads, depths, options)
    for depth in depths:
        check_arguments(teacher, 1.0, depth, divisor, init, of_teacher)
    examples = examples_for(teacher, data)
    name = name or f"{teacher.name}_student"
    measuring = Measuring(
        teacher,
        limits,
        Conditions(precision, options, examples, target, threads),
        divisor=divisor,
        name=name,
        records=records_in(cache),
    )
    grids = [
        architectures(teacher, depth=depth, divisor=divisor)
        for depth in sorted(set(depths), reverse=True)
    ]
    chosen = _search(grids, measuring, limits, progress)
    if chosen is None:
        smallest = [measuring(grid[0]) for grid in grids]
        raise impossible(teacher, limits, smallest, precision=precision)
    student = shrink(
        teacher,
        width=chosen.width,
        depth=chosen.depth,
        divisor=divisor,
        init=init,
        data=None if of_teacher is None else examples,
        name=name,
    )
    return Found(student, chosen, tuple(measuring.tried), limits)


def _search(grids, measuring, limits, progress):
    """The largest `Candidate` of all depths that fits, or None."""
    total = sum(map(most_measurements, grids))
    with shown("Measuring students", total=total, done=0, show=progress) as advance:

        def measure(architecture):
            before = len(measuring.tried)
            candidate = measuring(architecture)
            note = f"width {candidate.width:g}, {candidate.size_bytes / 1e3:.1f} kB"
            advance(len(measuring.tried) - before, note=note)
            return candidate

        chosen = None
        for grid in grids:
            least = chosen.params if chosen else 0
            larger = [one for one in grid if one.params >= least]
            found = largest_that_fits(larger, measure, limits.max_params)
            chosen = max(filter(None, (chosen, found)), key=_size, default=None)
    return chosen


def _size(candidate):
    return candidate.params, candidate.macs


def _check(precision, target, threads, depths, options):
    check_choice(WHERE, "precision", precision, PRECISIONS)
    target_module(target)
    if type(threads) is not int or threads < 1:
        raise invalid(
            WHERE, "`threads` to be an int of at least 1", repr(threads), "Choose 1."
        )
    if not isinstance(depths, tuple | list) or not depths:
        raise invalid(
            WHERE, "`depths` to be some depths", repr(depths), "Pass (1.0, 0.5)."
        )
    if not isinstance(options, dict):
        raise invalid(
            WHERE,
            "`export_options` to be a dict of what `convert` takes",
            repr(options),
            'Pass names and values, such as {"float_io": True}.',
        )
    for option in options:
        check_choice(WHERE, "export_options", option, EXPORT_OPTIONS)

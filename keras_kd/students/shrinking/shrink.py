"""A student made from its teacher."""

from keras_kd._checks import check_choice, check_positive, invalid, is_number
from keras_kd.students.shrinking.analysis import Analysis
from keras_kd.students.shrinking.blocks import without_blocks
from keras_kd.students.shrinking.channels import Kept
from keras_kd.students.shrinking.graph import check_followable
from keras_kd.students.shrinking.importance import channel_scores
from keras_kd.students.shrinking.initial import copy_statistics, copy_weights
from keras_kd.students.shrinking.rebuild import Rebuild
from keras_kd.students.shrinking.scaling import WHERE

INITS = ("random", "teacher")


def shrink(
    teacher,
    *,
    width=0.5,
    depth=1.0,
    divisor=8,
    init="random",
    data=None,
    name=None,
):
    """The teacher's architecture with fewer channels and fewer blocks.

    Every inner width (filters, units, embeddings, attention) becomes the multiple of
    `divisor` nearest to `width` times its size, at least `divisor`; a size below
    `divisor` stays. So the parameters of inner layers follow `width` squared. Inputs,
    outputs and the names of layers stay, and axes that are added, concatenated or
    normalised together keep the same channels.

    Args:
        teacher: Functional or Sequential `keras.Model`, built; models inside it too.
            It is not changed.
        width: float in (0, 1], the share of the channels. 1 keeps all.
        depth: float in (0, 1], the share of the repeated residual blocks. Of n blocks
            in a row that do not change the shape, `ceil(depth * n)` stay, evenly
            spread, the last among them.
        divisor: int > 0, of the channels of every layer; 8 suits most processors.
        init: "random", or "teacher": the most important channels of the teacher with
            their weights and BatchNormalization statistics. Statistics of
            `Normalization` layers are copied either way.
        data: None, or for `init="teacher"` some inputs as in training, an array
            `(n, ...)` or a list of them for several inputs: channels are then chosen by
            what they send to the layers after them, else by their weights.
        name: str, of the student; by default the teacher's and "_student".

    Returns:
        A `keras.Model`, Sequential if the teacher is. Its layers are all trainable.

    Raises:
        ValueError: An argument cannot be used; the teacher has a layer whose channels
            cannot be followed, such as a `Lambda` or a layer of your own without a
            rule (see `register_rule`); `depth` is below 1 and no blocks repeat.

    Reference:
        Widths as in MobileNet, Howard et al., 2017, https://arxiv.org/abs/1704.04861;
        channels by weight norm as in Li et al., 2017, https://arxiv.org/abs/1608.08710,
        by norm times activation as in Wanda, Sun et al., 2024,
        https://arxiv.org/abs/2306.11695.
        Departures: channels that are tied are scored together, each weight normalised
        by its mean over the channels; Wanda scores single weights.

    Example:
        >>> from keras_kd.students import convnet
        >>> teacher = convnet((8, 8, 1), 10, width=32)
        >>> student = shrink(teacher, width=0.5, init="teacher")
        >>> teacher.count_params(), student.count_params()
        (66218, 16986)
    """
    check_arguments(teacher, width, depth, divisor, init, data)
    wired = without_blocks(teacher, depth) if depth < 1 else {}
    analysis = Analysis(teacher, width=width, divisor=divisor, wired=wired)
    scores = channel_scores(analysis, data) if init == "teacher" else None
    kept = Kept(analysis.ledger, scores)
    rebuild = Rebuild(analysis, kept)
    student = rebuild.model(teacher, name or f"{teacher.name}_student")
    if init == "teacher":
        copy_weights(rebuild.layers, analysis, kept)
    copy_statistics(rebuild.layers)
    return student


def check_arguments(teacher, width, depth, divisor, init, data):
    """Raises what `shrink` raises for arguments that it cannot use."""
    check_followable(teacher)
    for argument, value in (("width", width), ("depth", depth)):
        if not is_number(value) or not 0 < value <= 1:
            raise invalid(
                WHERE,
                f"`{argument}` above 0 and at most 1",
                repr(value),
                f"Choose the share that stays, such as {argument}=0.5.",
            )
    check_positive(WHERE, "divisor", divisor)
    if not isinstance(divisor, int):
        raise invalid(WHERE, "`divisor` to be an int", repr(divisor), "Round it.")
    check_choice(WHERE, "init", init, INITS)
    if data is not None and init != "teacher":
        raise invalid(
            WHERE,
            '`data` with init="teacher" only',
            f'init="{init}"',
            'Leave `data` out, or pass init="teacher".',
        )

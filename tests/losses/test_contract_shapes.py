"""What every distillation loss says, before it starts, of shapes it cannot use."""

import re

import keras
import numpy as np
import pytest

from keras_kd._checks import InvalidInputError
from keras_kd.outputs import ModelOutputs
from tests.losses.every_loss import (
    EVERY_LOSS,
    FEATURES,
    NUM_CLASSES,
    ON_LAYERS,
    ON_POSITIONS,
    POSITIONS,
    USE_LOGITS,
)

# From the shape of a layer that suits the loss: one of the teacher and one of the
# student that may not.
VECTORS = {
    "student gives a vector": lambda shape: (shape, shape[-1:]),
    "teacher gives a vector": lambda shape: (shape[-1:], shape),
    "both give vectors": lambda shape: (shape[-1:], shape[-1:]),
}
CHANGES = {
    **VECTORS,
    "both give sequences": lambda shape: ((7, shape[-1]), (7, shape[-1])),
    "student's maps are oblong": lambda shape: (shape, (3, 5, shape[-1])),
    "student's size is open": lambda shape: (shape, (None, None, shape[-1])),
    "both sizes are open": lambda shape: ((None, None, shape[-1]),) * 2,
    "student has fewer channels": lambda shape: (shape, (*shape[:-1], shape[-1] - 1)),
}

# Losses that accept a change by design, and why. All others refuse it.
_OF_ANY_RANK = {
    "it compares examples by all their values": {"SimilarityDistillation"},
    "it takes the mean over positions": {"RepresentationDistillation"},
}
_OF_ANY_FIXED_SHAPE = {
    **_OF_ANY_RANK,
    "it embeds all values of an example": {"CongruenceDistillation"},
}
_OF_ANY_SIZE = {
    **_OF_ANY_RANK,
    "it resizes maps of any size": {"PearsonDistillation"},
    "it compares channels, over all positions": {"InterChannelDistillation"},
}
_OF_VECTORS = {
    **_OF_ANY_FIXED_SHAPE,
    "it takes a vector for a map of one position": {"ReviewDistillation"},
}
ACCEPTED = {
    **dict.fromkeys(VECTORS, _OF_VECTORS),
    "both give sequences": _OF_ANY_FIXED_SHAPE,
    "student's maps are oblong": {
        **_OF_ANY_FIXED_SHAPE,
        "it brings maps to one size": {
            "ClassAttentionDistillation",
            "OverhaulDistillation",
            "PearsonDistillation",
            "ReviewDistillation",
            "ScaleDecoupledDistillation",
        },
        "it compares channels, over all positions": {
            "FlowDistillation",
            "InterChannelDistillation",
        },
    },
    "student's size is open": _OF_ANY_SIZE,
    "both sizes are open": {
        **_OF_ANY_SIZE,
        "it compares maps of one size, known or not": {
            "ChannelDistillation",
            "MaskedGenerativeDistillation",
        },
    },
    "student has fewer channels": {
        "it compares examples with each other": {
            "ProbabilisticDistillation",
            "RelationalDistillation",
            "SimilarityDistillation",
        },
        "it compares positions, over all channels": {
            "AttentionDistillation",
            "NeuronSelectivityDistillation",
        },
        "layers of its own bring the student's channels to the teacher's": {
            "ActivationBoundaryDistillation",
            "ChannelDistillation",
            "ClassifierReuseDistillation",
            "CongruenceDistillation",
            "ContrastiveDistillation",
            "FactorDistillation",
            "HintDistillation",
            "InterChannelDistillation",
            "MaskedGenerativeDistillation",
            "OverhaulDistillation",
            "RepresentationDistillation",
            "ReviewDistillation",
            "VariationalDistillation",
        },
    },
}


def cases(*, accepted):
    """All pairs of a loss and a change that it accepts, or that it refuses."""
    return [
        (name, change)
        for name in sorted(ON_LAYERS)
        for change in CHANGES
        # All other changes are of maps.
        if change == "student has fewer channels"
        or all(len(FEATURES[path]) == 3 for path in EVERY_LOSS[name]().teacher_layers)
        if accepted == any(name in names for names in ACCEPTED[change].values())
    ]


def loss_between(name):
    """The loss, between layers whose paths differ in teacher and student."""
    loss = EVERY_LOSS[name]()
    if not loss.teacher_layers:
        return loss
    paths = {
        f"{model}_layers": [f"{model}/{path}" for path in loss.teacher_layers]
        for model in ("teacher", "student")
    }
    return type(loss).from_config({**loss.get_config(), **paths})


def shapes_for(name, change=None, *, first=0):
    """The shapes of teacher and student, changed from layer number `first` on."""
    logits = (None, *POSITIONS.get(name, ()), NUM_CLASSES)
    features = {"teacher": {}, "student": {}}
    for number, path in enumerate(EVERY_LOSS[name]().teacher_layers):
        pair = FEATURES[path], FEATURES[path]
        if change is not None and number >= first:
            pair = CHANGES[change](FEATURES[path])
        for (model, shapes), shape in zip(features.items(), pair, strict=True):
            shapes[f"{model}/{path}"] = (None, *shape)
    return [ModelOutputs(logits, shapes) for shapes in features.values()]


def refusal(name, shapes):
    """What the loss says when it is built for shapes that it refuses."""
    with pytest.raises(InvalidInputError) as caught:
        loss_between(name).build(*shapes)
    message = str(caught.value)
    assert re.fullmatch(rf"{name}: expected .+, got .+\. [A-Z].+\.", message)
    return message


@pytest.mark.parametrize(("name", "change"), cases(accepted=False))
def test_layers_that_do_not_fit_are_named(name, change):
    *others, path = EVERY_LOSS[name]().teacher_layers
    message = refusal(name, shapes_for(name, change, first=len(others)))
    assert f'"teacher/{path}"' in message
    assert f'"student/{path}"' in message
    # "expected (6,), got (6,)" would help nobody.
    assert not re.search(r"(\([^()]+\)), got \1", message)


@pytest.mark.parametrize(("name", "change"), cases(accepted=True))
def test_layers_of_other_shapes_are_accepted_by_design(name, change):
    shapes, loss = shapes_for(name, change), loss_between(name)
    generator = np.random.default_rng(0)

    def draw(shape):
        known = [size or 5 for size in shape[1:]]
        return generator.normal(size=(4, *known)).astype("float32")

    loss.build(*shapes)
    teacher, student = keras.tree.map_shape_structure(draw, shapes)
    value = loss(teacher, student, np.arange(4), example_ids=np.arange(4))
    assert np.isfinite(value).all()


@pytest.mark.parametrize("name", sorted(USE_LOGITS))
def test_other_classes_are_refused_where_logits_count(name):
    teacher, student = shapes_for(name)
    fewer = (*student.logits[:-1], NUM_CLASSES - 1)
    refusal(name, [teacher, student._replace(logits=fewer)])


@pytest.mark.parametrize("name", sorted(set(EVERY_LOSS) - USE_LOGITS))
def test_other_classes_are_accepted_where_only_layers_count(name):
    teacher, student = shapes_for(name)
    loss_between(name).build(teacher, student._replace(logits=(None, NUM_CLASSES - 1)))


@pytest.mark.parametrize("name", sorted(ON_POSITIONS))
def test_other_positions_are_refused(name):
    teacher, student = shapes_for(name)
    shorter = (None, *[1] * len(POSITIONS[name]), NUM_CLASSES)
    refusal(name, [teacher, student._replace(logits=shorter)])
    for_one_decision = ModelOutputs((None, NUM_CLASSES))
    refusal(name, [teacher, for_one_decision])
    refusal(name, [for_one_decision, for_one_decision])

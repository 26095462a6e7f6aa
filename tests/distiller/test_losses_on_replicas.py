"""Every distillation loss is on two replicas what it is in one process."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd
from keras_kd.data import Examples
from tests.distiller.test_training import clone
from tests.losses.every_loss import CLASSIFIERS, small_network

BATCH = 12
DRAWS = {"ContrastiveDistillation", "MaskedGenerativeDistillation"}
# Their BatchNormalization takes the statistics of one replica, as any of Keras does.
NORMALISES = {
    "ClassifierReuseDistillation",
    "FactorDistillation",
    "HintDistillation",
    "InterChannelDistillation",
    "OverhaulDistillation",
    "PrimeAwareDistillation",
    "ReviewDistillation",
}


def logged(strategy, names, digits, *, examples):
    """What one epoch logs, and the weights after it."""
    keras.utils.set_random_seed(4)
    x, y = (array[:examples] for array in digits.train.arrays())
    teacher, student = small_network(), small_network()
    with strategy.scope():
        distiller = keras_kd.Distiller(
            teacher,
            clone(student),
            [CLASSIFIERS[name]() for name in names],
            [0.01] * len(names),
            alpha=0.5,
            from_logits=True,
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        distiller.compile(keras.optimizers.SGD(0.01), loss)
    numbered = Examples(x, np.arange(examples))
    history = distiller.fit(
        numbered, y, batch_size=BATCH, shuffle=False, verbose=0
    ).history
    return {name: value[0] for name, value in history.items()}, distiller.variables


@pytest.mark.slow
def test_losses_and_their_gradients_are_those_of_one_process(two_replicas, digits):
    names = sorted(CLASSIFIERS.keys() - DRAWS - NORMALISES)
    # Of the last five, one replica has three.
    examples = BATCH + 5
    alone, weights = logged(
        tf.distribute.get_strategy(), names, digits, examples=examples
    )
    shared, others = logged(two_replicas, names, digits, examples=examples)
    differing = {
        name: (value, shared[name])
        for name, value in alone.items()
        if shared[name] != pytest.approx(value, rel=1e-3, abs=1e-6)
    }
    assert differing == {}
    for one, other in zip(weights, others, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5, err_msg=one.path)


def test_exceptions_draw_or_normalise():
    teacher, student = small_network(), small_network()
    for name in DRAWS | NORMALISES:
        (loss,) = keras_kd.Distiller(
            teacher, student, CLASSIFIERS[name](), from_logits=True
        ).distillation_losses
        kinds = {type(layer) for layer in loss._flatten_layers()}
        assert (keras.layers.BatchNormalization in kinds) == (name in NORMALISES)
        assert (loss.seed_generator is not None) == (name in DRAWS)

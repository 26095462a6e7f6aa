"""A look at the first batch before the first step, which reads nothing twice."""

import contextlib
import itertools
import types
import weakref

import keras
import numpy as np
import tensorflow as tf

from keras_kd._checks import invalid
from keras_kd._keras_internals import all_layers
from keras_kd.distiller.batch import unpack
from keras_kd.distiller.distributed import OnSeveralWorkers
from keras_kd.outputs import as_tensors

PEEKED_EXAMPLES = 8


class LooksAtFirstBatch(OnSeveralWorkers):
    """The part of a distiller that has models and data checked before training.

    A data set that is begun once more goes on otherwise: a seeded shuffle gives another
    order, a generator has lost a batch. So the batch is taken from the iterator that
    trains; only of what lies in memory, or can be given back, it is taken before.
    """

    _look = None
    _looked_at = staticmethod(lambda: None)
    _knows_batches = False
    # The method that runs, whose data were looked at or are to be.
    _method = None

    def check_batch(self, batch, y, *, training):
        """Raises if what is begun with this batch cannot be right.

        Args:
            batch: a `Batch`, of all data where they are arrays.
            y: all labels, where they were given by themselves; or None.
            training: bool, whether the models are to be trained on them.
        """
        raise NotImplementedError

    def forget_data(self):
        """Has the data looked at again that were looked at already."""
        self._looked_at = lambda: None
        self._knows_batches = False

    def fit(self, x=None, y=None, *args, **kwargs):
        """See `keras.Model.fit`; models and data are looked at before."""
        return self._after_a_look("fit", x, y, *args, **kwargs)

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """See `keras.Model.evaluate`; models and data are looked at before."""
        if self._method is not None:  # `fit` validates, or a callback does
            return super().evaluate(x, y, *args, **kwargs)
        return self._after_a_look("evaluate", x, y, *args, **kwargs)

    def train_on_batch(self, x, y=None, *args, **kwargs):
        """See `keras.Model.train_on_batch`; the first batch is looked at before."""
        return self._on_batch("train_on_batch", x, y, *args, **kwargs)

    def test_on_batch(self, x, y=None, *args, **kwargs):
        """See `keras.Model.test_on_batch`; the first batch is looked at before."""
        return self._on_batch("test_on_batch", x, y, *args, **kwargs)

    @property
    def is_to_look(self):
        """See `OnSeveralWorkers`."""
        return self._look is not None

    def look_at(self, batch):
        """See `OnSeveralWorkers`."""
        look, self._look = self._look, None
        look(parts(batch, self.where))

    @property
    def where(self):
        """What runs, for messages: such as "Distiller.fit"."""
        return f"{type(self).__name__}.{self._method or 'fit'}"

    def _after_a_look(self, method, x, y, *args, **kwargs):
        run = getattr(super(), method)
        is_dataset = isinstance(x, tf.data.Dataset)
        before, self._method = self._method, method
        try:
            if not (is_dataset and self._looked_at() is x):
                x, batch = first_batch(x, y, where=self.where)
                if batch is not None:
                    self._check(batch, y)
                else:
                    known = weakref.ref(x) if is_dataset else lambda: None
                    self._look = lambda batch: self._check(batch, y, known)
            return run(x, y, *args, **kwargs)
        finally:
            self._look, self._method = None, before

    def _on_batch(self, method, x, y, *args, **kwargs):
        if not self._knows_batches:
            before, self._method = self._method, method
            try:
                self._check(parts((x, y), self.where), y)
            finally:
                self._method = before
            self._knows_batches = True
        return getattr(super(), method)(x, y, *args, **kwargs)

    def _check(self, batch, y, known=lambda: None):
        training = self._method in ("fit", "train_on_batch")
        with self.distribute_strategy.scope(), _states_kept(self):
            self.check_batch(batch, y, training=training)
            if not self.built:
                # As a student that does not know its input shapes is now.
                self.build(
                    keras.tree.map_structure(
                        lambda leaf: (None, *leaf.shape[1:]), as_tensors(batch.inputs)
                    )
                )
        self._looked_at = known


@contextlib.contextmanager
def _states_kept(model):
    """Leaves stateful recurrent layers as if nothing had run."""
    states = [
        state
        for layer in all_layers(model)
        if getattr(layer, "stateful", False) and layer.built
        for state in keras.tree.flatten(layer.states)
    ]
    before = [keras.ops.convert_to_numpy(state) for state in states]
    try:
        yield
    finally:
        for state, value in zip(states, before, strict=True):
            state.assign(value)


def first_batch(x, y, *, where):
    """The first examples of what `fit` was given, where nothing is lost by that.

    Args:
        x: arrays, `tf.data.Dataset`, `keras.utils.PyDataset` or generator.
        y: arrays or None.
        where: str, see `invalid`.

    Returns:
        `(x, batch)`: `x` to be used from now on (a generator is given back whole), and
        a `Batch`; None for what training alone may begin to read.

    Raises:
        ValueError: There is no data.
    """
    if isinstance(x, types.GeneratorType):
        first = next(x, None)
        batch = parts(first, where)
        return (item for item in itertools.chain([first], x)), batch
    if _is_empty(x):
        return x, parts(None, where)
    leaves = keras.tree.flatten(x)
    if not leaves or not all(_is_array(leaf) for leaf in leaves):
        return x, None  # what Keras makes of it, training sees first
    return x, parts((x, y), where)


def parts(batch, where):
    """The `Batch` of what a data set gave, which must not be empty.

    Args:
        batch: as a data set gives it; None if it gave none.
        where: str, see `invalid`.

    Raises:
        ValueError: It is none, or not a batch.
    """
    if batch is None:
        raise invalid(where, "data", "an empty dataset", "Pass at least one example.")
    batch = unpack(batch)
    leaves = keras.tree.flatten((batch.inputs, batch.labels, batch.example_ids))
    if any(leaf is not None and not _rank(leaf) for leaf in leaves):
        raise invalid(
            where, "batches", "single examples", "Call data.batch(32) on the dataset."
        )
    return batch


def few(batch, *models):
    """The first examples of a batch, enough to see what models make of them.

    Args:
        batch: structure of arrays or tensors, such as `Examples`.
        *models: Keras models; those built for batches of one size get so many.

    Returns:
        The structure, of tensors: what a training step is given, too.
    """
    inputs = [one for model in models for one in getattr(model, "inputs", None) or []]
    fixed = [tensor.shape[0] for tensor in inputs if tensor.shape[0] is not None]
    number = fixed[0] if fixed else PEEKED_EXAMPLES

    def first(leaf):
        return leaf if isinstance(leaf, tf.SparseTensor) else leaf[:number]

    return as_tensors(keras.tree.map_structure(first, batch))


def _is_empty(x):
    if isinstance(x, tf.data.Dataset):
        return x.cardinality() == 0
    if isinstance(x, keras.utils.PyDataset):
        return x.num_batches == 0
    shapes = [getattr(leaf, "shape", None) for leaf in keras.tree.flatten(x)]
    return any(shape is not None and len(shape) and not shape[0] for shape in shapes)


def _is_array(leaf):
    """Whether slices of it are what Keras trains on."""
    return isinstance(leaf, (np.ndarray, tf.Tensor, keras.Variable))


def _rank(leaf):
    return len(leaf.shape) if hasattr(leaf, "shape") else np.ndim(leaf)

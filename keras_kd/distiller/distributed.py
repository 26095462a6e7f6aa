"""Several replicas, on one machine or many: what a distiller needs that Keras lacks."""

import atexit
import hashlib
import itertools
import shutil
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_kd._checks import invalid
from keras_kd._keras_internals import BetweenKerasAndReplicas, all_layers

# Which TensorFlow gives where none was set.
NO_SEED = 87654321
LOST_WORKER = (tf.errors.UnavailableError, tf.errors.AbortedError)


class OnSeveralWorkers(BetweenKerasAndReplicas):
    """The part of a distiller that trains under a `tf.distribute` strategy.

    Keras 3.15 cannot `fit` under `MultiWorkerMirroredStrategy`, nor group steps by
    `steps_per_execution` under any strategy of several replicas; and it counts a step
    too many in every epoch of data whose length it does not know.
    """

    # Of what has no teacher; see `SavedWithoutTeacher`.
    teacher_fingerprint = None
    # Whether the first batch of what runs is still to be looked at.
    is_to_look = False

    def look_at(self, batch):
        """Looks at the batch that the first step is about to take.

        Args:
            batch: as a data set gives it, to one replica; None if it gave none.
        """
        raise NotImplementedError

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        *args,
        **kwargs,
    ):
        """See `keras.Model.fit`; several workers are compared before the first step."""
        if spans_workers(self.distribute_strategy):
            others = keras.tree.flatten(callbacks) if callbacks else []
            callbacks = [*others, WorkersAgree()]
        try:
            return super().fit(
                x, y, batch_size, epochs, verbose, callbacks, *args, **kwargs
            )
        except LOST_WORKER as error:
            error.add_note(
                "Another worker ended, or its machine did. Start the program again on "
                "all workers; with keras.callbacks.BackupAndRestore it goes on after "
                "the last whole epoch."
            )
            raise

    def batch_to_build_on(self, iterator):
        """What a replica here has of the first batch, or None; called by Keras."""
        is_needed = self.is_to_look or spans_workers(self.distribute_strategy)
        if iterator is None or not is_needed:
            return None
        # Keras reads it here anyway; of several workers it would take the mean, too.
        for _, _, batches in iterator:
            batch = self._of_one_replica(next(batches, None))
            if self.is_to_look:
                self.look_at(batch)
            return batch
        return None

    def compiled_function(self, step_function, compiled):
        """A function of an iterator that runs one step or more; called by Keras."""
        strategy = self.distribute_strategy
        is_training = step_function == self.train_step
        is_step = is_training or step_function == self.test_step
        if is_training and strategy.num_replicas_in_sync > 1 and _has_statistics(self):
            step_function = _of_examples(step_function)
        if spans_workers(strategy):
            step_function = _with_an_axis(step_function)
        function = compiled(step_function)
        in_tensorflow = (
            strategy.num_replicas_in_sync == 1 and self.steps_per_execution > 1
        )

        def taking_batches(iterator):
            # Of an iterator Keras would take them inside TensorFlow: on replicas its
            # loop of several steps fails; and where the number of batches is not known
            # it ends an epoch by a step without one, which counts in the optimizer.
            is_to_look = is_step and self.is_to_look
            if in_tensorflow and not is_to_look:
                return function(iterator)
            first = next(iterator, None)
            if is_to_look:
                self.look_at(self._of_one_replica(first))
            if first is None:
                raise StopIteration
            return function(itertools.chain([first], iterator))

        return taking_batches

    def _of_one_replica(self, batch):
        """What one replica here has of a batch: the first that has examples."""
        local = self.distribute_strategy.experimental_local_results
        firsts = local(keras.tree.flatten(batch)[0])
        is_empty = [one is None or tuple(one.shape[:1]) == (0,) for one in firsts]
        place = is_empty.index(False) if False in is_empty else 0

        def part(leaf):
            # So Keras writes None where TensorFlow needs a value.
            own = local(leaf)[place]
            return None if isinstance(own, tf.experimental.Optional) else own

        return keras.tree.map_structure(part, batch)


class WorkersAgree(keras.callbacks.Callback):
    """Raises, on every worker, unless all begin to train from the same."""

    compared = False

    def on_epoch_begin(self, epoch, logs=None):
        """Compares before the first epoch; called by Keras."""
        if self.compared:
            return
        self.compared = True
        seed = tf.compat.v1.get_seed(0)[0]
        weights = [*self.model.weights, *self.model.optimizer.variables]
        ours = {
            "weights": [keras.ops.convert_to_numpy(weight) for weight in weights],
            "first epoch": [np.asarray(epoch)],
            "teacher": [np.asarray(self.model.teacher_fingerprint or "")],
            "random seed": [np.asarray(seed)],
        }
        digests = np.stack([_digest(arrays) for arrays in ours.values()])
        found = _from_all_replicas(self.model.distribute_strategy, digests[None])
        differs = (found != found[0]).any(axis=(0, 2))
        other = [name for name, is_other in zip(ours, differs, strict=True) if is_other]
        if other or seed == NO_SEED:
            raise invalid(
                "fit",
                f"every worker to begin with the same {', '.join(ours)}",
                f"workers that differ in {', '.join(other)}" if other else "no seed",
                "Call keras.utils.set_random_seed with the same number on all, before "
                "the data and the models are made; let all load the same files, and "
                "restore from a worker_folder.",
            )


def worker_folder(strategy, folder):
    """A folder to write to for each worker, of which only the chief's is kept.

    For whatever every worker writes: `BackupAndRestore`, `ModelCheckpoint`, `save`.
    The chief gets `folder` itself, every other worker a copy of what is in it, which is
    deleted when its program ends. So all go on from what the chief saved, and none
    writes where another does. `folder` must be on a disk that all workers see.

    Args:
        strategy: the `tf.distribute.Strategy`; one of a single worker is its own chief.
        folder: `str` or `Path`; need not exist.

    Returns:
        A `Path`.

    Example:
        >>> worker_folder(tf.distribute.get_strategy(), "runs/backup").as_posix()
        'runs/backup'
    """
    folder = Path(folder)
    if not spans_workers(strategy) or is_chief(strategy):
        return folder
    scratch = Path(tempfile.mkdtemp(prefix="keras_kd-worker-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    if folder.exists():
        shutil.copytree(folder, scratch / folder.name)
    return scratch / folder.name


def is_chief(strategy):
    """Whether this process is the one worker of a strategy that keeps what it saves."""
    resolver = strategy.cluster_resolver
    first = "chief" if "chief" in resolver.cluster_spec().jobs else "worker"
    return (resolver.task_type, resolver.task_id) == (first, 0)


def spans_workers(strategy):
    """Whether a strategy trains on several workers, each a process of its own."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy) and bool(
        strategy.cluster_resolver.cluster_spec()
    )


def of_replica(total, examples):
    """What one replica adds to the loss of a batch that several share.

    A replica counts by its examples; Keras gives each the same weight, so that the
    examples of a last batch that cannot be shared evenly counted unequally, and one
    without examples made the loss NaN.

    Args:
        total: float scalar, the mean over the examples of this replica.
        examples: int scalar, their number.

    Returns:
        `(logged, loss)`: the mean, 0 without examples, and what to minimise here.
    """
    examples = ops.cast(examples, "float32")
    all_examples = over_replicas(examples)
    if all_examples is examples:
        return total, total
    total = ops.where(examples > 0, total, 0.0)
    return total, total * examples / all_examples


def over_replicas(number):
    """The sum of a scalar over the replicas that share a batch.

    Args:
        number: float scalar of this replica.

    Returns:
        The same for all replicas; `number` itself where there is only one.
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return number
    return context.all_reduce("SUM", number)


def of_all_replicas(values):
    """The examples of all replicas that share a batch, in order, on each of them.

    The gradient of what is computed of them alike on each replica, and then counted as
    in `of_replica`, is that of one process: each replica gets the sum of what all have
    for its own examples.

    Args:
        values: structure of tensors `(batch, ...)` of this replica, or None.

    Returns:
        The structure with `(batch of all, ...)`; `values` where there is one replica.
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return values

    def gathered(leaf):
        if leaf is None:
            return None
        tensor = ops.convert_to_tensor(leaf)
        # Collectives take numbers only.
        numbers = tf.cast(tensor, "uint8") if tensor.dtype == tf.bool else tensor
        whole = context.all_gather(numbers, axis=0)
        whole.set_shape((None, *tensor.shape[1:]))
        return tf.cast(whole, tensor.dtype)

    return keras.tree.map_structure(gathered, values)


def _has_statistics(model):
    kind = keras.layers.BatchNormalization
    return any(isinstance(layer, kind) for layer in all_layers(model))


def _of_examples(step_function):
    """A step that refuses an empty batch, of which a mean is not a number."""

    def step(data):
        leaves = [leaf for leaf in keras.tree.flatten(data) if leaf is not None]
        tf.debugging.assert_positive(
            tf.shape(leaves[0])[0],
            "Expected at least one example for every replica, as the model has "
            "BatchNormalization, whose statistics of no examples are NaN. Choose a "
            "batch size with a larger last batch, or drop it (drop_remainder=True).",
        )
        return step_function(data)

    return step


def _digest(arrays):
    """Eight whole numbers, as float32, that are others for other arrays."""
    digest = hashlib.sha256(b"".join(array.tobytes() for array in arrays)).digest()
    return np.frombuffer(digest[:8], "uint8").astype("float32")


def _from_all_replicas(strategy, value):
    """`value` of every replica of all workers, joined along the first axis."""

    @tf.function
    def gathered():
        context = tf.distribute.get_replica_context()
        return context.all_gather(tf.constant(value), axis=0)

    results = strategy.experimental_local_results(strategy.run(gathered))
    return results[0].numpy()


def _with_an_axis(step_function):
    """A step whose logs have the axis over which Keras takes their mean."""

    def step(data):
        logs = step_function(data)
        return keras.tree.map_structure(lambda value: tf.expand_dims(value, 0), logs)

    return step

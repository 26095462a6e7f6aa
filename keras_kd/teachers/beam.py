"""Computes a teacher's answers on many machines, through Apache Beam."""

import functools
import math
from pathlib import Path

import keras

from keras_kd._checks import check_positive, invalid, not_installed
from keras_kd.data import load
from keras_kd.teachers import _store
from keras_kd.teachers._labelling import Labelling
from keras_kd.teachers.base import Teacher
from keras_kd.teachers.label import missing_shards, runs_of
from keras_kd.teachers.soft_targets import SoftTargets

WHERE = "keras_kd.teachers.label_with_beam"


def label_with_beam(
    teacher,
    dataset,
    path,
    *,
    pipeline_options=None,
    tasks=16,
    staging=None,
    top_k=None,
    dtype="float16",
    views=1,
    augment=None,
    temperature=None,
    batch_size=256,
    shard_size=None,
):
    """Does what `label` does, with as many workers as an Apache Beam runner has.

    The folder comes to hold the same bytes as that of `label`, if the machines compute
    alike; either goes on with what the other began. It needs
    `pip install "keras-kd[beam]"`, here and on the workers, whose number and place are
    up to the runner:

    - here, in processes: `--runner=DirectRunner --direct_running_mode=multi_processing
      --direct_num_workers=4` (which waits for ever for a worker that the system has
      killed, as for memory: stop it, and repeat the same to go on);
    - Google Cloud Dataflow: `--runner=DataflowRunner --project=… --region=…
      --temp_location=gs://… --num_workers=16 --sdk_container_image=…`, an image in
      which keras-kd[beam] and apache-beam[gcp] are, with `staging="gs://…"`;
    - Apache Flink: `--runner=FlinkRunner --flink_master=HOST:8081 --parallelism=16
      --environment_type=EXTERNAL --environment_config=localhost:50000`, with Beam's
      worker pool running on each machine; containers that Beam starts itself
      (`DOCKER`) see no folder of their machine and need `staging`;
    - Apache Spark: `--runner=SparkRunner --spark_master_url=spark://HOST:7077`, and the
      same environment.

    Each worker reads the data up to where its task begins. Several workers on one
    machine take the cores from each other; `TF_NUM_INTRAOP_THREADS` in their
    environment limits what each takes.

    Args:
        teacher: str or `Path` of a `.keras` file that all workers see, a list of them
            for an ensemble, or a function without arguments that returns what `label`
            takes. Models are not sent to the workers, only this.
        dataset: name as of `keras_kd.data.load`, for its training part, or a function
            without arguments that returns what `label` takes.
        path: str or `Path`, the folder, which all workers must see under this name, on
            a network file system, say; or only this machine, with `staging`.
        pipeline_options: list of str, Beam's flags as above, or its `PipelineOptions`.
            Default: one worker, in this process.
        tasks: int > 0, into how many parts to divide the work, a few for each worker:
            more share it more evenly, and read more. Default 16.
        staging: str, a folder of Beam's file systems (`gs://`, `s3://`, `hdfs://`) that
            all workers can write to and this machine reads: shards go through it.
            Default: straight to `path`.
        top_k: as for `label`, like all that follow.
        dtype: see `label`.
        views: see `label`.
        augment: see `label`.
        temperature: see `label`.
        batch_size: see `label`.
        shard_size: see `label`.

    Returns:
        `SoftTargets` of the folder.

    Raises:
        ValueError: Beam is not installed; a worker failed, sees another folder or has
            another teacher or data; or as for `label`.

    Reference:
        https://beam.apache.org/documentation/runtime/sdk-harness-config/

    Example:
        >>> import tempfile
        >>> def teacher():
        ...     keras.utils.set_random_seed(0)
        ...     layers = [keras.layers.Flatten(), keras.layers.Dense(10)]
        ...     return keras.Sequential([keras.Input((8, 8, 1)), *layers])
        >>> soft = label_with_beam(teacher, "digits", tempfile.mkdtemp())
        >>> soft.num_classes, soft.count
        (10, 987)
    """
    _check_beam()
    from keras_kd.teachers import _pipeline

    _check_arguments(teacher, dataset, tasks)
    if staging is not None:
        staging = _absolute(staging)
        _pipeline.check_reachable(staging)
    options = _pipeline.options_of(pipeline_options)
    make = functools.partial(
        _labelling,
        _absolute(teacher),
        dataset,
        top_k=top_k,
        dtype=dtype,
        views=views,
        augment=augment,
        temperature=temperature,
        batch_size=batch_size,
        shard_size=shard_size,
    )
    _pipeline.check_sendable(make)
    plan = make().plan
    folder = Path(path).absolute()
    _store.start(WHERE, folder, plan)
    with _store.only_writer(folder):
        _complete(make, plan, folder, options, tasks, staging)
    return SoftTargets(folder)


def _complete(make, plan, folder, options, tasks, staging):
    """Has the shards computed that a store lacks, and writes that it is complete."""
    from keras_kd.teachers import _pipeline

    shards, missing = missing_shards(WHERE, folder, plan)
    if missing and staging is not None:
        # What an earlier run has left there, stopped before it fetched all.
        _pipeline.fetch(staging, options, folder, plan, missing)
        shards, missing = missing_shards(WHERE, folder, plan)
    if missing:
        runs = _divided(runs_of(plan, missing), math.ceil(len(missing) / tasks))
        work = _pipeline.LabelShards(make, plan, str(folder), staging)
        _pipeline.run(options, runs, work)
        if staging is not None:
            _pipeline.fetch(staging, options, folder, plan, missing)
        # Not what the workers say: a shard counts if it is here.
        every = range(plan.num_shards)
        shards = [_store.look_at(folder, plan, shard) for shard in every]
    for shard, there in enumerate(shards):
        if there is None:
            raise invalid(
                WHERE,
                f"the workers' shards in {staging or folder}",
                f"none, or a damaged one, as {plan.file_name(shard)}",
                "Take a folder that all workers and this machine share.",
            )
    _store.finish(folder, shards)


def _labelling(teacher, dataset, **arguments):
    """The `Labelling`, made from what can be sent to any machine."""
    dataset = load(dataset).train if isinstance(dataset, str) else dataset()
    return Labelling(_made(teacher), dataset, **arguments)


def _made(teacher):
    """What `label` takes as a teacher."""
    if isinstance(teacher, list):
        return [_made(path) for path in teacher]
    if callable(teacher):
        return teacher()
    try:
        return keras.models.load_model(teacher)
    except (ValueError, OSError) as error:
        raise invalid(
            WHERE,
            "a .keras file, as model.save(path) writes it",
            f'"{teacher}" ({str(error).splitlines()[0]})',
            "Check the path, and that every worker sees the file under it.",
        ) from error


def _divided(runs, most):
    """Runs of at most so many shards."""
    return [
        run[first : first + most] for run in runs for first in range(0, len(run), most)
    ]


def _absolute(paths):
    """Paths that mean the same wherever a worker runs; functions as they are."""
    if isinstance(paths, (list, tuple)):
        return [_absolute(path) for path in paths]
    if callable(paths) or "://" in str(paths):
        return paths
    return str(Path(paths).absolute())


def _check_beam():
    try:
        import apache_beam  # noqa: F401
    except ImportError as error:
        raise not_installed(WHERE, "Apache Beam", "beam") from error


def _check_arguments(teacher, dataset, tasks):
    paths = teacher if isinstance(teacher, (list, tuple)) else [teacher]
    is_path = paths and all(isinstance(path, (str, Path)) for path in paths)
    # Models and teachers can be called too, with inputs.
    is_maker = callable(teacher) and not isinstance(teacher, (keras.Model, Teacher))
    if not is_path and not is_maker:
        raise invalid(
            WHERE,
            "the path of a .keras file, or a function that makes the teacher",
            f"a {type(teacher).__name__}",
            "Save the model, or pass a function: what it returns stays on its worker.",
        )
    if not isinstance(dataset, str) and not callable(dataset):
        raise invalid(
            WHERE,
            "the name of a data set, or a function that makes it",
            f"a {type(dataset).__name__}",
            'Pass a function, such as lambda: load("digits").test.',
        )
    check_positive(WHERE, "tasks", tasks)
    if not isinstance(tasks, int):
        raise invalid(WHERE, "`tasks` to be an int", repr(tasks), "Round it.")

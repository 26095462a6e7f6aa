"""Labelling as an Apache Beam pipeline: the pipeline, and what each worker does.

The one module that imports Beam, which is an extra: nobody imports it unasked.
"""

import contextlib
import copy
import hashlib
import re
import shutil
import socket
import tempfile
from dataclasses import fields
from pathlib import Path

import apache_beam as beam
from apache_beam.internal import pickler
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions, TypeOptions
from apache_beam.runners.runner import PipelineState
from apache_beam.utils.shared import Shared

from keras_kd._checks import invalid
from keras_kd._files import written_whole
from keras_kd.teachers import _store
from keras_kd.teachers.label import written

WHERE = "keras_kd.teachers.label_with_beam"


class LabelShards(beam.DoFn):
    """Computes the shards of a store, some that follow each other at a time.

    Args:
        make: function without arguments that makes the `Labelling`.
        plan: the `Plan` of whoever starts the pipeline.
        folder: str, of the store.
        staging: str, the folder of Beam's file systems where to put shards; None to put
            them into the store.
    """

    def __init__(self, make, plan, folder, staging):
        super().__init__()
        self._make = make
        self._plan = plan
        self._folder = folder
        self._staging = staging
        # One teacher a process, whatever number of threads a runner has there.
        self._shared = Shared()

    def setup(self):
        """Makes the teacher and the data, once a worker."""
        if self._staging is None:
            self._check_folder()
        self._labelling = self._shared.acquire(self._make)
        self._check_plan(self._labelling.plan)

    def process(self, shards):
        """Computes some shards and puts each in its place.

        Args:
            shards: list of int, consecutive shards of one view.

        Yields:
            The number of each.
        """
        first, last = shards[0], shards[-1]
        with contextlib.closing(self._labelling.batches(first, last + 1)) as batches:
            for shard in shards:
                rows = self._labelling.rows_of(shard, batches)
                if self._staging is None:
                    written(Path(self._folder), self._plan, shard, rows)
                else:
                    stage(self._staging, self._plan, shard, rows)
                yield shard

    def _check_folder(self):
        """Raises unless this machine sees the store, and not a folder of that name."""
        folder = Path(self._folder)
        there, _ = _store.read(WHERE, folder)
        if there != self._plan:
            raise invalid(
                WHERE,
                f'the store "{folder}" on every worker',
                f"{'no' if there is None else 'another'} store on {_machine()}",
                "Mount its file system there under the same name, or pass `staging`.",
            )

    def _check_plan(self, plan):
        """Raises unless this machine would compute what the one that started would."""
        theirs = _compared(plan)
        for name, value in _compared(self._plan).items():
            if theirs[name] != value:
                raise invalid(
                    WHERE,
                    f"{name}={value!r} on every worker, as where the pipeline started",
                    f"{name}={theirs[name]!r} on {_machine()}",
                    "Let `teacher` and `dataset` make the same everywhere.",
                )


def options_of(flags):
    """Beam's options.

    Args:
        flags: list of str, `PipelineOptions` or None.

    Returns:
        New `PipelineOptions`.

    Raises:
        ValueError: A flag has a value that Beam does not take.
    """
    if isinstance(flags, PipelineOptions):
        options = copy.deepcopy(flags)
    else:
        # Given None it would take the arguments of the running program.
        options = PipelineOptions(list(flags or []))
    try:
        options.get_all_options()
    except SystemExit as error:  # argparse has told the reason on the terminal
        raise invalid(
            WHERE,
            "`pipeline_options` that Beam understands",
            flags,
            "Look them up in Beam's documentation of the runner.",
        ) from error
    # Else the DirectRunner downloads another runner (Prism) and hands the pipeline to
    # it, which knows nothing of the options --direct_...; triggers we have none.
    options.view_as(TypeOptions).allow_unsafe_triggers = True
    return options


def check_sendable(make):
    """Raises unless a function can be sent to the workers, with all that it holds."""
    try:
        pickler.dumps(make)
    except Exception as error:  # whatever an object says that cannot be pickled
        raise invalid(
            WHERE,
            "a teacher, data and `augment` that can be sent to the workers",
            f"what cannot be pickled ({_told(error)})",
            "Let functions make all that they use, or import it, on the worker.",
        ) from error


def check_reachable(staging):
    """Raises unless Beam knows file systems of that kind."""
    try:
        FileSystems.get_filesystem(staging)
    except ValueError as error:
        raise invalid(
            WHERE,
            "`staging` on a file system that Beam reaches",
            f'"{staging}"',
            "Install what it needs for that, such as apache-beam[gcp] for gs://.",
        ) from error


def run(options, runs, work):
    """Runs the pipeline to its end.

    Args:
        options: `PipelineOptions`.
        runs: list of lists of int, the shards that a worker computes one by one.
        work: `LabelShards`.

    Raises:
        ValueError: The pipeline could not be started, or did not come to its end.
    """
    try:
        pipeline = beam.Pipeline(options=options)
        # Without the shuffle a runner may let a single worker have all of it.
        _ = pipeline | beam.Create(runs) | beam.Reshuffle() | beam.ParDo(work)
        result = pipeline.run()
        result.wait_until_finish()
        state, cause = result.state, None
    except Exception as error:  # each runner has its own
        state, cause = _told(error), error
    if state != PipelineState.DONE:
        raise invalid(
            WHERE,
            "a pipeline that comes to its end",
            state,
            "Whole shards stay: mend this, and repeat the same to go on.",
        ) from cause


def stage(staging, plan, shard, rows):
    """Writes a shard into a folder of Beam's file systems.

    Args:
        staging: str, the folder.
        plan: the store's `Plan`.
        shard: int, its number.
        rows: see `write_shard`.
    """
    target = staged(staging, plan, shard)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / plan.file_name(shard)
        _store.write_shard(file, plan, rows)
        # A second try may find what the first has left; not all systems overwrite.
        if FileSystems.exists(target):
            FileSystems.delete([target])
        with file.open("rb") as source, FileSystems.create(target) as sink:
            shutil.copyfileobj(source, sink)


def fetch(staging, options, folder, plan, shards):
    """Moves staged shards into their store, whole or damaged: those that there are.

    Args:
        staging: str, the folder of Beam's file systems.
        options: `PipelineOptions`.
        folder: `Path`, of the store.
        plan: its `Plan`.
        shards: list of int.
    """
    FileSystems.set_options(options)
    for shard in shards:
        source = staged(staging, plan, shard)
        if not FileSystems.exists(source):
            continue
        with FileSystems.open(source) as there:
            content = there.read()
        target = folder / plan.file_name(shard)
        with _store.needing_room(WHERE, folder), written_whole(target) as (file,):
            file.write_bytes(content)
        FileSystems.delete([source])


def staged(staging, plan, shard):
    """The file of a staged shard; those of another plan have other names."""
    digest = hashlib.sha256(repr(_compared(plan)).encode()).hexdigest()
    return FileSystems.join(staging, f"{digest[:16]}-{plan.file_name(shard)}")


def _compared(plan):
    """What must be equal of a plan, by name."""
    names = [entry.name for entry in fields(plan) if entry.compare]
    return {name: getattr(plan, name) for name in names}


def _machine():
    return f"the worker {socket.gethostname()}"


def _told(error):
    """What an error says last: before that comes the traceback of a worker."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = re.sub(r" \[while running '.*'\]$", "", lines[-1] if lines else repr(error))
    return re.sub(r"^keras_kd\.\S+Error: ", "", said).rstrip(".")

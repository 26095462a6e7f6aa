"""What chosen layers are given and give during a forward pass.

A layer's `call` (or its activation) is replaced on the instance for as long as some
thread records it, and put back after. So a feature comes from the very pass that gives
the logits, in every kind of model, nested and subclassed ones too. It costs nothing at
run time: under `tf.function` it happens while the graph is traced.
"""

import contextlib
import functools
import threading
from collections import defaultdict
from typing import NamedTuple

_lock = threading.RLock()
_probes = {}  # (id(owner), attribute) -> _Probe
_thread = threading.local()


class Recorded(NamedTuple):
    """One call of a recorded function: its first argument and its result."""

    argument: object
    result: object


@contextlib.contextmanager
def record(targets):
    """Records calls while the context is open, in this thread only.

    Args:
        targets: list of `(owner, attribute)`: `owner.attribute` is a function.

    Yields:
        A dict that fills up: `(id(owner), attribute)` to a list of `Recorded`.
    """
    calls = defaultdict(list)
    wanted = {(id(owner), attribute): owner for owner, attribute in targets}
    with _lock:
        for (key, attribute), owner in wanted.items():
            probe = _probes.get((key, attribute)) or _Probe(owner, attribute)
            probe.users += 1
    recordings = _recordings()
    recordings.append((wanted, calls))
    try:
        yield calls
    finally:
        # By identity: two recordings of the same layers compare equal.
        del recordings[next(i for i, r in enumerate(recordings) if r[1] is calls)]
        with _lock:
            for key in wanted:
                _probes[key].release()


def _recordings():
    if not hasattr(_thread, "recordings"):
        _thread.recordings = []
    return _thread.recordings


class _Probe:
    """Stands in for `owner.attribute` while at least one thread records it.

    Replicas of a distribution strategy run in threads that take turns in the middle of
    a forward pass, so the stand-in is shared and counted, and results go only to the
    recordings of the thread that made the call.
    """

    def __init__(self, owner, attribute):
        self.owner = owner
        self.attribute = attribute
        self.users = 0
        # `vars` rather than setattr: Keras must not track or refuse the change.
        self.own = vars(owner).get(attribute)
        original = getattr(owner, attribute)
        key = (id(owner), attribute)

        @functools.wraps(original)
        def stand_in(*args, **kwargs):
            result = original(*args, **kwargs)
            argument = args[0] if args else next(iter(kwargs.values()), None)
            for wanted, calls in _recordings():
                if key in wanted:
                    calls[key].append(Recorded(argument, result))
            return result

        vars(owner)[attribute] = stand_in
        _probes[key] = self

    def release(self):
        self.users -= 1
        if self.users:
            return
        if self.own is None:
            del vars(self.owner)[self.attribute]
        else:
            vars(self.owner)[self.attribute] = self.own
        del _probes[(id(self.owner), self.attribute)]

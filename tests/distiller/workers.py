"""Programs that run as two workers: real processes on loopback, with a time limit."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIMIT_S = 240


def start(program, *arguments):
    """Two workers of one program, which know each other by TF_CONFIG."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    workers = []
    for number in range(2):
        task = {"type": "worker", "index": number}
        config = json.dumps({"cluster": {"worker": addresses}, "task": task})
        workers.append(
            subprocess.Popen(
                [sys.executable, program, *arguments],
                env={**os.environ, "TF_CONFIG": config, "PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    return workers


def ended(workers):
    """Stdout and stderr of each worker, when all have ended; none goes on alone."""
    try:
        return [worker.communicate(timeout=LIMIT_S) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()

"""A board that is reached with OpenSSH's programs, and a folder there for one run."""

import contextlib
import re
import shlex
import shutil

from keras_kd._checks import invalid
from keras_kd.benchmark._linux_run import finished, last_line
from keras_kd.benchmark.measurement import DeviceError

WHERE = "keras_kd.benchmark.measure"
# An option is none: no part starts with a dash. An IPv6 address stands in brackets.
_PLACE = re.compile(
    r"([\w.][\w.-]*@)?(\[[\da-fA-F:.%\w]+\]|[\w.][\w.-]*)(?::(\d{1,5}))?", re.ASCII
)
# No question that nobody sees; a board that was unplugged is missed within 15 s.
_OPTIONS = {
    "BatchMode": "yes",
    "ConnectTimeout": "10",
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "3",
}
_SSH_FAILED = 255


class Board:
    """A machine that ssh can reach.

    Args:
        target: str, for the messages.
        place: str, "user@board" or "user@board:2222".
    """

    def __init__(self, target, place):
        found = _PLACE.fullmatch(place)
        if not found:
            raise invalid(
                WHERE,
                'the target as "ssh:user@board" or "ssh:user@board:2222"',
                f'"{target}"',
                "Correct the target.",
            )
        for tool in ("ssh", "scp"):
            if not shutil.which(tool):
                raise DeviceError(
                    f"{target}: {tool} is not installed. Install it; on Debian, "
                    "openssh-client."
                )
        self.target = target
        self.host = (found[1] or "") + found[2]
        port = found[3]
        options = [f"-o{name}={value}" for name, value in _OPTIONS.items()]
        self._ssh = ["ssh", *options, *(["-p", port] if port else [])]
        self._scp = ["scp", "-q", *options, *(["-P", port] if port else [])]

    def machine(self):
        """The kind of processor, as `uname -m` prints."""
        # A 64-bit kernel may carry a 32-bit system, which cannot run our program.
        bits, machine = self.shell("getconf LONG_BIT || echo 64; uname -m").split()[-2:]
        return machine if bits == "64" else f"{machine}, {bits}-bit system"

    @contextlib.contextmanager
    def folder(self):
        """A new `BoardFolder`, removed at the end with the program that runs in it."""
        # Not all that is printed is ours: a shell's start-up file may greet.
        made = self.shell('mktemp -d "${TMPDIR:-/tmp}/keras-kd-XXXXXXXX"')
        path = last_line(made)
        there = BoardFolder(self, path)
        try:
            yield there
        finally:
            there.remove()

    def shell(self, script):
        """What a script for `sh` prints there; raises a `DeviceError` if it fails."""
        # A person's shell may be another.
        host = self.host.replace("[", "").replace("]", "")
        return self._run([*self._ssh, host, f"sh -c {shlex.quote(script)}"])

    def copy(self, *files):
        """Copies with scp; the last of the files is where to."""
        self._run([*self._scp, *map(str, files)])

    def _run(self, command):
        done = finished(self.target, command)
        if done.returncode:
            reason = self._reason(done.returncode, last_line(done.stderr))
            raise DeviceError(f"{self.target}: {reason}")
        return done.stdout

    def _reason(self, code, last):
        if code == _SSH_FAILED:
            return (
                f"the board cannot be reached, or was lost ({last or 'no message'}). "
                f"`{' '.join(part for part in self._ssh if part[:2] != '-o')} "
                f"{self.host}` must work without a password."
            )
        missing = re.search(r"version `(GLIBC[\w.]*)' not found", last)
        if missing:
            return f"the board's system is too old, it has no {missing[1]}. Update it."
        return last or f"a command on the board ended with {code}"


class BoardFolder:
    """A folder on a board.

    Args:
        board: a `Board`.
        path: str, its path there.
    """

    def __init__(self, board, path):
        self.board = board
        self.path = path

    def send(self, files, folder):
        """Copies files there.

        Args:
            files: dict, from the name there to the `Path` here.
            folder: `Path` of an empty folder here, to be used.
        """
        for name, path in files.items():
            (folder / name).symlink_to(path.absolute())
        sources = [folder / name for name in files]
        self.board.copy(*sources, f"{self.board.host}:{self.path}/")

    def run(self, command):
        """The last line that a program prints that is run in the folder."""
        # The process keeps its number when it becomes the program: see `remove`.
        words = " ".join(map(shlex.quote, command))
        folder = shlex.quote(self.path)
        printed = self.board.shell(f"cd {folder} && echo $$ > pid && exec {words}")
        return last_line(printed)

    def fetch(self, name, path):
        """Copies a file to `path` here."""
        self.board.copy(f"{self.board.host}:{self.path}/{name}", path)

    def remove(self):
        """Removes the folder, and ends the program if it still runs."""
        folder = shlex.quote(self.path)
        # A number that is another program's by now is left alone.
        script = (
            f"cd {folder} || exit 0; pid=$(cat pid 2>/dev/null); "
            'test "$(readlink /proc/$pid/cwd)" = "$(pwd -P)" && kill $pid; '
            f"cd / && rm -rf {folder}"
        )
        try:
            self.board.shell(script)
        except DeviceError as error:
            raise DeviceError(f"{error} Its folder {self.path} is left.") from error

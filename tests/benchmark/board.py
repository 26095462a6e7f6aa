"""A board: OpenSSH's real server on this machine, with keys and a folder of its own."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

SERVER = """Port {port}
ListenAddress 127.0.0.1
HostKey {home}/host_key
AuthorizedKeysFile {home}/user_key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
SetEnv TMPDIR={temporary} PATH={programs}:/usr/bin:/bin
"""
CLIENT = """Host *
  IdentityFile {home}/user_key
  IdentitiesOnly yes
  UserKnownHostsFile {home}/known_hosts
  GlobalKnownHostsFile /dev/null
  LogLevel ERROR
"""


class LocalBoard:
    """Starts at once; `stop` ends it.

    Attributes:
        target: str, for a `Request`.
        temporary: `Path`, where the board keeps temporary files.
        programs: `Path` of a folder; what is in it comes before the system's programs.
        bin: `Path` of a folder for PATH, whose ssh and scp know the keys.
    """

    def __init__(self, home):
        self.home = home
        self.temporary, self.programs = home / "tmp", home / "programs"
        self.bin = home / "bin"
        for folder in (self.temporary, self.programs, self.bin):
            folder.mkdir(parents=True)
        for name in ("host_key", "user_key"):
            make_key(home / name)
        self.port = _free_port()
        self.place = f"{getpass.getuser()}@127.0.0.1:{self.port}"
        self.target = f"ssh:{self.place}"
        public = (home / "host_key.pub").read_text()
        (home / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {public}")
        (home / "client").write_text(CLIENT.format(home=home))
        for name in ("ssh", "scp"):
            wrapper = self.bin / name
            real = shutil.which(name)
            wrapper.write_text(f'#!/bin/sh\nexec {real} -F {home}/client "$@"\n')
            wrapper.chmod(0o755)
        self._start()

    def _start(self):
        config = SERVER.format(**vars(self))
        (self.home / "server").write_text(config)
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        server = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
        command = [server, "-D", "-f", self.home / "server", "-E", self.home / "log"]
        self.server = subprocess.Popen(command)
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError((self.home / "log").read_text())

    def stop(self):
        """Ends the server; sessions go on."""
        self.server.terminate()
        self.server.wait()

    def cut_sessions(self):
        """Ends the server's processes that hold a connection, and not what they ran."""
        for pid in self._sessions():
            os.kill(pid, signal.SIGKILL)

    def unplug(self):
        """No connection stays, and none can be made."""
        sessions = self._sessions()
        self.stop()
        for pid in sessions:
            os.kill(pid, signal.SIGKILL)

    def _sessions(self):
        # For another user than root, a second process holds the connection.
        outer = _children(self.server.pid)
        pids = [*outer, *(pid for one in outer for pid in _children(one))]
        return [pid for pid in pids if _name(pid) == "sshd"]

    def running_program(self, *, seconds=60):
        """The process id of the program, once it runs."""
        for _ in range(seconds * 20):
            for file in self.temporary.glob("*/pid"):
                pid = file.read_text().strip()
                if pid and _name(pid) == "run_student":
                    return int(pid)
            time.sleep(0.05)
        raise RuntimeError("the program was not started")


def has_ended(pid, *, seconds=10):
    """Whether the program ends soon."""
    for _ in range(seconds * 20):
        if _name(pid) != "run_student":
            return True
        time.sleep(0.05)
    return False


def _children(pid):
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(one) for one in text.split()]


def make_key(path):
    options = ["-q", "-t", "ed25519", "-N", "", "-f", path]
    subprocess.run(["ssh-keygen", *options], check=True)


def _name(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]

"""Runs a sample of the tests on the lowest, the newest and the coming versions.

`make versions`, or `python versions/try_versions.py NAME…` with some of `lowest`,
`newest` and `pre-release`. Each gets a new environment in build/versions/NAME.
"""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import lowest

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build" / "versions"
NIGHTLY = ("keras-nightly", "tf-nightly-cpu")
SHOWN = ("keras", "keras-nightly", "tensorflow", "tf-nightly-cpu", "numpy")


def sample():
    """The test files to run."""
    lines = (ROOT / "versions" / "sample.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


class Environment:
    """A new virtual environment of one name.

    Args:
        name: "lowest", "newest" or "pre-release".
    """

    def __init__(self, name):
        self.name = name
        self.folder = BUILD / name
        shutil.rmtree(self.folder, ignore_errors=True)
        venv.create(self.folder, with_pip=True)

    def run(self, *command):
        """Whether `python -m COMMAND` ends well, from the repository's folder."""
        python = self.folder / "bin" / "python"
        return subprocess.run([python, "-m", *command], cwd=ROOT).returncode == 0

    def pip(self, *arguments):
        """Whether a command of pip ends well."""
        quiet = ("--quiet", "--disable-pip-version-check")
        return self.run("pip", *arguments, *quiet)

    def install(self):
        """Whether pip could install the package, the tests' tools, and what to try."""
        package = ("install", "--editable", ".[dev]")
        if self.name != "lowest":
            return self.pip(*package) and (self.name == "newest" or self._nightly())
        path = BUILD / "lowest.constraints"
        path.write_text("\n".join(lowest.constraints()), encoding="utf-8")
        return self.pip(*package, "--constraint", str(path))

    def versions(self):
        """What is installed of `SHOWN`; the whole list goes beside the folder."""
        command = (self.folder / "bin" / "python", "-m", "pip", "freeze")
        frozen = subprocess.run(command, capture_output=True, text=True, check=True)
        self.folder.with_suffix(".txt").write_text(frozen.stdout, encoding="utf-8")
        lines = frozen.stdout.splitlines()
        return ", ".join(line for line in lines if line.split("==")[0] in SHOWN)

    def _nightly(self):
        # They lie where the releases do; what is left of those would be in the way.
        releases = ("uninstall", "--yes", "keras", "tensorflow")
        return self.pip(*releases) and self.pip("install", "--pre", *NIGHTLY)


def tried(name):
    """One line: what became of one name."""
    environment = Environment(name)
    if not environment.install():
        return f"{name}: not tried, pip cannot install it"
    versions = environment.versions()
    print(f"{name}: {versions}", flush=True)
    ok = environment.run("pytest", "-q", "-m", "not release", *sample())
    return f"{name}: {'passed' if ok else 'FAILED'} ({versions})"


def main(names):
    """Tries each name; the exit code tells whether a sample failed."""
    results = [tried(name) for name in names]
    print("\n".join(results))
    return any("FAILED" in result for result in results)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["lowest", "newest", "pre-release"]))

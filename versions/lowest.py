"""The lowest version that pyproject.toml declares of every dependency.

`python versions/lowest.py` prints them as constraints for pip.
"""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


def requirements():
    """Every `Requirement` of the package and its extras, but those on itself."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    extras = project.get("optional-dependencies", {}).values()
    lines = [*project["dependencies"], *(line for extra in extras for line in extra)]
    found = {str(one): one for one in map(Requirement, lines)}
    return [one for one in found.values() if one.name != project["name"]]


def lowest(requirement):
    """The version after `>=`; None if it has none."""
    bounds = [one.version for one in requirement.specifier if one.operator == ">="]
    return bounds[0] if bounds else None


def constraints():
    """Lines such as "keras==3.13", with the markers of pyproject.toml."""
    for one in requirements():
        marker = f"; {one.marker}" if one.marker else ""
        yield f"{one.name}=={lowest(one)}{marker}"


if __name__ == "__main__":
    print("\n".join(sorted(set(constraints()))))

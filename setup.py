"""The programs of export/ travel in the wheel, as the data of keras_kd._programs.

All else is in pyproject.toml, where packages are either found or listed: one that lies
elsewhere cannot be added to those that are found.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["keras_kd*"]), "keras_kd._programs"],
    package_dir={"keras_kd._programs": "export"},
)

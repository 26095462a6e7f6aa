"""The versions of other packages, as results and files note them."""

import importlib
import importlib.metadata


def version(package):
    """The version of an installed package.

    Args:
        package: str, its name as pip knows it; that of what is imported if a nightly
            build has another name, as keras-nightly and tf-nightly have.

    Example:
        >>> version("numpy")[0].isdigit()
        True
    """
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return importlib.import_module(package).__version__

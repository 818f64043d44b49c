"""Broken variants of components, for tests of what checks them."""

import inspect
import sys

__all__ = ["mutant"]


def mutant(component, old, new):
    """``component``'s class with ``old`` replaced by ``new`` in its source."""
    source = inspect.getsource(component)
    assert source.count(old) == 1, f"{component.__name__} has {source.count(old)} times {old!r}"
    scope = dict(vars(sys.modules[component.__module__]))
    exec(source.replace(old, new), scope)  # the project's own source
    return scope[component.__name__]

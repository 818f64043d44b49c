"""What no other point beats."""

from collections.abc import Callable, Iterable

__all__ = ["pareto_front"]


def pareto_front(items: Iterable, cost: Callable, gain: Callable) -> list:
    """Items with no other of at most their cost and at least their gain, by rising cost.

    Of items equal in both, the first.
    """
    front = []
    for item in sorted(items, key=lambda item: (cost(item), -gain(item))):
        if not front or gain(item) > gain(front[-1]):
            front.append(item)
    return front

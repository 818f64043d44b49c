"""Small designs for tests."""

from fxhw.plan import Design

__all__ = ["small_design"]


def small_design(**changes) -> Design:
    """A design that needs no network; ``changes`` override its parameters."""
    fields = {
        "wbits": 4,
        "abits": 6,
        "pin": 2,
        "pout": 3,
        "max_width": 16,
        "max_height": 16,
        "max_groups_in": 4,
        "max_groups_out": 4,
        "front_groups": 2,
        "head_groups": 3,
        "row_words": 64,
        "pool_words": 32,
        "weight_words": 8,
        "feature_words": 1000,
        "parameter_beats": 500,
        "bus_bits": 32,
    }
    return Design(**{**fields, **changes})

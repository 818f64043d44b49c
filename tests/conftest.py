"""What every test runs under."""

import os

# The tests run in one process per core; threads inside NumPy would only fight for the same cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from hypothesis import settings

settings.register_profile("ci", derandomize=True, database=None, deadline=None, max_examples=60)
settings.load_profile("ci")

"""What the training tests share; torch is imported only when a fixture is used."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """The networks here are too small for threads to pay."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)

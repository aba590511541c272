"""The photos of a studio."""

import pytest


@pytest.fixture
def photos(heap):
    """A folder of ten, some in class folders."""
    return heap

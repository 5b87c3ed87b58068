"""Contract tests, and builders of test data, for those who write an adapter of their own.

`uplift.testing.store` tests a store. It needs pytest and anyio: `pip install 'uplift-gateway[testing]'`.
"""

import pytest

# pytest explains a failing `assert` only in modules that are registered before their import.
pytest.register_assert_rewrite("uplift.testing.store", "uplift.testing.refusals", "uplift.testing.stores")

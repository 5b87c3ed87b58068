"""Contract tests, and builders of test data, for authors of their own adapters.

`uplift.testing.store` tests a store, `uplift.testing.engine` an adapter to a workflow engine. Both need
pytest and anyio: `pip install 'uplift-gateway[testing]'`.
"""

import pytest

# pytest explains a failing `assert` only in modules that are registered before their import.
pytest.register_assert_rewrite(
    "uplift.testing.store", "uplift.testing.engine", "uplift.testing.refusals", "uplift.testing.stores"
)

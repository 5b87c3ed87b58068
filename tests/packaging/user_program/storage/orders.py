"""What the program stores."""

from uplift.domain import InstanceId


def order_ids(orders: dict[str, InstanceId]) -> list[InstanceId]:
    return [orders[name] for name in sorted(orders)]

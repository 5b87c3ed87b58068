"""Clients that read like a dashboard, and check what they read."""

from bench.soak.client import Client, Shift
from bench.soak.ledger import canonical

INSTANCE = """
query($id: UUID!) {
  instance(id: $id) {
    version status position
    history { kind fromVersion toVersion upgrade { selection requestedBy } }
  }
}
"""
COHORTS = """
query($namespace: String!, $code: String!) {
  process(namespace: $namespace, code: $code) {
    latestPublishedVersion { number }
    cohorts { version status position count }
  }
}
"""
PAGE = """
query($namespace: String!, $code: String!, $after: String) {
  process(namespace: $namespace, code: $code) {
    instances(filter: {statuses: PENDING}, first: 100, after: $after) {
      totalCount nodes { instanceId status version position } pageInfo { hasNextPage endCursor }
    }
  }
}
"""
UPGRADES = """
{
  upgrades(first: 20) {
    nodes {
      id state total upgraded skipped expected countsByReason { code count }
      outcomes(first: 10) { nodes { instanceId kind fromVersion toVersion } }
    }
  }
}
"""
COMPARISON = """
query($namespace: String!, $code: String!, $from: Int!) {
  process(namespace: $namespace, code: $code) {
    comparison(fromVersion: $from) { toVersion errors { code source } mapping { source target } }
  }
}
"""
PLAN = """
query($input: UpgradePlanInput!) {
  upgradePlan(input: $input) {
    plan { total upgraded skipped cohorts { count decision } } userErrors { code message }
  }
}
"""


class Reader:
    """Reads instances, cohorts, upgrades and plans, and compares them with the ledger."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._ledger = client.ledger
        self._chance = client.chance

    async def work(self, shift: Shift) -> None:
        often = [self.read_instance] * 6
        seldom = [self.read_cohorts, self.walk, self.read_upgrades, self.compare, self.plan]
        await self._client.in_rounds([*often, *seldom], shift)

    async def read_instance(self) -> None:
        """An instance whose registration was confirmed can be read immediately."""
        instance_id = self._chance.choice(self._ledger.certain(self._client.any_process()))
        known = self._ledger.instances[instance_id]
        before = set(known.facts)
        shown = (await self._client.ask("instance with history", INSTANCE, id=str(instance_id)))["instance"]
        assert shown is not None, f"instance {instance_id} is lost"
        if len(before) == 1 and known.facts == before:
            assert {(shown["status"], canonical(shown["position"]))} == before, (
                f"{instance_id}: {shown} {before}"
            )

    async def read_cohorts(self) -> None:
        process = self._client.any_process()
        least = len(self._ledger.certain(process))
        latest = self._ledger.latest[process]
        named = {"namespace": process.namespace, "code": process.code}
        shown = (await self._client.ask("cohorts", COHORTS, **named))["process"]
        count = sum(cohort["count"] for cohort in shown["cohorts"])
        registered = sum(known.registered.process == process for known in self._ledger.instances.values())
        assert least <= count <= registered, (
            f"{count} instances in cohorts, but {least} to {registered} were registered"
        )
        assert shown["latestPublishedVersion"]["number"] >= latest

    async def walk(self) -> None:
        """Read three pages of waiting instances. No instance is on two pages."""
        process = self._client.any_process()
        seen: list[str] = []
        after = None
        for _ in range(3):
            named = {"namespace": process.namespace, "code": process.code, "after": after}
            page = (await self._client.ask("page of instances", PAGE, **named))["process"]["instances"]
            assert {node["status"] for node in page["nodes"]} <= {"PENDING"}
            seen += [node["instanceId"] for node in page["nodes"]]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                break
        assert len(set(seen)) == len(seen), "an instance is on two pages"

    async def read_upgrades(self) -> None:
        nodes = (await self._client.ask("upgrades with outcomes", UPGRADES))["upgrades"]["nodes"]
        for node in nodes:
            assert node["total"] == node["upgraded"] + node["skipped"], node
            shown = node["outcomes"]["nodes"]
            assert len({outcome["instanceId"] for outcome in shown}) == len(shown), node

    async def compare(self) -> None:
        process = self._client.any_process()
        named = {"namespace": process.namespace, "code": process.code}
        await self._client.ask("comparison", COMPARISON, **named, **{"from": 1})

    async def plan(self) -> None:
        process = self._client.any_process()
        fields = {"namespace": process.namespace, "code": process.code, "selection": {"allActive": {}}}
        payload = (await self._client.ask("dry run", PLAN, input=fields))["upgradePlan"]
        assert payload["userErrors"] == []
        plan = payload["plan"]
        assert plan["total"] == sum(cohort["count"] for cohort in plan["cohorts"])
        upgraded = sum(cohort["count"] for cohort in plan["cohorts"] if cohort["decision"] == "UPGRADE")
        assert (plan["upgraded"], plan["skipped"]) == (upgraded, plan["total"] - upgraded)

"""The payloads of mutations have what changed and its process."""

import pytest

from tests.graphql_api.support.schema_client import Client
from tests.graphql_api.support.schema_world import add_instances, add_process, an_id, an_instance
from uplift.domain import ProcessKey

pytestmark = pytest.mark.anyio


async def test_a_payload_has_what_changed_and_its_process(client: Client) -> None:
    named = {"namespace": "shop", "code": "order"}
    data = await client.ask(
        """
        mutation($named: PublishVersionInput!, $draft: SaveDraftInput!, $process: CreateProcessInput!) {
          createProcess(input: $process) {process {id versions {id}}}
          saveDraft(input: $draft) {version {id state} process {id versions {id} latestPublishedVersion {id}}}
          publishVersion(input: $named) {version {id state} process {id latestPublishedVersion {id}}}
        }
        """,
        named=named,
        draft=named,
        process=named,
    )
    first = "version:shop/order/1"
    assert data == {
        "createProcess": {"process": {"id": "process:shop/order", "versions": []}},
        "saveDraft": {
            "version": {"id": first, "state": "DRAFT"},
            "process": {
                "id": "process:shop/order",
                "versions": [{"id": first}],
                "latestPublishedVersion": None,
            },
        },
        "publishVersion": {
            "version": {"id": first, "state": "PUBLISHED"},
            "process": {"id": "process:shop/order", "latestPublishedVersion": {"id": first}},
        },
    }


async def test_payloads_of_instances_have_the_first_of_them_and_their_processes(client: Client) -> None:
    loan = await add_process(client.store, ProcessKey(namespace="bank", code="loan"))
    await add_process(client.store)
    await add_instances(client.store, an_instance(1, process=loan), an_instance(2, process=loan))
    data = await client.ask(
        """
        mutation($new: [RegisteredInstanceInput!]!, $reports: [ReportedInstanceInput!]!) {
          registerInstances(input: {namespace: "shop", code: "order", instances: $new}) {
            count instances {instanceId status} process {code cohorts {count}}
          }
          reportInstances(input: {instances: $reports}) {
            count
            instances(first: 2) {instanceId status}
            processes {code cohorts {status count}}
            first: processes(first: 1) {code}
          }
        }
        """,
        new=[{"id": str(an_id(number)), "version": 1, "status": "PENDING"} for number in (4, 3)],
        reports=[{"id": str(an_id(number)), "status": "RUNNING"} for number in (3, 1, 4)],
    )
    assert data == {
        "registerInstances": {
            "count": 2,
            "instances": [
                {"instanceId": str(an_id(4)), "status": "PENDING"},
                {"instanceId": str(an_id(3)), "status": "PENDING"},
            ],
            "process": {"code": "order", "cohorts": [{"count": 2}]},
        },
        "reportInstances": {
            "count": 3,
            "instances": [
                {"instanceId": str(an_id(3)), "status": "RUNNING"},
                {"instanceId": str(an_id(1)), "status": "RUNNING"},
            ],
            "processes": [
                {
                    "code": "loan",
                    "cohorts": [{"status": "PENDING", "count": 1}, {"status": "RUNNING", "count": 1}],
                },
                {"code": "order", "cohorts": [{"status": "RUNNING", "count": 2}]},
            ],
            "first": [{"code": "loan"}],
        },
    }


async def test_a_refused_payload_has_nothing_that_changed(client: Client) -> None:
    data = await client.ask(
        """
        mutation($reports: [ReportedInstanceInput!]!) {
          saveDraft(input: {namespace: "shop", code: "order"}) {version {id} process {id}}
          registerInstances(input: {namespace: "shop", code: "order", instances: []}) {
            count instances {id} process {id}
          }
          reportInstances(input: {instances: $reports}) {count instances {id} processes {id}}
          pauseUpgrade(input: {id: "00000000-0000-4000-8000-000000000001"}) {upgrade {id} process {id}}
        }
        """,
        reports=[{"id": str(an_id(1)), "status": "RUNNING"}],
    )
    assert {value for payload in data.values() for value in payload.values()} == {None}

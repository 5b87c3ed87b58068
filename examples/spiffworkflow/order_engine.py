"""A small workflow engine on SpiffWorkflow and SQLite, whose instances Uplift upgrades.

    python order_engine.py deploy order-v1.bpmn     # stores a version, and publishes it in Uplift
    python order_engine.py start 20                 # starts instances of the newest version
    python order_engine.py complete check 5         # completes the task `check` of five instances
    python order_engine.py sync                     # reports to Uplift, and carries out what Uplift orders
    python order_engine.py show                     # prints where instances wait

It needs UPLIFT_URL and two API keys: UPLIFT_API_KEY, of an administrator, for `deploy`, and
UPLIFT_ENGINE_KEY, of the role `engine`, for `sync`.
"""

import argparse
import json
import os
import sqlite3
import sys
from collections import Counter
from pathlib import Path
from uuid import uuid4

from lxml import etree
from SpiffWorkflow import TaskState
from SpiffWorkflow.bpmn.parser import BpmnParser
from SpiffWorkflow.bpmn.serializer import BpmnWorkflowSerializer
from SpiffWorkflow.bpmn.util.diff import SpecDiff, WorkflowDiff, migrate_workflow
from SpiffWorkflow.bpmn.workflow import BpmnWorkflow

from uplift_client import Uplift

NAMESPACE, CODE, LINK = "shop", "order", "orders"
TABLES = """
CREATE TABLE IF NOT EXISTS version (number INTEGER PRIMARY KEY, document BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS instance (
    id TEXT PRIMARY KEY, version INTEGER NOT NULL, workflow TEXT NOT NULL, changed INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE IF NOT EXISTS carried_out (number INTEGER PRIMARY KEY, refusal TEXT, code TEXT);
CREATE TABLE IF NOT EXISTS settled (cursor TEXT);
"""
"""`changed` marks instances whose position Uplift does not know yet. `carried_out` has the answer to each
order: one that comes again is answered, and not carried out, again. `settled` has the cursor of the last page
of orders that are all answered."""


class Refused(Exception):
    """The engine cannot carry out an order; `code` is one of those that Uplift knows."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class OrderEngine:
    """Runs instances of one process, each on one version."""

    def __init__(self, file: Path) -> None:
        self.database = sqlite3.connect(file)
        self.database.executescript(TABLES)
        self.serializer = BpmnWorkflowSerializer()

    def deploy(self, document: bytes) -> int:
        """Store a document as the next version."""
        self._spec_of(document)  # raises an error for one that cannot be read
        with self.database:
            (number,) = self.database.execute("SELECT coalesce(max(number), 0) + 1 FROM version").fetchone()
            self.database.execute("INSERT INTO version VALUES (?, ?)", (number, document))
        return number

    def start(self, count: int) -> None:
        """Start instances of the newest version."""
        (number,) = self.database.execute("SELECT max(number) FROM version").fetchone()
        with self.database:
            for _ in range(count):
                workflow = BpmnWorkflow(self._spec(number))
                workflow.do_engine_steps()
                text = self.serializer.serialize_json(workflow)
                self.database.execute(
                    "INSERT INTO instance (id, version, workflow) VALUES (?, ?, ?)",
                    (str(uuid4()), number, text),
                )

    def complete(self, element: str, count: int) -> int:
        """Complete a task of some instances that wait there."""
        done = 0
        with self.database:
            for instance_id, _, workflow in self.instances():
                tasks = [task for task in waiting(workflow) if task.task_spec.name == element]
                if tasks and done < count:
                    tasks[0].run()
                    workflow.do_engine_steps()
                    self._save(instance_id, workflow)
                    done += 1
        return done

    def instances(self, where: str = "true", *values: object):
        """Each instance that meets a condition: its id, version and workflow."""
        query = f"SELECT id, version, workflow FROM instance WHERE {where}"
        rows = self.database.execute(query, values).fetchall()
        for instance_id, version, text in rows:
            yield instance_id, version, self.serializer.deserialize_json(text)

    def move(self, order: dict) -> None:
        """Carry out an order, unless it was carried out before, and store the answer with it."""
        with self.database:
            known = self.database.execute("SELECT 1 FROM carried_out WHERE number = ?", (order["number"],))
            if known.fetchone():
                return
            try:
                self._move(order)
                refusal = code = None
            except Refused as error:
                refusal, code = str(error), error.code
            self.database.execute(
                "INSERT INTO carried_out VALUES (?, ?, ?)", (order["number"], refusal, code)
            )

    def answer(self, number: int) -> dict:
        """The result of an order, as Uplift takes it."""
        refusal, code = self.database.execute(
            "SELECT refusal, code FROM carried_out WHERE number = ?", (number,)
        ).fetchone()
        return (
            {"number": number, "isDone": True}
            if code is None
            else {
                "number": number,
                "isDone": False,
                "code": code,
                "message": refusal,
            }
        )

    @property
    def cursor(self) -> str | None:
        """Where the orders begin that may not be answered yet."""
        row = self.database.execute("SELECT cursor FROM settled").fetchone()
        return row[0] if row else None

    @cursor.setter
    def cursor(self, cursor: str | None) -> None:
        with self.database:
            self.database.execute("DELETE FROM settled")
            self.database.execute("INSERT INTO settled VALUES (?)", (cursor,))

    def _move(self, order: dict) -> None:
        found = list(self.instances("id = ?", order["engineId"]))
        if not found or found[0][2].completed:
            raise Refused("INSTANCE_NOT_FOUND", "The instance has ended.")
        [(instance_id, version, workflow)] = found
        position = sorted({task.task_spec.name for task in waiting(workflow)})
        if (version, position) != (order["fromVersion"], order["fromPosition"]):
            raise Refused("MOVED_ON", f"The instance is on version {version} at {', '.join(position)}.")
        target = self._spec(order["toVersion"])
        diff = SpecDiff(self.serializer.registry, workflow.spec, target)
        # SpiffWorkflow also pairs tasks by their neighbours. Operators have seen Uplift's mapping.
        for pair in order["mapping"]:
            diff.alignment[workflow.spec.task_specs[pair["source"]]] = target.task_specs[pair["target"]]
        migrate_workflow(WorkflowDiff(workflow, diff), workflow, target)
        workflow.do_engine_steps()
        self._save(instance_id, workflow, order["toVersion"])

    def _save(self, instance_id: str, workflow: BpmnWorkflow, version: int | None = None) -> None:
        self.database.execute(
            "UPDATE instance SET workflow = ?, version = coalesce(?, version), changed = 1 WHERE id = ?",
            (self.serializer.serialize_json(workflow), version, instance_id),
        )

    def _spec(self, number: int):
        (document,) = self.database.execute(
            "SELECT document FROM version WHERE number = ?", (number,)
        ).fetchone()
        return self._spec_of(document)

    def _spec_of(self, document: bytes):
        parser = BpmnParser()
        parser.add_bpmn_xml(etree.fromstring(document), f"{CODE}.bpmn")
        return parser.get_spec(CODE)


def waiting(workflow: BpmnWorkflow) -> list:
    """The tasks at which an instance waits for somebody."""
    return workflow.get_tasks(state=TaskState.READY | TaskState.WAITING, manual=True)


def publish(engine: OrderEngine, uplift: Uplift, document: bytes) -> int:
    """Store a version here, and publish it in Uplift under the same number."""
    number = engine.deploy(document)
    process = {"namespace": NAMESPACE, "code": CODE}
    if number == 1:
        uplift.mutate("createProcess", {**process, "title": "Orders"})
    uplift.mutate("saveDraft", {**process, "bpmn": document.decode()})
    uplift.mutate("publishVersion", process)
    if number == 1:
        uplift.mutate(
            "linkEngine", {"name": LINK, "kind": "PULL", "namespace": NAMESPACE, "processes": [CODE]}
        )
    return number


def report(engine: OrderEngine, uplift: Uplift) -> int:
    """Tell Uplift where the instances wait that have changed. Repeating it changes nothing."""
    changed = [
        {
            "id": instance_id,
            "version": version,
            "status": "COMPLETED" if workflow.completed else "PENDING",
            "position": sorted({task.task_spec.name for task in waiting(workflow)}),
        }
        for instance_id, version, workflow in engine.instances("changed = 1")
    ]
    if changed:
        uplift.mutate("registerInstances", {"namespace": NAMESPACE, "code": CODE, "instances": changed})
        with engine.database:
            ids = json.dumps([instance["id"] for instance in changed])
            engine.database.execute(
                "UPDATE instance SET changed = 0 WHERE id IN (SELECT value FROM json_each(?))", (ids,)
            )
    return len(changed)


def carry_out(engine: OrderEngine, uplift: Uplift, *, most: int | None = None) -> int:
    """Carry out the orders of Uplift, and answer each. Returns how many.

    A crash at any place loses nothing: an unanswered order comes again, and its stored answer is sent again.
    `most` stops before the answers of so many orders are sent, as a crash would.
    """
    carried_out = 0
    while True:
        page = uplift.moves(LINK, engine.cursor)
        orders = [order for order in page["nodes"] if order["state"] == "SENT"]
        for order in orders:
            engine.move(order)
            carried_out += 1
            if carried_out == most:
                return carried_out
        if orders:
            results = [engine.answer(order["number"]) for order in orders]
            uplift.mutate("settleMoves", {"link": LINK, "results": results})
        if page["nodes"]:
            engine.cursor = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return carried_out


def show(engine: OrderEngine) -> dict[str, int]:
    """How many instances wait where, as `version:elements`."""
    return dict(
        sorted(
            Counter(
                f"{version}:{'+'.join(sorted(task.task_spec.name for task in waiting(workflow))) or 'ended'}"
                for _, version, workflow in engine.instances()
            ).items()
        )
    )


def main(arguments: list[str]) -> None:
    """Run a command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--database", type=Path, default=Path("orders.sqlite"))
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("deploy").add_argument("file", type=Path)
    commands.add_parser("start").add_argument("count", type=int)
    complete = commands.add_parser("complete")
    complete.add_argument("element")
    complete.add_argument("count", type=int)
    commands.add_parser("sync").add_argument("--crash-after", type=int, help="stop before answers are sent")
    commands.add_parser("show")
    options = parser.parse_args(arguments)
    engine = OrderEngine(options.database)
    match options.command:
        case "deploy":
            uplift = Uplift(os.environ["UPLIFT_URL"], os.environ["UPLIFT_API_KEY"])
            print(f"version {publish(engine, uplift, options.file.read_bytes())}")
        case "start":
            engine.start(options.count)
        case "complete":
            print(f"completed {engine.complete(options.element, options.count)}")
        case "sync":
            uplift = Uplift(os.environ["UPLIFT_URL"], os.environ["UPLIFT_ENGINE_KEY"])
            moved = carry_out(engine, uplift, most=options.crash_after)
            if options.crash_after is not None and moved >= options.crash_after:
                sys.exit("crashed, as requested")
            print(f"carried out {moved}, reported {report(engine, uplift)}")
        case "show":
            print(json.dumps(show(engine)))


if __name__ == "__main__":
    main(sys.argv[1:])

"""Which instances may be upgraded to the latest published version, and what happens to each."""

from domain.access import Caller, Role, require_system_admin
from domain.cohort import Cohort, CountedCohort
from domain.decision import CountedDecision, Decision, ReasonCode, SkipReason, Verdict
from domain.instance import ElementId, Instance, InstanceId, InstanceReport, Position, Status
from domain.memory import InMemoryStore
from domain.process import Process, ProcessKey, Version, VersionNumber, VersionState
from domain.publishing import create_process, get_process, publish_version, save_draft
from domain.reporting import register_instances, report_instances
from domain.rules import decide
from domain.selection import AllActive, ByIds, Selection, all_active, by_ids
from domain.upgrade import Outcome, OutcomeKind, Upgrade, UpgradeId, UpgradeState
from domain.upgrading import continue_upgrade, upgrade_instances

__all__ = [
    "AllActive",
    "ByIds",
    "Caller",
    "Cohort",
    "CountedCohort",
    "CountedDecision",
    "Decision",
    "ElementId",
    "InMemoryStore",
    "Instance",
    "InstanceId",
    "InstanceReport",
    "Outcome",
    "OutcomeKind",
    "Position",
    "Process",
    "ProcessKey",
    "ReasonCode",
    "Role",
    "Selection",
    "SkipReason",
    "Status",
    "Upgrade",
    "UpgradeId",
    "UpgradeState",
    "Verdict",
    "Version",
    "VersionNumber",
    "VersionState",
    "all_active",
    "by_ids",
    "continue_upgrade",
    "create_process",
    "decide",
    "get_process",
    "publish_version",
    "register_instances",
    "report_instances",
    "require_system_admin",
    "save_draft",
    "upgrade_instances",
]

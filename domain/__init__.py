"""Which instances may be upgraded to the latest published version, and what happens to each."""

from domain.access import Caller, Role, require_system_admin
from domain.cohort import Cohort, CountedCohort
from domain.controlling import cancel_upgrade, pause_upgrade, resume_upgrade
from domain.decision import CountedDecision, Decision, ReasonCode, SkipReason, Verdict
from domain.instance import ElementId, Instance, InstanceId, InstanceReport, Position, Status
from domain.memory import InMemoryStore
from domain.planning import plan_upgrade
from domain.process import Process, ProcessKey, Version, VersionNumber, VersionState
from domain.publishing import create_process, get_process, publish_version, save_draft
from domain.reporting import register_instances, report_instances
from domain.requesting import request_retry, request_undo, request_upgrade
from domain.rules import decide
from domain.selection import AllActive, ByIds, Selection, all_active, by_ids
from domain.upgrade import Outcome, OutcomeKind, Upgrade, UpgradeId, UpgradeState
from domain.upgrading import upgrade_instances
from domain.watching import watch
from domain.working import Worker, claim, work_off

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
    "Worker",
    "all_active",
    "by_ids",
    "cancel_upgrade",
    "claim",
    "create_process",
    "decide",
    "get_process",
    "pause_upgrade",
    "plan_upgrade",
    "publish_version",
    "register_instances",
    "report_instances",
    "request_retry",
    "request_undo",
    "request_upgrade",
    "require_system_admin",
    "resume_upgrade",
    "save_draft",
    "upgrade_instances",
    "watch",
    "work_off",
]

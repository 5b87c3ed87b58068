"""Which instances may be upgraded to the latest published version, and what happens to each."""

from uplift.domain.model.access import Caller, Role, require_system_admin
from uplift.domain.model.cohort import Cohort, CountedCohort
from uplift.domain.model.decision import CountedDecision, Decision, ReasonCode, SkipReason, Verdict
from uplift.domain.model.instance import ElementId, Instance, InstanceId, InstanceReport, Position, Status
from uplift.domain.model.process import Process, ProcessKey, Version, VersionNumber, VersionState
from uplift.domain.model.request import RetryRequest, UndoRequest, UpgradeRequest
from uplift.domain.model.selection import AllActive, ByIds, Selection, all_active, by_ids
from uplift.domain.model.upgrade import Outcome, OutcomeKind, Upgrade, UpgradeId, UpgradeState
from uplift.domain.rules.eligibility import decide
from uplift.domain.use_cases.control import cancel_upgrade, pause_upgrade, resume_upgrade
from uplift.domain.use_cases.instances import register_instances, report_instances
from uplift.domain.use_cases.plan import plan_upgrade
from uplift.domain.use_cases.request import request_retry, request_undo, request_upgrade
from uplift.domain.use_cases.run import Worker, claim, run_upgrade
from uplift.domain.use_cases.upgrade import upgrade_instances
from uplift.domain.use_cases.versions import create_process, get_process, publish_version, save_draft
from uplift.domain.use_cases.watch import watch

__all__ = [
    "AllActive",
    "ByIds",
    "Caller",
    "Cohort",
    "CountedCohort",
    "CountedDecision",
    "Decision",
    "ElementId",
    "Instance",
    "InstanceId",
    "InstanceReport",
    "Outcome",
    "OutcomeKind",
    "Position",
    "Process",
    "ProcessKey",
    "ReasonCode",
    "RetryRequest",
    "Role",
    "Selection",
    "SkipReason",
    "Status",
    "UndoRequest",
    "Upgrade",
    "UpgradeId",
    "UpgradeRequest",
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
    "run_upgrade",
    "save_draft",
    "upgrade_instances",
    "watch",
]

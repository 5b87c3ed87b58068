"""Upgrades process instances in bulk to the latest published version of their process.

A program that calls the use cases finds all names that it needs here. `uplift.domain.compatibility` has the
comparison of two BPMN documents, and `uplift.domain.ports` what a store implements.
"""

from uplift.domain.compatibility import Finding, Severity
from uplift.domain.errors import (
    ErrorCode,
    Forbidden,
    InvalidInput,
    InvalidModel,
    InvalidSelection,
    KeyFault,
    LinkExists,
    LinkInUse,
    LinkNotFound,
    NoDraft,
    NoPublishedVersion,
    OutsideScope,
    ProcessExists,
    ProcessLinked,
    ProcessNotFound,
    StoreUnavailable,
    TooManyRequests,
    Unauthenticated,
    UpgradeNotFound,
    UpliftError,
    WrongState,
)
from uplift.domain.model.access import Caller, Role, require_system_admin
from uplift.domain.model.chunk import ChunkPolicy, ChunkResult
from uplift.domain.model.cohort import Cohort, CountedCohort, Origin
from uplift.domain.model.conditions import Conditions
from uplift.domain.model.decision import CountedDecision, Decision, ReasonCode, SkipReason, Verdict
from uplift.domain.model.idempotency import IdempotencyConflict
from uplift.domain.model.instance import ElementId, Instance, InstanceId, InstanceReport, Position, Status
from uplift.domain.model.link import LinkId
from uplift.domain.model.mapping import InvalidMapping, MappingInstruction, VersionMapping
from uplift.domain.model.paging import Page, PageRequest
from uplift.domain.model.process import (
    Process,
    ProcessKey,
    Version,
    VersionModel,
    VersionNumber,
    VersionState,
)
from uplift.domain.model.request import RetryRequest, UndoRequest, UpgradeRequest
from uplift.domain.model.selection import (
    AllActive,
    ByIds,
    Matching,
    Retry,
    Selection,
    SelectionFields,
    SelectionKind,
    Undo,
    all_active,
    by_ids,
    matching,
    selection_from,
)
from uplift.domain.model.upgrade import (
    HistoryEntry,
    Lease,
    Outcome,
    OutcomeKind,
    Partition,
    Tally,
    Upgrade,
    UpgradeId,
    UpgradeState,
)
from uplift.domain.model.upgrade_event import UpgradeEvent, UpgradeEventKind
from uplift.domain.ports import InstanceFilter, OutcomeFilter, Store, Transaction
from uplift.domain.rules.actions import UpgradeAction, allowed_actions
from uplift.domain.rules.comparer import ChangedElement, Comparer, Differences, ListedElement, Migration
from uplift.domain.rules.eligibility import decide
from uplift.domain.rules.joining import JoinPolicy, Trial, Trials
from uplift.domain.rules.migration_path import MigrationPath
from uplift.domain.scope import visible_to
from uplift.domain.use_cases.compare import (
    CheckedInstruction,
    ComparedVersions,
    compare_versions,
    find_mapping_targets,
)
from uplift.domain.use_cases.control import cancel_upgrade, pause_upgrade, resume_upgrade
from uplift.domain.use_cases.instances import register_instances, report_instances
from uplift.domain.use_cases.plan import Fingerprint, Plan, PlanChanged, plan_upgrade
from uplift.domain.use_cases.prune import prune_outcomes
from uplift.domain.use_cases.request import request_retry, request_undo, request_upgrade
from uplift.domain.use_cases.run import run_upgrade
from uplift.domain.use_cases.upgrade import finish_upgrade, upgrade_instances
from uplift.domain.use_cases.versions import create_process, get_process, publish_version, save_draft
from uplift.domain.use_cases.watch import get_events, get_upgrade, wait_until_finished, watch
from uplift.domain.use_cases.watch_process import WatchedProcess, watch_process
from uplift.domain.use_cases.watch_unfinished import watch_unfinished
from uplift.domain.use_cases.worker import Worker, claim

__all__ = [
    "AllActive",
    "ByIds",
    "Caller",
    "ChangedElement",
    "CheckedInstruction",
    "ChunkPolicy",
    "ChunkResult",
    "Cohort",
    "ComparedVersions",
    "Comparer",
    "Conditions",
    "CountedCohort",
    "CountedDecision",
    "Decision",
    "Differences",
    "ElementId",
    "ErrorCode",
    "Finding",
    "Fingerprint",
    "Forbidden",
    "HistoryEntry",
    "IdempotencyConflict",
    "Instance",
    "InstanceFilter",
    "InstanceId",
    "InstanceReport",
    "InvalidInput",
    "InvalidMapping",
    "InvalidModel",
    "InvalidSelection",
    "JoinPolicy",
    "KeyFault",
    "Lease",
    "LinkExists",
    "LinkId",
    "LinkInUse",
    "LinkNotFound",
    "ListedElement",
    "MappingInstruction",
    "Matching",
    "Migration",
    "MigrationPath",
    "NoDraft",
    "NoPublishedVersion",
    "Origin",
    "Outcome",
    "OutcomeFilter",
    "OutcomeKind",
    "OutsideScope",
    "Page",
    "PageRequest",
    "Partition",
    "Plan",
    "PlanChanged",
    "Position",
    "Process",
    "ProcessExists",
    "ProcessKey",
    "ProcessLinked",
    "ProcessNotFound",
    "ReasonCode",
    "Retry",
    "RetryRequest",
    "Role",
    "Selection",
    "SelectionFields",
    "SelectionKind",
    "Severity",
    "SkipReason",
    "Status",
    "Store",
    "StoreUnavailable",
    "Tally",
    "TooManyRequests",
    "Transaction",
    "Trial",
    "Trials",
    "Unauthenticated",
    "Undo",
    "UndoRequest",
    "Upgrade",
    "UpgradeAction",
    "UpgradeEvent",
    "UpgradeEventKind",
    "UpgradeId",
    "UpgradeNotFound",
    "UpgradeRequest",
    "UpgradeState",
    "UpliftError",
    "Verdict",
    "Version",
    "VersionMapping",
    "VersionModel",
    "VersionNumber",
    "VersionState",
    "WatchedProcess",
    "Worker",
    "WrongState",
    "all_active",
    "allowed_actions",
    "by_ids",
    "cancel_upgrade",
    "claim",
    "compare_versions",
    "create_process",
    "decide",
    "find_mapping_targets",
    "finish_upgrade",
    "get_events",
    "get_process",
    "get_upgrade",
    "matching",
    "pause_upgrade",
    "plan_upgrade",
    "prune_outcomes",
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
    "selection_from",
    "upgrade_instances",
    "visible_to",
    "wait_until_finished",
    "watch",
    "watch_process",
    "watch_unfinished",
]

/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { DocumentTypeDecoration } from '@graphql-typed-document-node/core';
/** All PENDING and RUNNING instances of the process, except those listed. */
export type AllActiveInput = {
  /** The ids of the instances to exclude, at most 100,000. Unknown ids are ignored. */
  except?: Array<string> | null | undefined;
};

/** The property in which an element differs from its counterpart in another version. */
export type ChangedAspect =
  /** The process that a call activity calls. */
  | 'CALLED_PROCESS'
  /** The message, signal, time or condition of the trigger. */
  | 'EVENT_DEFINITION'
  /** The form. */
  | 'FORM'
  /** The activity to which a boundary event is attached. */
  | 'HOST'
  /** What runs the element. */
  | 'IMPLEMENTATION'
  /** Whether the event is interrupting. */
  | 'INTERRUPTING'
  /** The type of element. */
  | 'KIND'
  /** Whether the activity is multi-instance, and whether it is sequential or parallel. */
  | 'MULTI_INSTANCE'
  /** The name. */
  | 'NAME'
  /** The enclosing subprocess. */
  | 'SCOPE'
  /** The type of an event's trigger. */
  | 'TRIGGER'
  /** Whether an instance can wait before or after the element, or for a worker. */
  | 'WAITS';

/** What the comparison of two versions found at an element. The codes up to COMPENSATION_LOST are errors, those from NAME_CHANGED on are warnings. Later releases may add codes. */
export type FindingCode =
  /** The target call activity calls another process. */
  | 'CALLED_PROCESS_CHANGED'
  /** A compensation handler is mapped directly instead of through its boundary event. */
  | 'COMPENSATION_HANDLER'
  /** The instance may have completed an activity whose compensation event does not exist, or has no handler, in the target version. */
  | 'COMPENSATION_LOST'
  /** The source element or its target does not exist in its version. */
  | 'ELEMENT_MISSING'
  /** The linked engine gave no answer in time when a plan asked it about this move. */
  | 'ENGINE_NOT_ASKED'
  /** The linked engine, asked by a plan, would not move instances like this. An upgrade orders them all the same, and the engine decides on each. */
  | 'ENGINE_OBJECTS'
  /** The trigger has the same type, but another message, signal, time or condition. Or a receive task waits for a message that it did not have before. */
  | 'EVENT_DEFINITION_CHANGED'
  /** The target event has another type of trigger. */
  | 'EVENT_TYPE_CHANGED'
  /** The element has another form. */
  | 'FORM_CHANGED'
  /** The target of a joining gateway has fewer incoming sequence flows. */
  | 'GATEWAY_NARROWED'
  /** The event's host or enclosing scope is not mapped to the target event's. */
  | 'HOST_CHANGED'
  /** Another class, job type, topic, script, decision or version of a called process runs the element. */
  | 'IMPLEMENTATION_CHANGED'
  /** Several boundary events or event subprocesses to which the instance listens are mapped to one. All subscriptions stay, and each triggers it. */
  | 'LISTENERS_MERGED'
  /** The host of a boundary event is no longer multi-instance. Each of its instances that still runs may listen on its own. */
  | 'LISTENER_MULTIPLIED'
  /** A boundary event or event subprocess to which the instance listens does not exist in the target version. */
  | 'LISTENER_REMOVED'
  /** Two instructions map the same source element. */
  | 'MAPPED_TWICE'
  /** The target, or a scope that is new around it, is multi-instance. */
  | 'MULTI_INSTANCE_ADDED'
  /** The multi-instance activity changed between sequential and parallel. */
  | 'MULTI_INSTANCE_CHANGED'
  /** The body of a multi-instance activity is mapped without its inner activity. */
  | 'MULTI_INSTANCE_SPLIT'
  /** The name of the element changed. */
  | 'NAME_CHANGED'
  /** A boundary event or event subprocess is new. Upgraded instances do not listen to it until they enter its host or scope again. */
  | 'NEW_BOUNDARY_EVENT'
  /** The target is not an element at which an instance can wait. */
  | 'NOT_A_WAIT_STATE'
  /** One of the versions has no BPMN model, so nothing was compared. */
  | 'NO_MODEL'
  /** Elements upstream, which the instance may have passed, were removed or changed. */
  | 'PATH_BEHIND_CHANGED'
  /** The target is not inside the scope to which the nearest mapped scope of the source is mapped. */
  | 'SCOPE_CHANGED'
  /** Two intermediate catch events or two gateways are mapped to the same target. */
  | 'TARGET_TAKEN'
  /** The target is another type of element. */
  | 'TYPE_CHANGED'
  /** The element is no longer asynchronous: an instance in a job before or after it cannot go on. */
  | 'WAIT_REMOVED';

/** Restricts a list of instances to those that meet all conditions. A condition that is null or absent lets all through, and an empty one none. At most 1,000 values each. */
export type InstanceFilterInput = {
  /** Only instances that wait at an element with one of these ids, alone or among others. */
  elements?: Array<string> | null | undefined;
  /** Only instances with one of these ids. */
  ids?: Array<string> | null | undefined;
  /** Only instances with one of these statuses. */
  statuses?: Array<Status> | null | undefined;
  /** Only instances that are pinned to a version with one of these numbers. */
  versions?: Array<number> | null | undefined;
};

/** The kind of a workflow engine. Later releases may add kinds. */
export type LinkKind =
  /** Camunda 7 or a descendant, such as Operaton, by its REST API. */
  | 'CAMUNDA7'
  /** Camunda 8, by the REST API of its orchestration cluster. */
  | 'CAMUNDA8'
  /** Flowable 7, by its REST API. */
  | 'FLOWABLE'
  /** An engine of your own, which fetches its orders by `moves` and settles them by `settleMoves`. */
  | 'PULL';

/** Maps a source element to a target element. */
export type MappingInstructionInput = {
  /** The id of the element in the source version. */
  source: string;
  /** The id of the element in the target version. */
  target: string;
};

/** The PENDING and RUNNING instances of the process that meet every condition, except those listed. A condition that is null or absent requires nothing. Versions and elements, at most 1,000 in all, must exist. */
export type MatchingInput = {
  /** Instances that wait at one of the elements with these ids at least, alone or among others; not empty. */
  elements?: Array<string> | null | undefined;
  /** The ids of the instances to exclude, at most 100,000; `limit` counts none of them. Unknown ids are ignored. */
  except?: Array<string> | null | undefined;
  /** The first so many of these instances, 1 to 100,000, in the order of registration. They are fixed when the upgrade is requested, and each gets an outcome. */
  limit?: number | null | undefined;
  /** Instances with one of these statuses, PENDING or RUNNING; not empty. Only PENDING instances are upgraded, RUNNING ones are skipped. */
  statuses?: Array<Status> | null | undefined;
  /** Instances that are pinned to one of these versions; not empty. */
  versions?: Array<number> | null | undefined;
};

/** Restricts a list of outcomes to those that meet all conditions. A condition that is null or absent lets all through, and an empty one none. */
export type OutcomeFilterInput = {
  /** Only instances that waited at an element with one of these ids before, alone or among others. At most 1,000 ids. */
  elements?: Array<string> | null | undefined;
  /** Only instances whose decision has a finding with one of these codes: an error that made their position INCOMPATIBLE, or a warning. */
  findings?: Array<FindingCode> | null | undefined;
  /** Only outcomes of one of these kinds. */
  kinds?: Array<OutcomeKind> | null | undefined;
  /** Only instances that were skipped for one of these reasons, alone or among others. */
  reasons?: Array<ReasonCode> | null | undefined;
};

/** What an upgrade did to one instance. */
export type OutcomeKind =
  /** The linked engine that runs the instance has not answered yet. */
  | 'ORDERED'
  /** The instance was not changed; `reasons` says why. */
  | 'SKIPPED'
  /** The instance moved to the target version or, in an undo, back to its earlier version. */
  | 'UPGRADED';

/** The name of a process. */
export type ProcessKeyInput = {
  /** The code of the process. */
  code: string;
  /** The code of the workspace. */
  namespace: string;
};

/** The order of a list of processes. */
export type ProcessOrder =
  /** The oldest first. */
  | 'CREATED'
  /** By namespace, then code, character by character in the order of Unicode. */
  | 'NAME'
  /** By title, whatever its case, in the order of Unicode; the oldest first among equal titles. */
  | 'TITLE';

/** Why an instance is skipped. Later releases may add codes. */
export type ReasonCode =
  /** The instance is on the target version already, or on a later one. */
  | 'ALREADY_LATEST'
  /** The upgrade was cancelled before the engine was asked to move the instance. */
  | 'CANCELLED'
  /** The engine that runs the instance refused to move it. */
  | 'ENGINE_REFUSED'
  /** The instance waits at an element that has no valid counterpart in the target version. */
  | 'INCOMPATIBLE'
  /** The process has no instance with this id. */
  | 'INSTANCE_NOT_FOUND'
  /** The instance is no longer at the version and position where the upgrade found it, or where the upgrade to undo put it. */
  | 'MOVED_ON'
  /** The status of the instance is not PENDING. */
  | 'NOT_PENDING';

/** The upgrade whose skipped instances to retry. */
export type RetryUpgradeInput = {
  /** The id of the upgrade. */
  id: string;
  /** A unique key for this request, 1 to 255 printable characters, kept for 24 hours. Repeating the request with the same key returns the first upgrade again; another request with the same key gets an IdempotencyConflictError. */
  idempotencyKey?: string | null | undefined;
  /** Instructions that override or extend the generated mapping, at most 10,000 in all. They must satisfy the same rules as the generated mapping. The instructions of the earlier upgrade are not repeated. */
  mappings?: Array<VersionMappingInput> | null | undefined;
  /** The reason for the audit, at most 1,000 characters. */
  reason?: string | null | undefined;
  /** Retry the instances that were skipped for one of these reasons: at least one of all but INSTANCE_NOT_FOUND. */
  reasons: Array<ReasonCode>;
  /** Whether to wait until the upgrade is finished, up to a limit that the server sets. If false, or when the limit is reached, the upgrade is returned in its present state, for example QUEUED or RUNNING. */
  wait?: boolean;
};

/** The permissions of an API key. */
export type Role =
  /** The key may fetch and settle orders, and register and report instances; nothing else. */
  | 'ENGINE'
  /** The key may run queries and subscriptions, but no mutations. */
  | 'READER'
  /** The key may read and change everything in its scope. */
  | 'SYSTEM_ADMIN';

/** The selected instances of the process. Exactly one field must be set. */
export type SelectionInput =
  {   /** All PENDING and RUNNING instances of the process, on any version. */
  allActive: AllActiveInput; instanceIds?: never; matching?: never; }
  |  { allActive?: never;   /** The instances with these ids, 1 to 100,000. Repeated ids count once. */
  instanceIds: Array<string>; matching?: never; }
  |  { allActive?: never; instanceIds?: never;   /** The PENDING and RUNNING instances of the process that meet conditions. */
  matching: MatchingInput; };

/** How a request selects instances. */
export type SelectionKind =
  /** All PENDING and RUNNING instances of the process, except those listed. */
  | 'ALL_ACTIVE'
  /** The instances with the ids in the request. */
  | 'BY_IDS'
  /** The first instances that met the conditions in the request, as many as its limit, when the upgrade was requested. */
  | 'FIRST_MATCHING'
  /** The PENDING and RUNNING instances that meet the conditions in the request when the upgrade comes to them, except those listed. */
  | 'MATCHING'
  /** The instances that an earlier upgrade skipped for one of the listed reasons. */
  | 'RETRY'
  /** The instances that an earlier upgrade moved, to move them back. */
  | 'UNDO';

/** Whether a finding prevents an upgrade. */
export type Severity =
  /** Instances with this finding are skipped. */
  | 'ERROR'
  /** The finding does not prevent an upgrade, but operators should know it. */
  | 'WARNING';

/** The status of an instance. */
export type Status =
  /** The instance was cancelled before its end. */
  | 'CANCELLED'
  /** The instance reached its end. */
  | 'COMPLETED'
  /** The instance ended with an error. */
  | 'FAILED'
  /** The instance is waiting. Only PENDING instances can be upgraded. */
  | 'PENDING'
  /** The engine is executing the instance. */
  | 'RUNNING';

/** The upgrade to undo. */
export type UndoUpgradeInput = {
  /** The id of the upgrade. */
  id: string;
  /** A unique key for this request, 1 to 255 printable characters, kept for 24 hours. Repeating the request with the same key returns the first upgrade again; another request with the same key gets an IdempotencyConflictError. */
  idempotencyKey?: string | null | undefined;
  /** The reason for the audit, at most 1,000 characters. */
  reason?: string | null | undefined;
  /** Whether to wait until the upgrade is finished, up to a limit that the server sets. If false, or when the limit is reached, the upgrade is returned in its present state, for example QUEUED or RUNNING. */
  wait?: boolean;
};

/** What an operator can do with an upgrade. Later releases may add actions. */
export type UpgradeAction =
  /** End it early, by `cancelUpgrade`. */
  | 'CANCEL'
  /** Pause it by `pauseUpgrade`, until it is resumed. */
  | 'PAUSE'
  /** Continue it after a pause, by `resumeUpgrade`. */
  | 'RESUME'
  /** Upgrade the instances that it skipped, by `retryUpgrade`. */
  | 'RETRY'
  /** Move the instances that it upgraded back, by `undoUpgrade`. */
  | 'UNDO';

/** What happened to an upgrade. Later releases may add events. */
export type UpgradeEventKind =
  /** An operator ended it early. */
  | 'CANCELLED'
  /** Every selected instance got its outcome. */
  | 'COMPLETED'
  /** A server error ended it early. */
  | 'FAILED'
  /** An operator paused it. */
  | 'PAUSED'
  /** An operator deleted its outcomes, and the events of its pauses with them. */
  | 'PRUNED'
  /** It was requested. */
  | 'REQUESTED'
  /** An operator queued it again after a pause. */
  | 'RESUMED'
  /** A worker first processed it. */
  | 'STARTED';

/** Restricts a list of upgrades to those that meet all conditions. A condition that is null or absent lets all through, and an empty one none. */
export type UpgradeFilterInput = {
  /** Only upgrades that select instances in one of these ways. */
  kinds?: Array<SelectionKind> | null | undefined;
  /** Only upgrades that the API key with exactly this name requested. */
  requestedBy?: string | null | undefined;
  /** Only upgrades that were requested at this time or later. */
  since?: string | null | undefined;
  /** Only upgrades in one of these states. */
  states?: Array<UpgradeState> | null | undefined;
};

/** The upgrade to request. */
export type UpgradeInstancesInput = {
  /** The code of the process. */
  code: string;
  /** The fingerprint of a plan. The upgrade is refused if it would do anything other than what the plan says. */
  fingerprint?: string | null | undefined;
  /** A unique key for this request, 1 to 255 printable characters, kept for 24 hours. Repeating the request with the same key returns the first upgrade again; another request with the same key gets an IdempotencyConflictError. */
  idempotencyKey?: string | null | undefined;
  /** Instructions that override or extend the generated mapping, at most 10,000 in all. They must satisfy the same rules as the generated mapping. */
  mappings?: Array<VersionMappingInput> | null | undefined;
  /** The code of the workspace. */
  namespace: string;
  /** The reason for the audit, at most 1,000 characters. */
  reason?: string | null | undefined;
  /** The instances to upgrade. */
  selection: SelectionInput;
  /** Whether to wait until the upgrade is finished, up to a limit that the server sets. If false, or when the limit is reached, the upgrade is returned in its present state, for example QUEUED or RUNNING. */
  wait?: boolean;
};

/** The upgrade to plan. */
export type UpgradePlanInput = {
  /** The code of the process. */
  code: string;
  /** Instructions that override or extend the generated mapping, at most 10,000 in all. They must satisfy the same rules as the generated mapping. */
  mappings?: Array<VersionMappingInput> | null | undefined;
  /** The code of the workspace. */
  namespace: string;
  /** The instances to upgrade. */
  selection: SelectionInput;
};

/** The state of an upgrade. */
export type UpgradeState =
  /** An operator ended the upgrade early. Finished chunks are kept. */
  | 'CANCELLED'
  /** Every selected instance has an outcome. */
  | 'COMPLETED'
  /** A server error ended the upgrade early. Finished chunks are kept. */
  | 'FAILED'
  /** An operator stopped the upgrade. It can be resumed. */
  | 'PAUSED'
  /** The upgrade waits for a worker. */
  | 'QUEUED'
  /** Workers process the upgrade in chunks; other upgrades may run in between. */
  | 'RUNNING';

/** Why a mutation or a plan was refused. Later releases may add codes. */
export type UserErrorCode =
  /** The idempotency key was used before with another request. */
  | 'IDEMPOTENCY_CONFLICT'
  /** The field does not accept this value. */
  | 'INVALID_INPUT'
  /** A mapping instruction breaks a rule. */
  | 'INVALID_MAPPING'
  /** The BPMN document is not valid. */
  | 'INVALID_MODEL'
  /** The selection names no instances, or too many. */
  | 'INVALID_SELECTION'
  /** The process runs in a linked engine, which has its versions and instances. */
  | 'LINKED'
  /** A link with this name exists already. */
  | 'LINK_EXISTS'
  /** An upgrade of the link has not finished, or waits for answers. */
  | 'LINK_IN_USE'
  /** No link has this name. */
  | 'LINK_NOT_FOUND'
  /** The process has no draft to publish. */
  | 'NO_DRAFT'
  /** The process has no published version to upgrade to. */
  | 'NO_PUBLISHED_VERSION'
  /** The upgrade would no longer do what the plan said. */
  | 'PLAN_CHANGED'
  /** A process with this namespace and code exists already. */
  | 'PROCESS_EXISTS'
  /** No process has this namespace and code. */
  | 'PROCESS_NOT_FOUND'
  /** No upgrade has this id. */
  | 'UPGRADE_NOT_FOUND'
  /** The state of the upgrade does not allow the change. */
  | 'WRONG_STATE';

/** Whether instances would be upgraded. */
export type Verdict =
  /** The instances would be skipped; `reasons` says why. */
  | 'SKIP'
  /** The instances would be upgraded. */
  | 'UPGRADE';

/** Mapping instructions for the instances of one version. */
export type VersionMappingInput = {
  /** The number of the source version. Each version may occur once. */
  fromVersion: number;
  /** The instructions; each overrides the generated pair with the same source. */
  instructions: Array<MappingInstructionInput>;
};

/** The state of a version. */
export type VersionState =
  /** The version can still be changed. Instances are never upgraded to a draft. */
  | 'DRAFT'
  /** The version is final. Instances are upgraded to the published version with the highest number. */
  | 'PUBLISHED';

export type FindingRowFragment = { severity: Severity, code: FindingCode, source: string | null, target: string | null, name: string | null, message: string };

export type ComparisonQueryVariables = Exact<{
  namespace: string;
  code: string;
  fromVersion: number;
  toVersion: number;
}>;


export type ComparisonQuery = { process: { id: string, comparison: { fromVersion: number, toVersion: number, added: Array<{ elementId: string, name: string | null, kind: string }>, removed: Array<{ elementId: string, name: string | null, kind: string }>, changed: Array<{ aspects: Array<ChangedAspect>, source: { elementId: string, name: string | null, kind: string }, target: { elementId: string, name: string | null, kind: string } }>, errors: Array<{ severity: Severity, code: FindingCode, source: string | null, target: string | null, name: string | null, message: string }>, warnings: Array<{ severity: Severity, code: FindingCode, source: string | null, target: string | null, name: string | null, message: string }> } | null } | null };

export type FindProcessesQueryVariables = Exact<{
  search: string;
}>;


export type FindProcessesQuery = { processes: { nodes: Array<{ id: string, namespace: string, code: string, title: string }> } };

export type FindByIdQueryVariables = Exact<{
  id: string;
}>;


export type FindByIdQuery = { instance: { id: string, instanceId: string, version: number, status: Status, process: { namespace: string, code: string, title: string } } | null, upgrade: { id: string, state: UpgradeState, requestedAt: string, process: { title: string } } | null };

export type InstanceQueryVariables = Exact<{
  id: string;
}>;


export type InstanceQuery = { instance: { id: string, instanceId: string, version: number, status: Status, position: Array<string>, process: { id: string, namespace: string, code: string, title: string, latestPublishedVersion: { number: number } | null }, history: Array<{ when: string, kind: OutcomeKind, fromVersion: number, toVersion: number, fromPosition: Array<string>, toPosition: Array<string>, upgrade: { id: string, selection: SelectionKind, state: UpgradeState, requestedBy: string, reason: string | null }, reasons: Array<{ code: ReasonCode, message: string }> }> } | null };

export type LinksQueryVariables = Exact<{ [key: string]: never; }>;


export type LinksQuery = { links: Array<{ name: string, kind: LinkKind, namespace: string, url: string | null, isHeld: boolean, sweptAt: string | null, sweepError: string | null, unreachableSince: string | null, processes: Array<{ id: string, namespace: string, code: string, title: string }> }> };

export type UpgradesChangedSubscriptionVariables = Exact<{
  namespace?: string | null | undefined;
  code?: string | null | undefined;
}>;


export type UpgradesChangedSubscription = { upgradesChanged: Array<{ id: string, state: UpgradeState, total: number }> };

export type ProcessChangedSubscriptionVariables = Exact<{
  namespace: string;
  code: string;
}>;


export type ProcessChangedSubscription = { processChanged: { id: string, activeCount: number } };

export type OutcomesQueryVariables = Exact<{
  id: string;
  filter?: OutcomeFilterInput | null | undefined;
  first: number;
  after?: string | null | undefined;
}>;


export type OutcomesQuery = { upgrade: { id: string, prunedAt: string | null, outcomes: { nodes: Array<{ instanceId: string, kind: OutcomeKind, fromVersion: number | null, toVersion: number | null, fromPosition: Array<string> | null, toPosition: Array<string> | null, reasons: Array<{ code: ReasonCode, message: string, findings: Array<{ code: FindingCode, source: string | null, message: string }> }> }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } } | null };

export type OutcomeFiltersQueryVariables = Exact<{
  id: string;
}>;


export type OutcomeFiltersQuery = { upgrade: { prunedAt: string | null, id: string, selection: SelectionKind, targetVersion: number | null, state: UpgradeState, requestedBy: string, reason: string | null, requestedAt: string, finishedAt: string | null, expected: number, total: number, upgraded: number, skipped: number, etaSeconds: number | null, countsByReason: Array<{ code: ReasonCode, count: number }>, countsByFinding: Array<{ code: FindingCode, count: number }>, countsByElement: Array<{ elementId: string, count: number }>, process: { namespace: string, code: string, title: string } } | null };

export type UpgradePlanQueryVariables = Exact<{
  input: UpgradePlanInput;
}>;


export type UpgradePlanQuery = { upgradePlan: { plan: { targetVersion: number, fingerprint: string, total: number, upgraded: number, skipped: number, excluded: number, notFound: number, expectedSeconds: number | null, countsByReason: Array<{ code: ReasonCode, count: number }>, cohorts: Array<{ count: number, version: number, status: Status, position: Array<string>, decision: Verdict, toPosition: Array<string> | null, reasons: Array<{ code: ReasonCode, message: string, findings: Array<{ code: FindingCode, source: string | null, name: string | null, message: string }> }>, warnings: Array<{ code: FindingCode, source: string | null, message: string }> }> } | null, userErrors: Array<
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
    > } | null };

export type MappingTargetsQueryVariables = Exact<{
  namespace: string;
  code: string;
  fromVersion: number;
  toVersion: number;
  instructions?: Array<MappingInstructionInput> | MappingInstructionInput | null | undefined;
  source: string;
}>;


export type MappingTargetsQuery = { process: { id: string, comparison: { targets: Array<{ isAllowed: boolean, element: { elementId: string, name: string | null, kind: string }, findings: Array<{ code: FindingCode, message: string }> }> | null } | null } | null };

export type UpgradeInstancesMutationVariables = Exact<{
  input: UpgradeInstancesInput;
}>;


export type UpgradeInstancesMutation = { upgradeInstances: { upgrade: { id: string } | null, userErrors: Array<
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null, planned: { targetVersion: number, upgraded: number, skipped: number }, now: { targetVersion: number, upgraded: number, skipped: number } }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
    > } | null };

export type VersionRowFragment = { id: string, number: number, state: VersionState, hasBpmn: boolean, createdAt: string, publishedAt: string | null };

export type ProcessQueryVariables = Exact<{
  namespace: string;
  code: string;
}>;


export type ProcessQuery = { process: { id: string, namespace: string, code: string, title: string, createdAt: string, latestPublishedVersion: { number: number } | null, draft: { number: number } | null, versions: Array<{ id: string, number: number, state: VersionState, hasBpmn: boolean, createdAt: string, publishedAt: string | null }> } | null };

export type ProcessActivityQueryVariables = Exact<{
  namespace: string;
  code: string;
}>;


export type ProcessActivityQuery = { process: { id: string, activeCount: number, outdatedCount: number, activeByVersion: Array<{ version: number, pending: number, running: number }>, lastUpgrade: { id: string, state: UpgradeState, requestedAt: string } | null } | null };

export type CohortsQueryVariables = Exact<{
  namespace: string;
  code: string;
}>;


export type CohortsQuery = { process: { id: string, cohorts: Array<{ version: number, status: Status, position: Array<string>, count: number }> } | null };

export type VersionModelQueryVariables = Exact<{
  namespace: string;
  code: string;
  number: number;
}>;


export type VersionModelQuery = { process: { id: string, version: { id: string, number: number, bpmn: string | null, elements: Array<{ elementId: string, name: string | null, kind: string, scope: string | null, isWaitState: boolean }> } | null } | null };

export type InstancesQueryVariables = Exact<{
  namespace: string;
  code: string;
  filter?: InstanceFilterInput | null | undefined;
  first: number;
  after?: string | null | undefined;
}>;


export type InstancesQuery = { process: { id: string, instances: { nodes: Array<{ id: string, instanceId: string, version: number, status: Status, position: Array<string> }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } } | null };

export type InstanceCountQueryVariables = Exact<{
  namespace: string;
  code: string;
  filter?: InstanceFilterInput | null | undefined;
}>;


export type InstanceCountQuery = { process: { id: string, instances: { totalCount: number } } | null };

export type ProcessesQueryVariables = Exact<{
  search?: string | null | undefined;
  orderBy: ProcessOrder;
  first: number;
  after?: string | null | undefined;
}>;


export type ProcessesQuery = { processes: { totalCount: number, nodes: Array<{ id: string, namespace: string, code: string, title: string, latestPublishedVersion: { number: number } | null, draft: { number: number } | null }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type ProcessCountsQueryVariables = Exact<{
  search?: string | null | undefined;
  orderBy: ProcessOrder;
  first: number;
  after?: string | null | undefined;
}>;


export type ProcessCountsQuery = { processes: { nodes: Array<{ id: string, activeCount: number, outdatedCount: number, lastUpgrade: { id: string, state: UpgradeState, requestedAt: string } | null }> } };

export type SessionQueryVariables = Exact<{ [key: string]: never; }>;


export type SessionQuery = { viewer: { keyName: string, role: Role, namespaces: Array<string> | null, expiresAt: string | null }, server: { version: string, limits: { maxIds: number } } };

export type UpgradeProgressPartsFragment = { id: string, state: UpgradeState, allowedActions: Array<UpgradeAction>, expected: number, total: number, upgraded: number, skipped: number, ordered: number, sent: number, rate: number | null, etaSeconds: number | null, workedSeconds: number, workers: Array<string>, startedAt: string | null, finishedAt: string | null };

export type UpgradeQueryVariables = Exact<{
  id: string;
}>;


export type UpgradeQuery = { upgrade: { error: string | null, prunedAt: string | null, excluded: number, selectedCount: number | null, exceptCount: number, retriedReasons: Array<ReasonCode>, id: string, selection: SelectionKind, targetVersion: number | null, state: UpgradeState, requestedBy: string, reason: string | null, requestedAt: string, finishedAt: string | null, expected: number, total: number, upgraded: number, skipped: number, etaSeconds: number | null, allowedActions: Array<UpgradeAction>, ordered: number, sent: number, rate: number | null, workedSeconds: number, workers: Array<string>, startedAt: string | null, conditions: { versions: Array<number> | null, elements: Array<string> | null, statuses: Array<Status> | null, limit: number | null } | null, mappings: Array<{ fromVersion: number, instructions: Array<{ source: string, target: string }> }>, events: Array<{ at: string, kind: UpgradeEventKind, by: string | null }>, of: { id: string, selection: SelectionKind, targetVersion: number | null } | null, undoneBy: { id: string, state: UpgradeState, upgraded: number } | null, retries: { nodes: Array<{ id: string, state: UpgradeState, requestedAt: string }> }, countsByReason: Array<{ code: ReasonCode, count: number }>, countsByFinding: Array<{ severity: Severity, code: FindingCode, count: number }>, process: { namespace: string, code: string, title: string } } | null };

export type UpgradeProgressSubscriptionVariables = Exact<{
  id: string;
}>;


export type UpgradeProgressSubscription = { upgradeProgress: { id: string, state: UpgradeState, allowedActions: Array<UpgradeAction>, expected: number, total: number, upgraded: number, skipped: number, ordered: number, sent: number, rate: number | null, etaSeconds: number | null, workedSeconds: number, workers: Array<string>, startedAt: string | null, finishedAt: string | null } };

type Refused_IdempotencyConflictError_Fragment = { code: UserErrorCode, message: string, field: Array<string> | null };

type Refused_InvalidInputError_Fragment = { code: UserErrorCode, message: string, field: Array<string> | null };

type Refused_InvalidMappingError_Fragment = { code: UserErrorCode, message: string, field: Array<string> | null };

type Refused_InvalidModelError_Fragment = { code: UserErrorCode, message: string, field: Array<string> | null };

type Refused_InvalidSelectionError_Fragment = { code: UserErrorCode, message: string, field: Array<string> | null };

type Refused_LinkExistsError_Fragment = { code: UserErrorCode, message: string, field: Array<string> | null };

type Refused_LinkInUseError_Fragment = { code: UserErrorCode, message: string, field: Array<string> | null };

type Refused_LinkNotFoundError_Fragment = { code: UserErrorCode, message: string, field: Array<string> | null };

type Refused_NoDraftError_Fragment = { code: UserErrorCode, message: string, field: Array<string> | null };

type Refused_NoPublishedVersionError_Fragment = { code: UserErrorCode, message: string, field: Array<string> | null };

type Refused_PlanChangedError_Fragment = { code: UserErrorCode, message: string, field: Array<string> | null };

type Refused_ProcessExistsError_Fragment = { code: UserErrorCode, message: string, field: Array<string> | null };

type Refused_ProcessLinkedError_Fragment = { code: UserErrorCode, message: string, field: Array<string> | null };

type Refused_ProcessNotFoundError_Fragment = { code: UserErrorCode, message: string, field: Array<string> | null };

type Refused_UpgradeNotFoundError_Fragment = { code: UserErrorCode, message: string, field: Array<string> | null };

type Refused_WrongStateError_Fragment = { code: UserErrorCode, message: string, field: Array<string> | null };

export type RefusedFragment =
  | Refused_IdempotencyConflictError_Fragment
  | Refused_InvalidInputError_Fragment
  | Refused_InvalidMappingError_Fragment
  | Refused_InvalidModelError_Fragment
  | Refused_InvalidSelectionError_Fragment
  | Refused_LinkExistsError_Fragment
  | Refused_LinkInUseError_Fragment
  | Refused_LinkNotFoundError_Fragment
  | Refused_NoDraftError_Fragment
  | Refused_NoPublishedVersionError_Fragment
  | Refused_PlanChangedError_Fragment
  | Refused_ProcessExistsError_Fragment
  | Refused_ProcessLinkedError_Fragment
  | Refused_ProcessNotFoundError_Fragment
  | Refused_UpgradeNotFoundError_Fragment
  | Refused_WrongStateError_Fragment
;

export type PauseUpgradeMutationVariables = Exact<{
  id: string;
}>;


export type PauseUpgradeMutation = { pauseUpgrade: { upgrade: { id: string, state: UpgradeState, allowedActions: Array<UpgradeAction>, expected: number, total: number, upgraded: number, skipped: number, ordered: number, sent: number, rate: number | null, etaSeconds: number | null, workedSeconds: number, workers: Array<string>, startedAt: string | null, finishedAt: string | null } | null, userErrors: Array<
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
    > } | null };

export type ResumeUpgradeMutationVariables = Exact<{
  id: string;
}>;


export type ResumeUpgradeMutation = { resumeUpgrade: { upgrade: { id: string, state: UpgradeState, allowedActions: Array<UpgradeAction>, expected: number, total: number, upgraded: number, skipped: number, ordered: number, sent: number, rate: number | null, etaSeconds: number | null, workedSeconds: number, workers: Array<string>, startedAt: string | null, finishedAt: string | null } | null, userErrors: Array<
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
    > } | null };

export type CancelUpgradeMutationVariables = Exact<{
  id: string;
}>;


export type CancelUpgradeMutation = { cancelUpgrade: { upgrade: { id: string, state: UpgradeState, allowedActions: Array<UpgradeAction>, expected: number, total: number, upgraded: number, skipped: number, ordered: number, sent: number, rate: number | null, etaSeconds: number | null, workedSeconds: number, workers: Array<string>, startedAt: string | null, finishedAt: string | null } | null, userErrors: Array<
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
    > } | null };

export type RetryUpgradeMutationVariables = Exact<{
  input: RetryUpgradeInput;
}>;


export type RetryUpgradeMutation = { retryUpgrade: { upgrade: { id: string } | null, userErrors: Array<
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
    > } | null };

export type UndoUpgradeMutationVariables = Exact<{
  input: UndoUpgradeInput;
}>;


export type UndoUpgradeMutation = { undoUpgrade: { upgrade: { id: string } | null, userErrors: Array<
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
      | { code: UserErrorCode, message: string, field: Array<string> | null }
    > } | null };

export type SkippedElementsQueryVariables = Exact<{
  id: string;
}>;


export type SkippedElementsQuery = { upgrade: { id: string, countsByElement: Array<{ elementId: string, count: number }> } | null };

export type SkippedAtQueryVariables = Exact<{
  id: string;
  at: string;
  first: number;
  after?: string | null | undefined;
}>;


export type SkippedAtQuery = { upgrade: { id: string, outcomes: { nodes: Array<{ reasons: Array<{ code: ReasonCode, message: string, findings: Array<{ code: FindingCode, source: string | null }> }> }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } } | null };

export type UpgradeSummaryFragment = { id: string, selection: SelectionKind, targetVersion: number | null, state: UpgradeState, requestedBy: string, reason: string | null, requestedAt: string, finishedAt: string | null, expected: number, total: number, upgraded: number, skipped: number, etaSeconds: number | null, process: { namespace: string, code: string, title: string } };

export type UpgradesQueryVariables = Exact<{
  process?: ProcessKeyInput | null | undefined;
  filter?: UpgradeFilterInput | null | undefined;
  first: number;
  after?: string | null | undefined;
}>;


export type UpgradesQuery = { upgrades: { nodes: Array<{ id: string, selection: SelectionKind, targetVersion: number | null, state: UpgradeState, requestedBy: string, reason: string | null, requestedAt: string, finishedAt: string | null, expected: number, total: number, upgraded: number, skipped: number, etaSeconds: number | null, process: { namespace: string, code: string, title: string } }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type RunningUpgradesQueryVariables = Exact<{ [key: string]: never; }>;


export type RunningUpgradesQuery = { upgrades: { nodes: Array<{ id: string, selection: SelectionKind, targetVersion: number | null, state: UpgradeState, requestedBy: string, reason: string | null, requestedAt: string, finishedAt: string | null, expected: number, total: number, upgraded: number, skipped: number, etaSeconds: number | null, process: { namespace: string, code: string, title: string } }> } };

export class TypedDocumentString<TResult, TVariables>
  extends String
  implements DocumentTypeDecoration<TResult, TVariables>
{
  __apiType?: NonNullable<DocumentTypeDecoration<TResult, TVariables>['__apiType']>;
  private value: string;
  public __meta__?: Record<string, any> | undefined;

  constructor(value: string, __meta__?: Record<string, any> | undefined) {
    super(value);
    this.value = value;
    this.__meta__ = __meta__;
  }

  override toString(): string & DocumentTypeDecoration<TResult, TVariables> {
    return this.value;
  }
}
export const FindingRowFragmentDoc = /*#__PURE__*/ new TypedDocumentString(`
    fragment FindingRow on Finding {
  severity
  code
  source
  target
  name
  message
}
    `, {"fragmentName":"FindingRow"}) as unknown as TypedDocumentString<FindingRowFragment, unknown>;
export const VersionRowFragmentDoc = /*#__PURE__*/ new TypedDocumentString(`
    fragment VersionRow on Version {
  id
  number
  state
  hasBpmn
  createdAt
  publishedAt
}
    `, {"fragmentName":"VersionRow"}) as unknown as TypedDocumentString<VersionRowFragment, unknown>;
export const UpgradeProgressPartsFragmentDoc = /*#__PURE__*/ new TypedDocumentString(`
    fragment UpgradeProgressParts on Upgrade {
  id
  state
  allowedActions
  expected
  total
  upgraded
  skipped
  ordered
  sent
  rate
  etaSeconds
  workedSeconds
  workers
  startedAt
  finishedAt
}
    `, {"fragmentName":"UpgradeProgressParts"}) as unknown as TypedDocumentString<UpgradeProgressPartsFragment, unknown>;
export const RefusedFragmentDoc = /*#__PURE__*/ new TypedDocumentString(`
    fragment Refused on UserError {
  code
  message
  field
}
    `, {"fragmentName":"Refused"}) as unknown as TypedDocumentString<RefusedFragment, unknown>;
export const UpgradeSummaryFragmentDoc = /*#__PURE__*/ new TypedDocumentString(`
    fragment UpgradeSummary on Upgrade {
  id
  selection
  targetVersion
  state
  requestedBy
  reason
  requestedAt
  finishedAt
  expected
  total
  upgraded
  skipped
  etaSeconds
  process {
    namespace
    code
    title
  }
}
    `, {"fragmentName":"UpgradeSummary"}) as unknown as TypedDocumentString<UpgradeSummaryFragment, unknown>;
export const ComparisonDocument = /*#__PURE__*/ new TypedDocumentString(`
    query Comparison($namespace: String!, $code: String!, $fromVersion: Int!, $toVersion: Int!) {
  process(namespace: $namespace, code: $code) {
    id
    comparison(fromVersion: $fromVersion, toVersion: $toVersion) {
      fromVersion
      toVersion
      added {
        elementId
        name
        kind
      }
      removed {
        elementId
        name
        kind
      }
      changed {
        source {
          elementId
          name
          kind
        }
        target {
          elementId
          name
          kind
        }
        aspects
      }
      errors {
        ...FindingRow
      }
      warnings {
        ...FindingRow
      }
    }
  }
}
    fragment FindingRow on Finding {
  severity
  code
  source
  target
  name
  message
}`) as unknown as TypedDocumentString<ComparisonQuery, ComparisonQueryVariables>;
export const FindProcessesDocument = /*#__PURE__*/ new TypedDocumentString(`
    query FindProcesses($search: String!) {
  processes(search: $search, orderBy: TITLE, first: 8) {
    nodes {
      id
      namespace
      code
      title
    }
  }
}
    `) as unknown as TypedDocumentString<FindProcessesQuery, FindProcessesQueryVariables>;
export const FindByIdDocument = /*#__PURE__*/ new TypedDocumentString(`
    query FindById($id: UUID!) {
  instance(id: $id) {
    id
    instanceId
    version
    status
    process {
      namespace
      code
      title
    }
  }
  upgrade(id: $id) {
    id
    state
    requestedAt
    process {
      title
    }
  }
}
    `) as unknown as TypedDocumentString<FindByIdQuery, FindByIdQueryVariables>;
export const InstanceDocument = /*#__PURE__*/ new TypedDocumentString(`
    query Instance($id: UUID!) {
  instance(id: $id) {
    id
    instanceId
    version
    status
    position
    process {
      id
      namespace
      code
      title
      latestPublishedVersion {
        number
      }
    }
    history {
      upgrade {
        id
        selection
        state
        requestedBy
        reason
      }
      when
      kind
      reasons {
        code
        message
      }
      fromVersion
      toVersion
      fromPosition
      toPosition
    }
  }
}
    `) as unknown as TypedDocumentString<InstanceQuery, InstanceQueryVariables>;
export const LinksDocument = /*#__PURE__*/ new TypedDocumentString(`
    query Links {
  links {
    name
    kind
    namespace
    url
    isHeld
    sweptAt
    sweepError
    unreachableSince
    processes {
      id
      namespace
      code
      title
    }
  }
}
    `) as unknown as TypedDocumentString<LinksQuery, LinksQueryVariables>;
export const UpgradesChangedDocument = /*#__PURE__*/ new TypedDocumentString(`
    subscription UpgradesChanged($namespace: String, $code: String) {
  upgradesChanged(namespace: $namespace, code: $code) {
    id
    state
    total
  }
}
    `) as unknown as TypedDocumentString<UpgradesChangedSubscription, UpgradesChangedSubscriptionVariables>;
export const ProcessChangedDocument = /*#__PURE__*/ new TypedDocumentString(`
    subscription ProcessChanged($namespace: String!, $code: String!) {
  processChanged(namespace: $namespace, code: $code) {
    id
    activeCount
  }
}
    `) as unknown as TypedDocumentString<ProcessChangedSubscription, ProcessChangedSubscriptionVariables>;
export const OutcomesDocument = /*#__PURE__*/ new TypedDocumentString(`
    query Outcomes($id: UUID!, $filter: OutcomeFilterInput, $first: Int!, $after: String) {
  upgrade(id: $id) {
    id
    prunedAt
    outcomes(filter: $filter, first: $first, after: $after) {
      nodes {
        instanceId
        kind
        reasons {
          code
          message
          findings {
            code
            source
            message
          }
        }
        fromVersion
        toVersion
        fromPosition
        toPosition
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
}
    `) as unknown as TypedDocumentString<OutcomesQuery, OutcomesQueryVariables>;
export const OutcomeFiltersDocument = /*#__PURE__*/ new TypedDocumentString(`
    query OutcomeFilters($id: UUID!) {
  upgrade(id: $id) {
    ...UpgradeSummary
    prunedAt
    countsByReason {
      code
      count
    }
    countsByFinding {
      code
      count
    }
    countsByElement(first: 50) {
      elementId
      count
    }
  }
}
    fragment UpgradeSummary on Upgrade {
  id
  selection
  targetVersion
  state
  requestedBy
  reason
  requestedAt
  finishedAt
  expected
  total
  upgraded
  skipped
  etaSeconds
  process {
    namespace
    code
    title
  }
}`) as unknown as TypedDocumentString<OutcomeFiltersQuery, OutcomeFiltersQueryVariables>;
export const UpgradePlanDocument = /*#__PURE__*/ new TypedDocumentString(`
    query UpgradePlan($input: UpgradePlanInput!) {
  upgradePlan(input: $input) {
    plan {
      targetVersion
      fingerprint
      total
      upgraded
      skipped
      excluded
      notFound
      expectedSeconds
      countsByReason {
        code
        count
      }
      cohorts {
        count
        version
        status
        position
        decision
        toPosition
        reasons {
          code
          message
          findings {
            code
            source
            name
            message
          }
        }
        warnings {
          code
          source
          message
        }
      }
    }
    userErrors {
      ...Refused
    }
  }
}
    fragment Refused on UserError {
  code
  message
  field
}`) as unknown as TypedDocumentString<UpgradePlanQuery, UpgradePlanQueryVariables>;
export const MappingTargetsDocument = /*#__PURE__*/ new TypedDocumentString(`
    query MappingTargets($namespace: String!, $code: String!, $fromVersion: Int!, $toVersion: Int!, $instructions: [MappingInstructionInput!], $source: String!) {
  process(namespace: $namespace, code: $code) {
    id
    comparison(
      fromVersion: $fromVersion
      toVersion: $toVersion
      instructions: $instructions
    ) {
      targets(source: $source) {
        element {
          elementId
          name
          kind
        }
        isAllowed
        findings {
          code
          message
        }
      }
    }
  }
}
    `) as unknown as TypedDocumentString<MappingTargetsQuery, MappingTargetsQueryVariables>;
export const UpgradeInstancesDocument = /*#__PURE__*/ new TypedDocumentString(`
    mutation UpgradeInstances($input: UpgradeInstancesInput!) {
  upgradeInstances(input: $input) {
    upgrade {
      id
    }
    userErrors {
      ...Refused
      ... on PlanChangedError {
        planned {
          targetVersion
          upgraded
          skipped
        }
        now {
          targetVersion
          upgraded
          skipped
        }
      }
    }
  }
}
    fragment Refused on UserError {
  code
  message
  field
}`) as unknown as TypedDocumentString<UpgradeInstancesMutation, UpgradeInstancesMutationVariables>;
export const ProcessDocument = /*#__PURE__*/ new TypedDocumentString(`
    query Process($namespace: String!, $code: String!) {
  process(namespace: $namespace, code: $code) {
    id
    namespace
    code
    title
    createdAt
    latestPublishedVersion {
      number
    }
    draft {
      number
    }
    versions {
      ...VersionRow
    }
  }
}
    fragment VersionRow on Version {
  id
  number
  state
  hasBpmn
  createdAt
  publishedAt
}`) as unknown as TypedDocumentString<ProcessQuery, ProcessQueryVariables>;
export const ProcessActivityDocument = /*#__PURE__*/ new TypedDocumentString(`
    query ProcessActivity($namespace: String!, $code: String!) {
  process(namespace: $namespace, code: $code) {
    id
    activeCount
    outdatedCount
    activeByVersion {
      version
      pending
      running
    }
    lastUpgrade {
      id
      state
      requestedAt
    }
  }
}
    `) as unknown as TypedDocumentString<ProcessActivityQuery, ProcessActivityQueryVariables>;
export const CohortsDocument = /*#__PURE__*/ new TypedDocumentString(`
    query Cohorts($namespace: String!, $code: String!) {
  process(namespace: $namespace, code: $code) {
    id
    cohorts {
      version
      status
      position
      count
    }
  }
}
    `) as unknown as TypedDocumentString<CohortsQuery, CohortsQueryVariables>;
export const VersionModelDocument = /*#__PURE__*/ new TypedDocumentString(`
    query VersionModel($namespace: String!, $code: String!, $number: Int!) {
  process(namespace: $namespace, code: $code) {
    id
    version(number: $number) {
      id
      number
      bpmn
      elements {
        elementId
        name
        kind
        scope
        isWaitState
      }
    }
  }
}
    `) as unknown as TypedDocumentString<VersionModelQuery, VersionModelQueryVariables>;
export const InstancesDocument = /*#__PURE__*/ new TypedDocumentString(`
    query Instances($namespace: String!, $code: String!, $filter: InstanceFilterInput, $first: Int!, $after: String) {
  process(namespace: $namespace, code: $code) {
    id
    instances(filter: $filter, first: $first, after: $after) {
      nodes {
        id
        instanceId
        version
        status
        position
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
}
    `) as unknown as TypedDocumentString<InstancesQuery, InstancesQueryVariables>;
export const InstanceCountDocument = /*#__PURE__*/ new TypedDocumentString(`
    query InstanceCount($namespace: String!, $code: String!, $filter: InstanceFilterInput) {
  process(namespace: $namespace, code: $code) {
    id
    instances(filter: $filter, first: 1) {
      totalCount
    }
  }
}
    `) as unknown as TypedDocumentString<InstanceCountQuery, InstanceCountQueryVariables>;
export const ProcessesDocument = /*#__PURE__*/ new TypedDocumentString(`
    query Processes($search: String, $orderBy: ProcessOrder!, $first: Int!, $after: String) {
  processes(search: $search, orderBy: $orderBy, first: $first, after: $after) {
    nodes {
      id
      namespace
      code
      title
      latestPublishedVersion {
        number
      }
      draft {
        number
      }
    }
    pageInfo {
      hasNextPage
      endCursor
    }
    totalCount
  }
}
    `) as unknown as TypedDocumentString<ProcessesQuery, ProcessesQueryVariables>;
export const ProcessCountsDocument = /*#__PURE__*/ new TypedDocumentString(`
    query ProcessCounts($search: String, $orderBy: ProcessOrder!, $first: Int!, $after: String) {
  processes(search: $search, orderBy: $orderBy, first: $first, after: $after) {
    nodes {
      id
      activeCount
      outdatedCount
      lastUpgrade {
        id
        state
        requestedAt
      }
    }
  }
}
    `) as unknown as TypedDocumentString<ProcessCountsQuery, ProcessCountsQueryVariables>;
export const SessionDocument = /*#__PURE__*/ new TypedDocumentString(`
    query Session {
  viewer {
    keyName
    role
    namespaces
    expiresAt
  }
  server {
    version
    limits {
      maxIds
    }
  }
}
    `) as unknown as TypedDocumentString<SessionQuery, SessionQueryVariables>;
export const UpgradeDocument = /*#__PURE__*/ new TypedDocumentString(`
    query Upgrade($id: UUID!) {
  upgrade(id: $id) {
    ...UpgradeSummary
    ...UpgradeProgressParts
    error
    prunedAt
    excluded
    selectedCount
    exceptCount
    retriedReasons
    conditions {
      versions
      elements
      statuses
      limit
    }
    mappings {
      fromVersion
      instructions {
        source
        target
      }
    }
    events {
      at
      kind
      by
    }
    of {
      id
      selection
      targetVersion
    }
    undoneBy {
      id
      state
      upgraded
    }
    retries(first: 10) {
      nodes {
        id
        state
        requestedAt
      }
    }
    countsByReason {
      code
      count
    }
    countsByFinding {
      severity
      code
      count
    }
  }
}
    fragment UpgradeProgressParts on Upgrade {
  id
  state
  allowedActions
  expected
  total
  upgraded
  skipped
  ordered
  sent
  rate
  etaSeconds
  workedSeconds
  workers
  startedAt
  finishedAt
}
fragment UpgradeSummary on Upgrade {
  id
  selection
  targetVersion
  state
  requestedBy
  reason
  requestedAt
  finishedAt
  expected
  total
  upgraded
  skipped
  etaSeconds
  process {
    namespace
    code
    title
  }
}`) as unknown as TypedDocumentString<UpgradeQuery, UpgradeQueryVariables>;
export const UpgradeProgressDocument = /*#__PURE__*/ new TypedDocumentString(`
    subscription UpgradeProgress($id: UUID!) {
  upgradeProgress(id: $id) {
    ...UpgradeProgressParts
  }
}
    fragment UpgradeProgressParts on Upgrade {
  id
  state
  allowedActions
  expected
  total
  upgraded
  skipped
  ordered
  sent
  rate
  etaSeconds
  workedSeconds
  workers
  startedAt
  finishedAt
}`) as unknown as TypedDocumentString<UpgradeProgressSubscription, UpgradeProgressSubscriptionVariables>;
export const PauseUpgradeDocument = /*#__PURE__*/ new TypedDocumentString(`
    mutation PauseUpgrade($id: UUID!) {
  pauseUpgrade(input: {id: $id}) {
    upgrade {
      ...UpgradeProgressParts
    }
    userErrors {
      ...Refused
    }
  }
}
    fragment UpgradeProgressParts on Upgrade {
  id
  state
  allowedActions
  expected
  total
  upgraded
  skipped
  ordered
  sent
  rate
  etaSeconds
  workedSeconds
  workers
  startedAt
  finishedAt
}
fragment Refused on UserError {
  code
  message
  field
}`) as unknown as TypedDocumentString<PauseUpgradeMutation, PauseUpgradeMutationVariables>;
export const ResumeUpgradeDocument = /*#__PURE__*/ new TypedDocumentString(`
    mutation ResumeUpgrade($id: UUID!) {
  resumeUpgrade(input: {id: $id}) {
    upgrade {
      ...UpgradeProgressParts
    }
    userErrors {
      ...Refused
    }
  }
}
    fragment UpgradeProgressParts on Upgrade {
  id
  state
  allowedActions
  expected
  total
  upgraded
  skipped
  ordered
  sent
  rate
  etaSeconds
  workedSeconds
  workers
  startedAt
  finishedAt
}
fragment Refused on UserError {
  code
  message
  field
}`) as unknown as TypedDocumentString<ResumeUpgradeMutation, ResumeUpgradeMutationVariables>;
export const CancelUpgradeDocument = /*#__PURE__*/ new TypedDocumentString(`
    mutation CancelUpgrade($id: UUID!) {
  cancelUpgrade(input: {id: $id}) {
    upgrade {
      ...UpgradeProgressParts
    }
    userErrors {
      ...Refused
    }
  }
}
    fragment UpgradeProgressParts on Upgrade {
  id
  state
  allowedActions
  expected
  total
  upgraded
  skipped
  ordered
  sent
  rate
  etaSeconds
  workedSeconds
  workers
  startedAt
  finishedAt
}
fragment Refused on UserError {
  code
  message
  field
}`) as unknown as TypedDocumentString<CancelUpgradeMutation, CancelUpgradeMutationVariables>;
export const RetryUpgradeDocument = /*#__PURE__*/ new TypedDocumentString(`
    mutation RetryUpgrade($input: RetryUpgradeInput!) {
  retryUpgrade(input: $input) {
    upgrade {
      id
    }
    userErrors {
      ...Refused
    }
  }
}
    fragment Refused on UserError {
  code
  message
  field
}`) as unknown as TypedDocumentString<RetryUpgradeMutation, RetryUpgradeMutationVariables>;
export const UndoUpgradeDocument = /*#__PURE__*/ new TypedDocumentString(`
    mutation UndoUpgrade($input: UndoUpgradeInput!) {
  undoUpgrade(input: $input) {
    upgrade {
      id
    }
    userErrors {
      ...Refused
    }
  }
}
    fragment Refused on UserError {
  code
  message
  field
}`) as unknown as TypedDocumentString<UndoUpgradeMutation, UndoUpgradeMutationVariables>;
export const SkippedElementsDocument = /*#__PURE__*/ new TypedDocumentString(`
    query SkippedElements($id: UUID!) {
  upgrade(id: $id) {
    id
    countsByElement(first: 500) {
      elementId
      count
    }
  }
}
    `) as unknown as TypedDocumentString<SkippedElementsQuery, SkippedElementsQueryVariables>;
export const SkippedAtDocument = /*#__PURE__*/ new TypedDocumentString(`
    query SkippedAt($id: UUID!, $at: String!, $first: Int!, $after: String) {
  upgrade(id: $id) {
    id
    outcomes(
      filter: {kinds: [SKIPPED], elements: [$at]}
      first: $first
      after: $after
    ) {
      nodes {
        reasons {
          code
          message
          findings {
            code
            source
          }
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
}
    `) as unknown as TypedDocumentString<SkippedAtQuery, SkippedAtQueryVariables>;
export const UpgradesDocument = /*#__PURE__*/ new TypedDocumentString(`
    query Upgrades($process: ProcessKeyInput, $filter: UpgradeFilterInput, $first: Int!, $after: String) {
  upgrades(process: $process, filter: $filter, first: $first, after: $after) {
    nodes {
      ...UpgradeSummary
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
    fragment UpgradeSummary on Upgrade {
  id
  selection
  targetVersion
  state
  requestedBy
  reason
  requestedAt
  finishedAt
  expected
  total
  upgraded
  skipped
  etaSeconds
  process {
    namespace
    code
    title
  }
}`) as unknown as TypedDocumentString<UpgradesQuery, UpgradesQueryVariables>;
export const RunningUpgradesDocument = /*#__PURE__*/ new TypedDocumentString(`
    query RunningUpgrades {
  upgrades(filter: {states: [QUEUED, RUNNING, PAUSED]}, first: 5) {
    nodes {
      ...UpgradeSummary
    }
  }
}
    fragment UpgradeSummary on Upgrade {
  id
  selection
  targetVersion
  state
  requestedBy
  reason
  requestedAt
  finishedAt
  expected
  total
  upgraded
  skipped
  etaSeconds
  process {
    namespace
    code
    title
  }
}`) as unknown as TypedDocumentString<RunningUpgradesQuery, RunningUpgradesQueryVariables>;
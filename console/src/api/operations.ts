/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { DocumentTypeDecoration } from '@graphql-typed-document-node/core';
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

/** The permissions of an API key. */
export type Role =
  /** The key may run queries and subscriptions, but no mutations. */
  | 'READER'
  /** The key may read and change everything in its scope. */
  | 'SYSTEM_ADMIN';

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

export type FindProcessesQueryVariables = Exact<{
  search: string;
}>;


export type FindProcessesQuery = { processes: { nodes: Array<{ id: string, namespace: string, code: string, title: string }> } };

export type FindByIdQueryVariables = Exact<{
  id: string;
}>;


export type FindByIdQuery = { instance: { id: string, instanceId: string, version: number, status: Status, process: { namespace: string, code: string, title: string } } | null, upgrade: { id: string, state: UpgradeState, requestedAt: string, process: { title: string } } | null };

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
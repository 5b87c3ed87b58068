// The codes of the API in words. An unknown code of a newer gateway is shown as it is.
export const codes = {
  state: {
    QUEUED: "Queued",
    RUNNING: "Running",
    PAUSED: "Paused",
    COMPLETED: "Completed",
    CANCELLED: "Cancelled",
    FAILED: "Failed",
  } as Record<string, string>,
  status: {
    PENDING: "Waiting",
    RUNNING: "Running",
    COMPLETED: "Completed",
    CANCELLED: "Cancelled",
    FAILED: "Failed",
  } as Record<string, string>,
  role: {
    SYSTEM_ADMIN: "System administrator",
    READER: "Reader",
  } as Record<string, string>,
  selection: {
    BY_IDS: "Listed instances",
    ALL_ACTIVE: "All active instances",
    RETRY: "Retry",
    UNDO: "Undo",
    MATCHING: "By conditions",
    FIRST_MATCHING: "The first by conditions",
  } as Record<string, string>,
  versionState: {
    DRAFT: "Draft",
    PUBLISHED: "Published",
  } as Record<string, string>,
  outcome: {
    UPGRADED: "Upgraded",
    SKIPPED: "Skipped",
  } as Record<string, string>,
  reason: {
    INSTANCE_NOT_FOUND: "No such instance in the process",
    NOT_PENDING: "Not waiting",
    ALREADY_LATEST: "Already on the latest version",
    INCOMPATIBLE: "Its place has no counterpart in the new version",
    MOVED_ON: "Has moved on since the upgrade",
  } as Record<string, string>,
  order: {
    NAME: "Name",
    TITLE: "Title",
    CREATED: "Oldest first",
  } as Record<string, string>,
};

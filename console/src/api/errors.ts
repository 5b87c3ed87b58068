// Tells what went wrong with a request, in kinds that the page has a sentence for.
import type { CombinedError } from "@urql/core";

export type FailureKind =
  | "offline" // no answer: the gateway is away, or the network
  | "unauthenticated" // the key is unknown, revoked or expired
  | "forbidden" // the key may not do this
  | "rateLimited"
  | "unavailable" // the gateway answers, its database does not
  | "notJson" // something else answers, such as a proxy
  | "unexpected";

export interface Failure {
  kind: FailureKind;
  code: string | null;
  message: string;
  requestId: string | null;
  // Seconds after which the gateway wants to be asked again.
  retryAfter: number | null;
}

const KIND_OF_CODE: Record<string, FailureKind> = {
  UNAUTHENTICATED: "unauthenticated",
  FORBIDDEN: "forbidden",
  RATE_LIMITED: "rateLimited",
  STORE_UNAVAILABLE: "unavailable",
};
const KIND_OF_STATUS: Record<number, FailureKind> = {
  401: "unauthenticated",
  403: "forbidden",
  429: "rateLimited",
  502: "offline",
  503: "unavailable",
  504: "offline",
};

export function failureOf(error: CombinedError): Failure {
  const response = error.response as Response | undefined;
  const first = error.graphQLErrors[0];
  const extensions = first?.extensions ?? {};
  const code = typeof extensions["code"] === "string" ? extensions["code"] : null;
  return {
    kind: kindOf(code, response?.status, Boolean(first)),
    code,
    message: first?.message ?? error.networkError?.message ?? error.message,
    requestId: response?.headers?.get("x-request-id") ?? textOf(extensions["id"]),
    retryAfter: secondsOf(extensions["retryAfter"] ?? response?.headers?.get("retry-after")),
  };
}

export function kindOf(code: string | null, status: number | undefined, isGraphQL: boolean): FailureKind {
  const known = (code && KIND_OF_CODE[code]) || (status && KIND_OF_STATUS[status]);
  if (known) return known;
  if (isGraphQL) return "unexpected";
  return status === undefined || status === 0 ? "offline" : "notJson";
}

// Whether the same request may succeed without anyone's doing.
export function isPassing({ kind }: Failure): boolean {
  return kind === "offline" || kind === "rateLimited" || kind === "unavailable";
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function secondsOf(value: unknown): number | null {
  const seconds = Number(value ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : null;
}

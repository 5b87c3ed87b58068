// What a screen shows in place of its data, or above it: loading, nothing there, a failure, data that is not fresh.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Failure } from "../api/errors.ts";
import type { Query } from "../api/use_query.ts";
import { t } from "../texts/index.ts";

const PAUSE_BEFORE_SKELETON_MS = 200;

// Shows the data of a query, with a skeleton until it is there, and failures beside what was shown before.
export function Loaded<Data>({
  query,
  lines = 6,
  children,
}: {
  query: Query<Data>;
  lines?: number;
  children: (data: Data) => ComponentChildren;
}) {
  if (query.data === undefined) {
    return query.failure ? <Failed failure={query.failure} onRetry={query.reload} /> : <Skeleton lines={lines} />;
  }
  return (
    <>
      {query.failure && <Stale failure={query.failure} at={query.at} onRetry={query.reload} />}
      {children(query.data)}
    </>
  );
}

export function Skeleton({ lines = 6 }: { lines?: number }) {
  const isShown = useAfter(PAUSE_BEFORE_SKELETON_MS);
  return (
    <div class="stack card padded" role="status" aria-busy="true">
      <span class="unseen">{t.common.loading}</span>
      {isShown &&
        Array.from({ length: lines }, (_, line) => (
          <div key={line} class="skeleton" style={{ width: `${[92, 74, 83, 65][line % 4]}%` }} />
        ))}
    </div>
  );
}

export function Vacant({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="card vacant">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

export function Failed({ failure, onRetry }: { failure: Failure; onRetry?: () => void }) {
  const { title, hint } = sentences(failure);
  return (
    <div class="card vacant" role="alert">
      <h2>{title}</h2>
      <p>{hint}</p>
      <FailureFacts failure={failure} />
      {onRetry && (
        <p>
          <button type="button" class="button" onClick={onRetry}>
            {t.common.retry}
          </button>
        </p>
      )}
    </div>
  );
}

// A failure in one line, beside what it concerns.
export function FailureNotice({ failure, onRetry }: { failure: Failure; onRetry?: () => void }) {
  const { title, hint } = sentences(failure);
  return (
    <div class="notice bad" role="alert">
      <strong>{title}.</strong>
      <span>{hint}</span>
      <FailureFacts failure={failure} />
      {onRetry && (
        <button type="button" class="button small" onClick={onRetry}>
          {t.common.retry}
        </button>
      )}
    </div>
  );
}

function Stale({ failure, at, onRetry }: { failure: Failure; at: Date | null; onRetry: () => void }) {
  return (
    <div class="notice warn" role="status">
      <strong>{at ? t.common.failure.asOf(at) : t.common.failure.asOfBefore}.</strong>
      <span>
        {sentences(failure).title}. {t.common.failure.outOfDate}
      </span>
      <button type="button" class="button small" onClick={onRetry}>
        {t.common.retry}
      </button>
    </div>
  );
}

export function sentences(failure: Failure): { title: string; hint: string } {
  const texts = t.common.failure;
  switch (failure.kind) {
    case "offline":
      return { title: texts.offline, hint: texts.offlineHint };
    case "unauthenticated":
      return { title: texts.unauthenticated, hint: failure.message };
    case "forbidden":
      return { title: texts.forbidden, hint: failure.message };
    case "rateLimited":
      return { title: texts.rateLimited, hint: texts.rateLimitedHint(failure.retryAfter ?? 2) };
    case "unavailable":
      return { title: texts.unavailable, hint: texts.unavailableHint };
    case "notJson":
      return { title: texts.notJson, hint: texts.notJsonHint };
    case "unexpected":
      return { title: texts.unexpected, hint: failure.message };
  }
}

function FailureFacts({ failure }: { failure: Failure }) {
  const texts = t.common.failure;
  const facts = [failure.code && texts.code(failure.code), failure.requestId && texts.request(failure.requestId)];
  const known = facts.filter(Boolean);
  return known.length ? <p class="small mono">{known.join(" · ")}</p> : null;
}

function useAfter(milliseconds: number): boolean {
  const [isOver, setOver] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setOver(true), milliseconds);
    return () => clearTimeout(timer);
  }, []);
  return isOver;
}

// Loads data for a component, keeps it fresh, and says what is known about it: data, its age, and a failure.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type Document, type Values, remembered, send, subscribe } from "./client.ts";
import { useSocketOpen } from "./connection.ts";
import type { Failure } from "./errors.ts";
import { pauseBefore } from "./pauses.ts";

export interface Query<Data> {
  data: Data | undefined;
  // When the gateway sent the data; null for data of an earlier visit, which is being loaded again.
  at: Date | null;
  failure: Failure | null;
  isLoading: boolean;
  reload: () => void;
}

export interface Options {
  // Loads again so many milliseconds after the last answer, while the tab is visible.
  every?: number;
  // Loads nothing.
  pause?: boolean;
  // Shows the data of the previous variables until those of the new ones are there, as for a search.
  keep?: boolean;
  // An event of this subscription loads the data again; while it works, `every` is stretched.
  live?: Live;
}

export interface Live {
  document: Document<unknown, never>;
  variables: Values;
}

const EVENT_PAUSE_MS = 1_000;

interface Loaded<Data> {
  key: string;
  data: Data | undefined;
  at: Date | null;
  failure: Failure | null;
  isLoading: boolean;
}

export function useQuery<Data, Variables extends Values>(
  document: Document<Data, Variables>,
  variables: Variables,
  options: Options = {},
): Query<Data> {
  const key = `${document.toString()}${JSON.stringify(variables)}`;
  const [loaded, setLoaded] = useState<Loaded<Data>>(() => beginning(key, document, variables, options));
  const [turn, setTurn] = useState(0);
  const failures = useRef(0);
  const isLive = useEvents(options.live, options.pause ?? false, () => setTurn((last) => last + 1));

  useEffect(() => {
    if (options.pause) return;
    let isCurrent = true;
    setLoaded((last) => {
      if (last.key === key) return { ...last, isLoading: true };
      const next = beginning(key, document, variables, options);
      return next.data === undefined && options.keep ? { ...next, data: last.data, at: last.at } : next;
    });
    void send(document, variables).then(({ data, failure }) => {
      if (!isCurrent) return;
      failures.current = failure ? failures.current + 1 : 0;
      setLoaded((last) => ({
        key,
        data: failure ? last.data : (data ?? undefined),
        at: failure ? last.at : new Date(),
        failure,
        isLoading: false,
      }));
    });
    return () => {
      isCurrent = false;
    };
  }, [key, turn, options.pause]);

  useEffect(() => {
    if (options.pause || loaded.isLoading) return;
    const pause = pauseBefore(loaded.failure, failures.current, options.every, isLive);
    return pause === null ? undefined : afterVisiblePause(pause, () => setTurn((last) => last + 1));
  }, [loaded, isLive, options.every, options.pause]);

  const reload = useCallback(() => setTurn((last) => last + 1), []);
  const { data, at, failure, isLoading } = loaded;
  if (loaded.key === key) return { data, at, failure, isLoading, reload };
  // The variables changed just now, and the effect above has not run yet: this is the data of others.
  return { data: options.keep ? data : undefined, at, failure: null, isLoading: !options.pause, reload };
}

// Events of a subscription, as long as it works; callers poll when it does not.
export function useSubscription<Data, Variables extends Values>(
  document: Document<Data, Variables>,
  variables: Variables,
  { pause = false }: { pause?: boolean } = {},
): { data: Data | undefined; isLive: boolean } {
  const [data, setData] = useState<Data>();
  const [isLive, setLive] = useState(false);
  useEffect(() => {
    setData(undefined);
    if (pause) return;
    const stop = subscribe(
      document,
      variables,
      (answer) => {
        setLive(answer.failure === null);
        if (answer.data) setData(answer.data);
      },
      () => setLive(false),
    );
    return () => {
      setLive(false);
      stop();
    };
  }, [document, JSON.stringify(variables), pause]);
  return { data, isLive: useSocketOpen() && isLive };
}

function beginning<Data, Variables extends Values>(
  key: string,
  document: Document<Data, Variables>,
  variables: Variables,
  { pause }: Options,
): Loaded<Data> {
  const data = pause ? undefined : remembered(document, variables);
  return { key, data, at: null, failure: null, isLoading: !pause };
}

function useEvents(live: Live | undefined, pause: boolean, onEvent: () => void): boolean {
  const [isLive, setLive] = useState(false);
  const lastEvent = useRef(0);
  useEffect(() => {
    if (!live || pause) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = subscribe(
      live.document as Document<unknown, Values>,
      live.variables,
      ({ failure }) => {
        setLive(failure === null);
        clearTimeout(timer);
        const wait = Math.max(0, lastEvent.current + EVENT_PAUSE_MS - Date.now());
        timer = setTimeout(() => {
          lastEvent.current = Date.now();
          onEvent();
        }, wait);
      },
      () => setLive(false),
    );
    return () => {
      clearTimeout(timer);
      setLive(false);
      stop();
    };
  }, [live?.document, JSON.stringify(live?.variables), pause]);
  return useSocketOpen() && isLive;
}

function afterVisiblePause(milliseconds: number, act: () => void): () => void {
  let isDue = false;
  const actIfVisible = () => {
    if (isDue && document.visibilityState === "visible") act();
  };
  const timer = setTimeout(() => {
    isDue = true;
    actIfVisible();
  }, milliseconds);
  document.addEventListener("visibilitychange", actIfVisible);
  return () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", actIfVisible);
  };
}

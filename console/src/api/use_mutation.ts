// Runs a mutation once at a time, and keeps why it was refused.
import { useCallback, useRef, useState } from "preact/hooks";
import { type Answer, type Document, type Values, send } from "./client.ts";
import type { Failure } from "./errors.ts";

export interface Mutation<Data, Variables> {
  isRunning: boolean;
  failure: Failure | null;
  run: (variables: Variables) => Promise<Answer<Data>>;
}

export function useMutation<Data, Variables extends Values>(
  document: Document<Data, Variables>,
): Mutation<Data, Variables> {
  const [isRunning, setRunning] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const running = useRef<Promise<Answer<Data>> | null>(null);
  const run = useCallback(
    (variables: Variables) => {
      if (running.current) return running.current; // a second click is no second request
      setRunning(true);
      setFailure(null);
      running.current = send(document, variables, "mutation").then((answer) => {
        running.current = null;
        setRunning(false);
        setFailure(answer.failure);
        return answer;
      });
      return running.current;
    },
    [document],
  );
  return { isRunning, failure, run };
}

// The whole page: sign-in, or the frame with the screen that the address names.
import { useEffect, useState } from "preact/hooks";
import { freshClient, send } from "./api/client.ts";
import { useProblem } from "./api/connection.ts";
import type { Failure } from "./api/errors.ts";
import { SessionDocument } from "./api/operations.ts";
import { Frame } from "./frame.tsx";
import { Failed, Skeleton } from "./parts/states.tsx";
import { useEventValue } from "./parts/store.ts";
import { SignIn } from "./screens/sign_in.tsx";
import { currentKey, useKey } from "./session.ts";
import { language } from "./texts/index.ts";
import { type Viewer, ViewerContext } from "./viewer.ts";

export function App() {
  const shown = useEventValue("uplift:language", () => language);
  const key = useKey();
  // Another key or language begins anew: no text and no data of the one before stays.
  return key ? <SignedIn key={`${key} ${shown}`} /> : <SignIn key={shown} />;
}

function SignedIn() {
  const [viewer, setViewer] = useState<Viewer | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  const [turn, setTurn] = useState(0);
  const problem = useProblem();
  useEffect(() => {
    if (turn === 0) freshClient();
    let isCurrent = true;
    void send(SessionDocument, {}).then(({ data, failure: failed }) => {
      if (!isCurrent || !currentKey()) return;
      if (data) setViewer({ ...data.viewer, server: data.server });
      setFailure(failed);
    });
    return () => {
      isCurrent = false;
    };
  }, [turn]);
  useEffect(() => {
    if (!failure || viewer) return;
    const timer = setTimeout(() => setTurn((last) => last + 1), 3_000);
    return () => clearTimeout(timer);
  }, [failure, turn]);
  if (viewer) {
    return (
      <ViewerContext.Provider value={viewer}>
        <Frame problem={problem} />
      </ViewerContext.Provider>
    );
  }
  return (
    <main>{failure ? <Failed failure={failure} onRetry={() => setTurn((last) => last + 1)} /> : <Skeleton />}</main>
  );
}

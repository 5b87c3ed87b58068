// Who is signed in, and what the gateway allows: every screen may ask.
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { SessionQuery } from "./api/operations.ts";

export type Viewer = SessionQuery["viewer"] & { server: SessionQuery["server"] };

export const ViewerContext = createContext<Viewer | null>(null);

export function useViewer(): Viewer {
  const viewer = useContext(ViewerContext);
  if (!viewer) throw new Error("Expected a screen inside of the frame, which knows who is signed in");
  return viewer;
}

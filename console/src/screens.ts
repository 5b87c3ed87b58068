// Loads the screens, each when it is first shown.
import type { FunctionComponent } from "preact";
import type { RouteName, ScreenProps } from "./routes.ts";

export type LoadScreen<Name extends RouteName> = () => Promise<FunctionComponent<ScreenProps<Name>>>;

export const SCREENS: { [Name in RouteName]?: LoadScreen<Name> } = {
  processes: async () => (await import("./screens/processes.tsx")).Processes,
  upgrades: async () => (await import("./screens/upgrades.tsx")).Upgrades,
};

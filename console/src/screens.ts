// Loads the screens, each when it is first shown.
import type { FunctionComponent } from "preact";
import type { RouteName, ScreenProps } from "./routes.ts";

export type LoadScreen<Name extends RouteName> = () => Promise<FunctionComponent<ScreenProps<Name>>>;

export const SCREENS: { [Name in RouteName]: LoadScreen<Name> } = {
  processes: async () => (await import("./screens/processes.tsx")).Processes,
  process: async () => (await import("./screens/process.tsx")).Process,
  compare: async () => (await import("./screens/compare.tsx")).Compare,
  engines: async () => (await import("./screens/engines.tsx")).Engines,
  instance: async () => (await import("./screens/instance.tsx")).Instance,
  outcomes: async () => (await import("./screens/outcomes.tsx")).Outcomes,
  plan: async () => (await import("./screens/plan.tsx")).PlanScreen,
  upgrade: async () => (await import("./screens/upgrade.tsx")).Upgrade,
  upgrades: async () => (await import("./screens/upgrades.tsx")).Upgrades,
};

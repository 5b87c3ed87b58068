// The addresses of the screens, after the #: an address holds all that a reload or a colleague needs.
import { useEventValue } from "./parts/store.ts";

export const ROUTES = {
  processes: "/processes",
  process: "/processes/:namespace/:code",
  compare: "/processes/:namespace/:code/compare",
  plan: "/processes/:namespace/:code/upgrade",
  upgrades: "/upgrades",
  upgrade: "/upgrades/:id",
  outcomes: "/upgrades/:id/outcomes",
  instance: "/instances/:id",
  engines: "/engines",
} as const;

export type RouteName = keyof typeof ROUTES;
type Names<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | Names<Rest>
  : Path extends `${string}:${infer Name}`
    ? Name
    : never;
export type Params<Name extends RouteName> = Record<Names<(typeof ROUTES)[Name]>, string>;
export type Search = Record<string, string>;

export interface Place {
  name: RouteName | null;
  params: Record<string, string>;
  search: Search;
}

export interface ScreenProps<Name extends RouteName> {
  params: Params<Name>;
  search: Search;
}

const CHANGED = "hashchange";

export function href<Name extends RouteName>(name: Name, params: Params<Name>, search: Partial<Search> = {}): string {
  const values = params as Record<string, string>;
  const path = ROUTES[name].replace(/:(\w+)/g, (_, key: string) => encodeURIComponent(values[key] ?? ""));
  const filled = Object.entries(search).filter((entry): entry is [string, string] => Boolean(entry[1]));
  return `#${path}${filled.length ? `?${new URLSearchParams(filled)}` : ""}`;
}

// The place that a hash names; `name` is null if there is none.
export function placeOf(hash: string): Place {
  const [path = "", query = ""] = hash.replace(/^#/, "").split("?", 2);
  const search = Object.fromEntries(new URLSearchParams(query));
  if (path === "" || path === "/") return { name: "processes", params: {}, search };
  for (const [name, pattern] of Object.entries(ROUTES)) {
    const params = matched(pattern.split("/"), path.split("/"));
    if (params) return { name: name as RouteName, params, search };
  }
  return { name: null, params: {}, search };
}

export function go(address: string, { replace = false } = {}): void {
  if (!replace) window.location.hash = address;
  else window.location.replace(address);
}

// Changes some of the search fields of the present address; an empty text removes a field.
export function changeSearch(changes: Partial<Search>, { replace = true } = {}): void {
  const { name, params, search } = placeOf(window.location.hash);
  if (name) go(href(name, params as Params<typeof name>, { ...search, ...changes }), { replace });
}

export function useHash(): string {
  return useEventValue(CHANGED, () => window.location.hash);
}

function matched(pattern: string[], path: string[]): Record<string, string> | null {
  if (pattern.length !== path.length) return null;
  const params: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    const text = path[index] ?? "";
    if (!part.startsWith(":")) {
      if (part !== text) return null;
      continue;
    }
    const value = decoded(text);
    if (!value) return null;
    params[part.slice(1)] = value;
  }
  return params;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return ""; // a % that encodes nothing
  }
}

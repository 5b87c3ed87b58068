// Where the numbers of waiting instances stand in a diagram: at each element, and at subprocesses that hide elements.
export interface Tokens {
  elementId: string;
  pending: number;
  running: number;
}

export interface Scoped {
  elementId: string;
  // The subprocess around the element; null directly in the process.
  scope: string | null;
}

export interface Label {
  elementId: string;
  pending: number;
  running: number;
  // Of elements inside of a collapsed subprocess, which the diagram shows on a plane of their own.
  isInside: boolean;
}

// `isCollapsed` says whether the diagram hides what is in a subprocess. A label is for an element or for what is in it.
export function labelsFor(
  tokens: readonly Tokens[],
  elements: readonly Scoped[],
  isCollapsed: (elementId: string) => boolean,
): Label[] {
  const scopeOf = new Map(elements.map(({ elementId, scope }) => [elementId, scope]));
  const inside = new Map<string, Label>();
  for (const { elementId, pending, running } of tokens) {
    for (const scope of scopesAround(elementId, scopeOf)) {
      if (!isCollapsed(scope)) continue;
      const sum = inside.get(scope) ?? { elementId: scope, pending: 0, running: 0, isInside: true };
      inside.set(scope, { ...sum, pending: sum.pending + pending, running: sum.running + running });
    }
  }
  const own = tokens.map((token) => ({ ...token, isInside: false }));
  return [...own, ...inside.values()].filter(({ pending, running }) => pending + running > 0);
}

// Elements that have instances, and that the diagram does not draw anywhere.
export function notDrawn(tokens: readonly Tokens[], isDrawn: (elementId: string) => boolean): string[] {
  return tokens.filter(({ elementId }) => !isDrawn(elementId)).map(({ elementId }) => elementId);
}

function scopesAround(elementId: string, scopeOf: Map<string, string | null>): string[] {
  const scopes: string[] = [];
  let scope = scopeOf.get(elementId) ?? null;
  while (scope !== null && !scopes.includes(scope)) {
    scopes.push(scope);
    scope = scopeOf.get(scope) ?? null;
  }
  return scopes;
}

// The names of elements, as people know them: the name in the document, or else the id.
export interface Named {
  elementId: string;
  name: string | null;
}

export type NameOf = (elementId: string) => string;

export function namesIn(elements: readonly Named[] | undefined): NameOf {
  const names = new Map(elements?.map(({ elementId, name }) => [elementId, name?.trim() || elementId]));
  return (elementId) => names.get(elementId) ?? elementId;
}

export function positionText(position: readonly string[], nameOf: NameOf): string {
  return position.map(nameOf).join(" + ");
}

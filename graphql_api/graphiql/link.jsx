// Links to an operation: ?query=…&variables=…&operationName=…. A link never contains the key or other headers.
import { ToolbarButton, useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { useEffect, useRef } from "react";

export function linkedOperation(search) {
  const fields = new URLSearchParams(search);
  return Object.fromEntries(
    ["query", "variables", "operationName"].map((name) => [name, fields.get(name) || undefined]),
  );
}

// Selects the operation that the link names as soon as the editor has read the document, once.
export function OperationOfLink({ name }) {
  const operations = useGraphiQL((state) => state.operations);
  const { setOperationName } = useGraphiQLActions();
  const isSelected = useRef(false);
  useEffect(() => {
    if (isSelected.current || !operations?.some((operation) => operation.name?.value === name)) return;
    isSelected.current = true;
    setOperationName(name);
  }, [operations]);
  return null;
}

export function LinkButton() {
  const query = useGraphiQL((state) => state.queryEditor);
  const variables = useGraphiQL((state) => state.variableEditor);
  const operationName = useGraphiQL((state) => state.operationName);
  const show = () => {
    const link = linkTo({ query: query.getValue(), variables: variables.getValue(), operationName });
    window.history.replaceState(null, "", link);
    // Without TLS, or if the user forbids it, there is no clipboard: the link is in the address bar anyway.
    window.navigator.clipboard?.writeText(link).catch(() => undefined);
  };
  return (
    <ToolbarButton label="Copy a link to this operation" onClick={show}>
      <svg className="graphiql-toolbar-icon" viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="2" aria-hidden="true">
        <path d="M10 14a4 4 0 0 0 6 0l4-4a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-4 4a4 4 0 0 0 6 6l1-1" />
      </svg>
    </ToolbarButton>
  );
}

function linkTo(fields) {
  const given = Object.entries(fields).filter(([, value]) => value?.trim());
  const { origin, pathname } = window.location;
  return `${origin}${pathname}?${new URLSearchParams(given)}`;
}

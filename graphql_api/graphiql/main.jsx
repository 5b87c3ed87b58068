// Shows GraphiQL for the endpoint that served this page, below a field for the API key.
import "./monaco.js";
import "@graphiql/react/style.css";
import "@graphiql/plugin-doc-explorer/style.css";
import "@graphiql/plugin-history/style.css";
import "graphiql/graphiql.css";
import "./page.css";

import { useMemo, useState } from "react";
import { createRoot } from "react-dom/client";
import { GraphiQL } from "graphiql";

import { fetcherFor } from "./fetcher.js";
import { KeyField, storedKey } from "./key.jsx";
import { LinkButton, OperationOfLink, linkedOperation } from "./link.jsx";
import { storageWithoutHeaders } from "./storage.js";

const INITIAL_KEY = storedKey();
const LINKED = linkedOperation(window.location.search);

function Page({ defaultQuery }) {
  const [key, setKey] = useState(INITIAL_KEY);
  // GraphiQL asks for the schema anew whenever its fetcher is another one: a new key must have that effect.
  const fetcher = useMemo(() => fetcherFor(window.location, key), [key]);
  return (
    <>
      <KeyField initialKey={INITIAL_KEY} onKey={setKey} />
      <GraphiQL
        fetcher={fetcher}
        // null keeps GraphiQL from asking for the schema, which the server would refuse as long as there is no key.
        schema={key ? undefined : null}
        defaultQuery={defaultQuery}
        initialQuery={LINKED.query}
        initialVariables={LINKED.variables}
        defaultEditorToolsVisibility="variables"
        shouldPersistHeaders={false}
        className={key ? undefined : "without-key"}
        storage={storageWithoutHeaders(window.localStorage)}
        inputValueDeprecation
        schemaDescription
      >
        <GraphiQL.Logo>Uplift</GraphiQL.Logo>
        <GraphiQL.Toolbar>
          {({ prettify, merge, copy }) => (
            <>
              {prettify}
              {merge}
              {copy}
              <LinkButton />
            </>
          )}
        </GraphiQL.Toolbar>
        <OperationOfLink name={LINKED.operationName} />
      </GraphiQL>
    </>
  );
}

const place = document.getElementById("graphiql");
createRoot(place).render(<Page defaultQuery={place.dataset.defaultQuery} />);

// Shows GraphiQL for the endpoint that served this page, and asks for the key in the Headers tab.
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
import { HEADERS_WITHOUT_KEY, KeyKeeper } from "./key.jsx";
import { storageWithoutHeaders } from "./storage.js";

function Page({ defaultQuery }) {
  const [key, setKey] = useState(null);
  // GraphiQL asks for the schema anew whenever its fetcher is another one: a new key must have that effect.
  const fetcher = useMemo(() => fetcherFor(window.location), [key]);
  return (
    <GraphiQL
      fetcher={fetcher}
      // null keeps GraphiQL from asking for the schema, which the server would refuse as long as there is no key.
      schema={key ? undefined : null}
      defaultQuery={defaultQuery}
      defaultHeaders={HEADERS_WITHOUT_KEY}
      defaultEditorToolsVisibility="headers"
      shouldPersistHeaders={false}
      className={key ? undefined : "without-key"}
      storage={storageWithoutHeaders(window.localStorage)}
      inputValueDeprecation
      schemaDescription
    >
      <GraphiQL.Logo>Uplift</GraphiQL.Logo>
      <KeyKeeper onKey={setKey} />
    </GraphiQL>
  );
}

const place = document.getElementById("graphiql");
createRoot(place).render(<Page defaultQuery={place.dataset.defaultQuery} />);

// Sends operations to the endpoint: over HTTP, and subscriptions over a WebSocket at the same address.
import { createGraphiQLFetcher } from "@graphiql/toolkit";

export function fetcherFor({ protocol, host, pathname }) {
  return createGraphiQLFetcher({
    url: pathname,
    // The toolkit sends the headers of the Headers tab as the payload of connection_init: a browser cannot set headers there.
    subscriptionUrl: `${protocol === "https:" ? "wss:" : "ws:"}//${host}${pathname}`,
    enableIncrementalDelivery: false,
    fetch: fetchReadably,
  });
}

// A proxy's HTML error page would otherwise be shown as "Unexpected token '<'".
async function fetchReadably(url, init) {
  const response = await fetch(url, init);
  if (/json/.test(response.headers.get("content-type"))) return response;
  const message = `Expected JSON, but the answer was ${response.status} ${response.statusText}: ${await response.text()}`;
  return Response.json({ errors: [{ message }] });
}

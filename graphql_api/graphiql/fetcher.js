// Sends operations to the endpoint: over HTTP, and subscriptions over a WebSocket at the same address.
import { createGraphiQLFetcher } from "@graphiql/toolkit";

export function fetcherFor({ protocol, host, pathname }, key) {
  const fetcher = createGraphiQLFetcher({
    url: pathname,
    // The toolkit sends the headers as the payload of connection_init: a browser cannot set headers of a WebSocket.
    subscriptionUrl: `${protocol === "https:" ? "wss:" : "ws:"}//${host}${pathname}`,
    enableIncrementalDelivery: false,
    fetch: fetchReadably,
  });
  return (operation, options) => fetcher(operation, { ...options, headers: withKey(options?.headers ?? {}, key) });
}

// A key in the Headers tab wins over the one of the field.
function withKey(headers, key) {
  const hasKey = Object.keys(headers).some((name) => name.toLowerCase() === "authorization");
  return key && !hasKey ? { ...headers, Authorization: `Bearer ${key}` } : headers;
}

// A proxy's HTML error page would otherwise be shown as "Unexpected token '<'".
async function fetchReadably(url, init) {
  const response = await fetch(url, init);
  if (/json/.test(response.headers.get("content-type"))) return response;
  const message = `Expected JSON, but the answer was ${response.status} ${response.statusText}: ${await response.text()}`;
  return Response.json({ errors: [{ message }] });
}

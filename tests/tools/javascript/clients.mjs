// The real client of one protocol, `ws`, `sse` or `sse-single` (one stream for all operations), for the endpoint
// at an address: a function that asks one operation with a key, and resolves to the results, and the error that
// ended them if there was one.
import { createClient as createSse } from 'graphql-sse';
import { createClient as createWs } from 'graphql-ws';
import WebSocket from 'ws';

export function asking(protocol, address) {
  return (key, query) => {
    const client = protocol === 'ws' ? ws(address, key) : sse(address, key, protocol === 'sse-single');
    const results = [];
    return new Promise((resolve) => {
      client.subscribe(
        { query },
        {
          next: (result) => results.push(result),
          error: (error) => resolve({ results, error: described(error) }),
          complete: () => resolve({ results }),
        },
      );
    });
  };
}

function sse(address, key, singleConnection) {
  const headers = { Authorization: `Bearer ${key}` };
  return createSse({ url: address, headers, singleConnection, retryAttempts: 0 });
}

function ws(address, key) {
  return createWs({
    url: address.replace('http:', 'ws:'),
    webSocketImpl: WebSocket,
    connectionParams: { Authorization: `Bearer ${key}` },
    retryAttempts: 0,
  });
}

function described(error) {
  if (Array.isArray(error)) return error.map(({ extensions }) => extensions.code);
  return error.code ?? error.response?.status ?? String(error);
}

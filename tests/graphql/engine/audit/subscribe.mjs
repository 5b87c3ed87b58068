// Asks by the real client of one protocol, `ws` or `sse`, at the address given; prints what it got as JSON:
// the results of each operation, the error of a wrong one, and how a wrong key is refused.
import { createClient as createSse } from 'graphql-sse';
import { createClient as createWs } from 'graphql-ws';
import WebSocket from 'ws';

const [protocol, address] = process.argv.slice(2);

function client(key) {
  if (protocol === 'sse') {
    return createSse({ url: address, headers: { Authorization: `Bearer ${key}` }, retryAttempts: 0 });
  }
  return createWs({
    url: address.replace('http:', 'ws:'),
    webSocketImpl: WebSocket,
    connectionParams: { Authorization: `Bearer ${key}` },
    retryAttempts: 0,
  });
}

function ask(asking, query) {
  const results = [];
  return new Promise((resolve) => {
    asking.subscribe(
      { query },
      {
        next: (result) => results.push(result),
        error: (error) => resolve({ results, error: described(error) }),
        complete: () => resolve({ results }),
      },
    );
  });
}

function described(error) {
  if (Array.isArray(error)) return error.map(({ extensions }) => extensions.code);
  return error.code ?? error.response?.status ?? String(error);
}

const known = client('ada');
const found = {
  subscription: await ask(known, 'subscription { count(to: 2) }'),
  query: await ask(known, '{ caller }'),
  mistake: await ask(known, '{ unknown }'),
  refused: await ask(client('wrong'), '{ caller }'),
};
console.log(JSON.stringify(found));
process.exit(0);

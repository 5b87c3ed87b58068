// The GraphQL client: queries and mutations over HTTP, subscriptions over a WebSocket at the same address.
import { Client, cacheExchange, fetchExchange, subscriptionExchange } from "@urql/core";
import { createClient } from "graphql-ws";
import { currentKey, endSession } from "../session.ts";
import { noteAnswer, noteSocket } from "./connection.ts";
import { type Failure, failureOf } from "./errors.ts";
import { SessionDocument, type TypedDocumentString } from "./operations.ts";

// The page lies beside the API, below whatever path a proxy has for both.
const API = new URL("graphql", document.baseURI);
const TIMEOUT_MS = 60_000;

export type Document<Data, Variables> = TypedDocumentString<Data, Variables>;
export type Answer<Data> = { data: Data | null; failure: Failure | null };
export type Values = Record<string, unknown>;

// A client serves one key: its cache and its socket must not outlive the key.
let made: MadeClient | null = null;

interface MadeClient {
  client: Client;
  end: () => void;
}

export function freshClient(): void {
  made?.end();
  made = null;
}

export async function send<Data, Variables extends Values>(
  document: Document<Data, Variables>,
  variables: Variables,
  kind: "query" | "mutation" = "query",
): Promise<Answer<Data>> {
  const sender = currentClient();
  const text = document.toString();
  const result = await (
    kind === "query"
      ? sender.query<Data, Values>(text, variables, { requestPolicy: "network-only" })
      : sender.mutation<Data, Values>(text, variables)
  ).toPromise();
  if (sender !== made?.client) return { data: null, failure: null }; // another key is signed in by now
  const failure = result.error ? failureOf(result.error) : null;
  noteAnswer(failure);
  if (failure?.kind === "unauthenticated") endSession("refused");
  return { data: result.data ?? null, failure };
}

// Why the gateway does not accept a key; null if it does.
export async function checkKey(key: string): Promise<Failure | null> {
  const { client: probe, end } = makeClient(key);
  const result = await probe.query(SessionDocument.toString(), {}).toPromise();
  end();
  return result.error ? failureOf(result.error) : null;
}

// What an earlier request with these variables returned, if no mutation may have changed it since.
export function remembered<Data, Variables extends Values>(
  document: Document<Data, Variables>,
  variables: Variables,
): Data | undefined {
  return (
    currentClient().readQuery<Data, Values>(document.toString(), variables, { requestPolicy: "cache-only" })?.data ??
    undefined
  );
}

// Calls `onEvent` for each event, and `onEnd` once when no more will come, whatever the reason.
export function subscribe<Data, Variables extends Values>(
  document: Document<Data, Variables>,
  variables: Variables,
  onEvent: (answer: Answer<Data>) => void,
  onEnd: () => void,
): () => void {
  const source = currentClient().subscription<Data, Values>(document.toString(), variables);
  const { unsubscribe } = source.subscribe((result) => {
    if (result.data) onEvent({ data: result.data, failure: null });
    if (result.error) onEvent({ data: null, failure: failureOf(result.error) });
    if (result.error || !result.hasNext) onEnd();
  });
  return unsubscribe;
}

function currentClient(): Client {
  made ??= makeClient(currentKey());
  return made.client;
}

function makeClient(key: string): MadeClient {
  const headers = { Authorization: `Bearer ${key}` };
  const socket = createClient({
    url: Object.assign(new URL(API), { protocol: API.protocol === "https:" ? "wss:" : "ws:" }).href,
    connectionParams: headers, // a browser cannot set headers of a WebSocket
    lazyCloseTimeout: 5_000,
    retryAttempts: Number.POSITIVE_INFINITY,
    shouldRetry: () => true,
    on: { connected: () => noteSocket(true), closed: () => noteSocket(false) },
    retryWait: (attempt) => new Promise((go) => setTimeout(go, Math.min(30_000, 500 * 2 ** attempt))),
  });
  const client = new Client({
    url: API.href,
    preferGetMethod: false,
    fetchOptions: { headers },
    fetch: fetchInTime,
    exchanges: [
      cacheExchange,
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query, variables }) => ({
          subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query: query ?? "", variables }, sink) }),
        }),
      }),
    ],
  });
  return { client, end: () => void socket.dispose() };
}

// A gateway that took the request and never answers must not leave the page waiting.
function fetchInTime(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const late = AbortSignal.timeout(TIMEOUT_MS);
  return fetch(input, { ...init, signal: init?.signal ? AbortSignal.any([init.signal, late]) : late });
}

// Clients with a normalised cache, as their documents set them up. Each has `watch`, which shows a query and
// returns a function that gives what it shows now; `mutate`; `subscribe`, which ends with the subscription; and
// `queries`, the number of queries that it has sent.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { Client, fetchExchange, mapExchange, subscriptionExchange } from '@urql/core';
import { cacheExchange } from '@urql/exchange-graphcache';
import { getIntrospectionQuery } from 'graphql';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const socketFor = (address, key) =>
  createClient({
    url: address.replace('http', 'ws'),
    connectionParams: { Authorization: `Bearer ${key}` },
    webSocketImpl: WebSocket,
  });

export async function apollo(address, key) {
  let queries = 0;
  const count = new ApolloLink((operation, forward) => {
    queries += operation.query.definitions.some(({ operation: kind }) => kind === 'query');
    return forward(operation);
  });
  const http = new HttpLink({ uri: address, headers: { authorization: `Bearer ${key}` } });
  const isSubscription = ({ query }) => query.definitions.some(({ operation }) => operation === 'subscription');
  const client = new ApolloClient({
    cache: new InMemoryCache(),
    link: count.concat(ApolloLink.split(isSubscription, new GraphQLWsLink(socketFor(address, key)), http)),
  });
  return {
    watch(query, variables) {
      let shown;
      const watched = client.watchQuery({ query: gql(query), variables, errorPolicy: 'none' });
      watched.subscribe(({ data, dataState }) => (shown = dataState === 'complete' ? plain(data) : shown));
      return () => shown;
    },
    async mutate(query, variables) {
      return plain((await client.mutate({ mutation: gql(query), variables })).data);
    },
    subscribe(query, variables, next) {
      return new Promise((complete, error) =>
        client.subscribe({ query: gql(query), variables }).subscribe({ next, error, complete }),
      );
    },
    queries: () => queries,
  };
}

export async function graphcache(address, key) {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ query: getIntrospectionQuery() });
  const schema = (await (await fetch(address, { method: 'POST', headers, body })).json()).data;
  const isValue = ({ kind, interfaces }) =>
    kind === 'OBJECT' && !interfaces.some((implemented) => implemented.name === 'Node');
  const keys = Object.fromEntries(schema.__schema.types.filter(isValue).map(({ name }) => [name, () => null]));
  let queries = 0;
  const socket = socketFor(address, key);
  const client = new Client({
    url: address,
    preferGetMethod: false,
    fetchOptions: { headers },
    exchanges: [
      cacheExchange({ schema, keys }),
      mapExchange({ onOperation: ({ kind }) => void (queries += kind === 'query') }),
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query = '', variables }) => ({
          subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query, variables }, sink) }),
        }),
      }),
    ],
  });
  const orThrow = ({ data, error }) => {
    if (error) throw error;
    return plain(data);
  };
  return {
    watch(query, variables) {
      let shown;
      client.query(query, variables).subscribe(({ data }) => (shown = plain(data)));
      return () => shown;
    },
    mutate: async (query, variables) => orThrow(await client.mutation(query, variables)),
    subscribe(query, variables, next) {
      return new Promise((resolve) =>
        client.subscription(query, variables).subscribe((result) => {
          next(orThrow(result));
          if (!result.hasNext) resolve();
        }),
      );
    },
    queries: () => queries,
  };
}

// Without the names of types, which both caches add.
const plain = (data) => JSON.parse(JSON.stringify(data), (name, value) => (name === '__typename' ? undefined : value));

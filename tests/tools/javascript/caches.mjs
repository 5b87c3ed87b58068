// Lets the normalised caches of Apollo Client and graphcache show views of a gateway, and changes what they show:
// by mutations, and by events of a subscription to what another client changes. Prints as JSON for each: the
// version diff, every view that was out of date after a change, the warnings, and the number of queries that
// the changes caused.
import { apollo, graphcache } from './normalised.mjs';
import { CANCEL, DIFF, PAUSE, PROCESS, PROGRESS, VIEWS, changes, changesByAnother } from './views.mjs';

const [address, key, variables] = process.argv.slice(2);
let warnings = [];
for (const level of ['warn', 'error']) console[level] = (...parts) => warnings.push(parts.join(' '));

const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` };
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function fetched(query, variables) {
  const body = JSON.stringify({ query, variables });
  const { data, errors } = await (await fetch(address, { method: 'POST', headers, body })).json();
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}

async function tried(client, variables) {
  const views = Object.entries(VIEWS).map(([name, query]) => [name, query, client.watch(query, variables)]);
  const outdated = [];

  // Compares each view with what the gateway has, as soon as it can be equal.
  async function compare(change) {
    const expected = await Promise.all(views.map(([, query]) => fetched(query, variables)));
    for (const [index, [name, , view]] of views.entries()) {
      const isOutdated = () => JSON.stringify(view()) !== JSON.stringify(expected[index]);
      const deadline = Date.now() + 2000;
      while (isOutdated() && Date.now() < deadline) await pause(5);
      if (isOutdated()) outdated.push({ change, view: name, shown: view(), expected: expected[index] });
    }
  }

  await compare('first result');
  const diff = views.find(([, query]) => query === DIFF)[2]();
  const queries = client.queries();
  const results = {};
  for (const [name, text, input] of changes(variables)) {
    results[name] = (await client.mutate(text, { input: input(results) }))[name];
    if (results[name].userErrors.length) throw new Error(JSON.stringify(results[name].userErrors));
    await compare(name);
  }
  let events = 0;
  const ended = client.subscribe(PROGRESS, variables, () => (events += 1));
  for (const [name, text] of [['paused by another', PAUSE], ['cancelled by another', CANCEL]]) {
    while (events === 0) await pause(5);
    const seen = events;
    await fetched(text, { input: { id: variables.upgrade } });
    while (events === seen) await pause(5);
    await compare(name);
  }
  await ended;
  let states = 0;
  client.subscribe(PROCESS, variables, () => (states += 1)); // it has no end
  while (states === 0) await pause(5);
  for (const [text, input] of changesByAnother(variables)) await fetched(text, { input });
  while (states === 1) await pause(5);
  await compare('process changed by another');
  return { diff, outdated, refetched: client.queries() - queries };
}

const found = {};
for (const [name, given] of Object.entries(JSON.parse(variables))) {
  warnings = [];
  const client = await { apollo, graphcache }[name](address, key);
  found[name] = { ...(await tried(client, given)), warnings };
}
console.log(JSON.stringify(found));
process.exit(0);

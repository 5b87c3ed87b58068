// Runs every audit of graphql-http against the address given, with a key; prints a JSON list of
// {id, name, status, reason}.
import { auditServer } from 'graphql-http';

const [address, key] = process.argv.slice(2);
const fetchFn = (url, init = {}) =>
  fetch(url, { ...init, headers: { ...init.headers, authorization: `Bearer ${key}` } });

const results = await auditServer({ url: address, fetchFn });
console.log(JSON.stringify(results.map(({ id, name, status, reason }) => ({ id, name, status, reason }))));

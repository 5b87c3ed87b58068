// Asks one operation by the real client of one protocol (see clients.mjs) at the address given, with a key;
// prints what it got as JSON.
import { asking } from './clients.mjs';

const [protocol, address, key, query] = process.argv.slice(2);
console.log(JSON.stringify(await asking(protocol, address)(key, query)));
process.exit(0);

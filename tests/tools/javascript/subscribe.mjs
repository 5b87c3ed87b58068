// Asks by the real client of one protocol, `ws` or `sse`, at the address given; prints what it got as JSON:
// the results of each operation, the error of a wrong one, and how a wrong key is refused.
import { asking } from './clients.mjs';

const [protocol, address] = process.argv.slice(2);
const ask = asking(protocol, address);

const found = {
  subscription: await ask('ada', 'subscription { count(to: 2) }'),
  query: await ask('ada', '{ caller }'),
  mistake: await ask('ada', '{ unknown }'),
  refused: await ask('wrong', '{ caller }'),
};
console.log(JSON.stringify(found));
process.exit(0);

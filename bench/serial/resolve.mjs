// dig NAME @SERVER +short, where dig is not installed.
import { Resolver } from 'node:dns/promises';
const [name, server] = process.argv.slice(2);
const resolver = new Resolver();
resolver.setServers([server]);
console.log(
  await resolver.resolve4(name).then(
    (a) => a.join(),
    () => '',
  ),
);

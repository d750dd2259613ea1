// The ingress controller's manifest for an address: values/traefik.yaml ADDRESS ADDRESS_NAME
import { readFileSync } from 'node:fs';
const [address, name] = process.argv.slice(2);
const text = readFileSync(new URL('../../values/traefik.yaml', import.meta.url), 'utf8');
process.stdout.write(text.replaceAll('${ADDRESS}', address).replaceAll('${ADDRESS_NAME}', name));

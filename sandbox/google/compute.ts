/** Compute Engine v1: regional external addresses and their operations. */
import { isIPv4 } from 'node:net';
import { z } from 'zod';
import { parse, route, type Route } from './api.ts';
import { GoogleError } from './error.ts';
import { newId, type Address, type Cloud, type Operation } from './state.ts';

const BASE = 'https://www.googleapis.com/compute/v1';

const NewAddress = z.object({
  name: z.string(),
  address: z.string().optional(),
  description: z.string().optional(),
  addressType: z.enum(['EXTERNAL']).optional(),
  networkTier: z.string().optional(),
  ipVersion: z.enum(['IPV4']).optional(),
});

const pathOf = (cloud: Cloud, region: string, name: string) =>
  `projects/${cloud.project}/regions/${region}/addresses/${name}`;

/** The address resource as the API shows it. */
function addressResource(cloud: Cloud, address: Address): object {
  const { user, region, ...rest } = address;
  return {
    kind: 'compute#address',
    ...rest,
    status: user === undefined ? 'RESERVED' : 'IN_USE',
    ...(user === undefined
      ? {}
      : { users: [`${BASE}/projects/${cloud.project}/regions/${region}/forwardingRules/${user}`] }),
    region: `${BASE}/projects/${cloud.project}/regions/${region}`,
    selfLink: `${BASE}/${pathOf(cloud, region, address.name)}`,
    labelFingerprint: '42WmSpB8rSM=',
    addressType: 'EXTERNAL',
  };
}

function operationResource(cloud: Cloud, operation: Operation): object {
  const end = operation.started + cloud.settings.delays.operation * 1000;
  const done = cloud.now() >= end;
  const region = `${BASE}/projects/${cloud.project}/regions/${operation.region}`;
  return {
    kind: 'compute#operation',
    id: operation.id,
    name: operation.name,
    operationType: operation.operationType,
    targetLink: `${BASE}/${operation.target}`,
    targetId: operation.targetId,
    status: done ? 'DONE' : 'RUNNING',
    progress: done ? 100 : 0,
    insertTime: new Date(operation.started).toISOString(),
    startTime: new Date(operation.started).toISOString(),
    ...(done ? { endTime: new Date(end).toISOString() } : {}),
    region,
    selfLink: `${region}/operations/${operation.name}`,
  };
}

function startOperation(cloud: Cloud, operationType: 'insert' | 'delete', address: Address): object {
  const started = cloud.now();
  const operation: Operation = {
    id: newId(),
    name: `operation-${started}-${newId(12)}`,
    region: address.region,
    operationType,
    target: pathOf(cloud, address.region, address.name),
    targetId: address.id,
    started,
  };
  cloud.state.operations = [...cloud.state.operations.slice(-99), operation];
  cloud.save();
  return operationResource(cloud, operation);
}

/** The next free address of the block, from .10 to .249 and round again. Throws 403 when all are taken. */
function nextAddress(cloud: Cloud): string {
  for (let tried = 0; tried < 240; tried++) {
    cloud.state.lastAddress = cloud.state.lastAddress < 249 ? cloud.state.lastAddress + 1 : 10;
    const candidate = `${cloud.addressBlock}.${cloud.state.lastAddress}`;
    if (!cloud.state.addresses.some(({ address }) => address === candidate)) return candidate;
  }
  throw new GoogleError(403, "Quota 'STATIC_ADDRESSES' exceeded.", { reason: 'quotaExceeded' });
}

function checkRegion(cloud: Cloud, region: string): string {
  if (cloud.regions.includes(region)) return region;
  throw new GoogleError(404, `The resource 'projects/${cloud.project}/regions/${region}' was not found`);
}

function find(cloud: Cloud, region: string, name: string): Address {
  const found = cloud.state.addresses.find((address) => address.region === region && address.name === name);
  if (found !== undefined) return found;
  throw new GoogleError(404, `The resource '${pathOf(cloud, checkRegion(cloud, region), name)}' was not found`);
}

function insert(cloud: Cloud, region: string, body: unknown): object {
  const wanted = parse(NewAddress, body);
  const invalid = (field: string, value: string, why: string) =>
    new GoogleError(400, `Invalid value for field 'resource.${field}': '${value}'. ${why}`);
  if (!/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/.test(wanted.name)) {
    throw invalid('name', wanted.name, "Must be a match of regex '(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)'");
  }
  const path = pathOf(cloud, checkRegion(cloud, region), wanted.name);
  if (cloud.state.addresses.some((known) => known.region === region && known.name === wanted.name)) {
    throw new GoogleError(409, `The resource '${path}' already exists`);
  }
  if (wanted.address !== undefined) {
    const known = cloud.state.addresses.some(({ address }) => address === wanted.address);
    if (known) throw invalid('address', wanted.address, 'Specified IP address is already reserved.');
    const ours = isIPv4(wanted.address) && wanted.address.startsWith(`${cloud.addressBlock}.`);
    if (!ours) throw invalid('address', wanted.address, 'Specified IP address is invalid.');
  }
  const address: Address = {
    id: newId(),
    name: wanted.name,
    region,
    address: wanted.address ?? nextAddress(cloud),
    description: wanted.description ?? '',
    creationTimestamp: new Date(cloud.now()).toISOString(),
    networkTier: wanted.networkTier ?? 'PREMIUM',
  };
  cloud.state.addresses.push(address);
  return startOperation(cloud, 'insert', address);
}

function remove(cloud: Cloud, region: string, name: string): object {
  const address = find(cloud, region, name);
  if (address.user !== undefined) {
    const user = `projects/${cloud.project}/regions/${region}/forwardingRules/${address.user}`;
    const message = `The address resource '${pathOf(cloud, region, name)}' is already being used by '${user}'`;
    throw new GoogleError(400, message, { reason: 'resourceInUseByAnotherResource' });
  }
  cloud.state.addresses = cloud.state.addresses.filter((known) => known !== address);
  return startOperation(cloud, 'delete', address);
}

async function awaitOperation(cloud: Cloud, name: string, wait: boolean): Promise<object> {
  const operation = cloud.state.operations.find((known) => known.name === name);
  if (operation === undefined) throw new GoogleError(404, `The resource 'operations/${name}' was not found`);
  const left = operation.started + cloud.settings.delays.operation * 1000 - cloud.now();
  // Google's wait answers after two minutes at the latest.
  if (wait && left > 0) await new Promise((wake) => setTimeout(wake, Math.min(left, 120_000)));
  return operationResource(cloud, operation);
}

/** The routes of the service. */
export function computeRoutes(cloud: Cloud): Route[] {
  const project = '/compute/v1/projects/:project';
  const region = `${project}/regions/:region`;
  const regionResource = (name: string) => ({
    kind: 'compute#region',
    name,
    status: 'UP',
    selfLink: `${BASE}/projects/${cloud.project}/regions/${name}`,
  });
  const inRegion = (name: string) =>
    cloud.state.addresses.filter((known) => known.region === name).map((known) => addressResource(cloud, known));
  return [
    route(`GET ${project}`, 'compute.projects.get', () => ({
      kind: 'compute#project',
      name: cloud.project,
      defaultNetworkTier: 'PREMIUM',
    })),
    route(`GET ${project}/regions`, 'compute.regions.list', () => ({
      kind: 'compute#regionList',
      items: cloud.regions.map(regionResource),
    })),
    route(`GET ${region}`, 'compute.regions.get', ({ param }) => regionResource(checkRegion(cloud, param('region')))),
    route(`GET ${project}/aggregated/addresses`, 'compute.addresses.list', () => ({
      kind: 'compute#addressAggregatedList',
      items: Object.fromEntries(cloud.regions.map((name) => [`regions/${name}`, { addresses: inRegion(name) }])),
    })),
    route(`GET ${region}/addresses`, 'compute.addresses.list', ({ param }) => ({
      kind: 'compute#addressList',
      items: inRegion(checkRegion(cloud, param('region'))),
    })),
    route(`POST ${region}/addresses`, 'compute.addresses.create', ({ param, body }) =>
      insert(cloud, param('region'), body),
    ),
    route(`GET ${region}/addresses/:address`, 'compute.addresses.get', ({ param }) =>
      addressResource(cloud, find(cloud, param('region'), param('address'))),
    ),
    route(`GET ${project}/global/addresses/:address`, 'compute.globalAddresses.get', ({ param }) => {
      const path = `projects/${cloud.project}/global/addresses/${param('address')}`;
      throw new GoogleError(404, `The resource '${path}' was not found`);
    }),
    route(`DELETE ${region}/addresses/:address`, 'compute.addresses.delete', ({ param }) =>
      remove(cloud, param('region'), param('address')),
    ),
    route(`GET ${region}/operations/:operation`, 'compute.regionOperations.get', ({ param }) =>
      awaitOperation(cloud, param('operation'), false),
    ),
    route(
      `POST ${region}/operations/:operation/wait`,
      'compute.regionOperations.get',
      ({ param }) => awaitOperation(cloud, param('operation'), true),
      'reads',
    ),
  ];
}

/** The Prometheus of the cluster's operator, asked through the API server. */
import { z } from 'zod';
import type { Context } from '../../context.ts';

const answers = z.object({
  data: z.object({
    result: z.array(z.object({ metric: z.record(z.string(), z.string()), value: z.tuple([z.number(), z.string()]) })),
  }),
});
const ruleGroups = z.object({ data: z.object({ groups: z.array(z.object({ name: z.string() })) }) });

export interface Sample {
  labels: Record<string, string>;
  value: number;
  /** Milliseconds since the epoch. */
  at: number;
}

export interface Prometheus {
  query: (text: string) => Promise<Sample[]>;
  /** Names of the rule groups that it has loaded. */
  groups: () => Promise<string[]>;
}

/** The first one that an operator runs in the GKE cluster; undefined where there is none. */
export async function prometheusOf(ctx: Context): Promise<Prometheus | undefined> {
  const kube = ctx.kube(ctx.settings.gke);
  const service = (await kube.listAll('Service')).find((o) => o.metadata.labels?.['operated-prometheus'] === 'true');
  if (!service) return undefined;
  const { namespace = '', name } = service.metadata;
  const ask = async (path: string): Promise<unknown> =>
    JSON.parse(await kube.raw(`/api/v1/namespaces/${namespace}/services/${name}:web/proxy/api/v1/${path}`)) as unknown;
  return {
    query: async (text) =>
      answers
        .parse(await ask(`query?query=${encodeURIComponent(text)}`))
        .data.result.map(({ metric, value: [at, value] }) => ({ labels: metric, value: Number(value), at: at * 1000 })),
    groups: async () => ruleGroups.parse(await ask('rules?type=alert')).data.groups.map((g) => g.name),
  };
}

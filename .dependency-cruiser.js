/** Who may import whom (docs/architecture.md, "Layers"): each entry only from entries above it and from its own folder. */
const LAYERS = [
  'lib/base',
  'lib/settings',
  'lib/clients',
  'lib/chart',
  'lib/context.ts',
  'lib/step.ts',
  'lib/deployment',
  'lib/runner',
  'lib/operations',
  'scripts',
];

/** @param {string} layer */
const pattern = (layer) => `^${layer.replaceAll('.', '\\.')}${layer.endsWith('.ts') ? '$' : '/'}`;

export default {
  forbidden: [
    {
      name: 'no-circle',
      severity: 'error',
      comment: 'Two files that need each other are one file, or miss a third: of types too.',
      from: {},
      to: { circular: true },
    },
    ...LAYERS.slice(0, -1).map((layer, i) => ({
      name: `${layer} imports only from above`,
      severity: 'error',
      comment: 'A newcomer reads in one direction: what two layers share belongs to the upper one.',
      from: { path: pattern(layer) },
      to: { path: LAYERS.slice(i + 1).map(pattern) },
    })),
    {
      name: 'lib-is-layered',
      severity: 'error',
      comment: 'Every file of lib lies in a layer.',
      from: { path: '^lib/', pathNot: LAYERS.map(pattern) },
      to: {},
    },
    {
      name: 'product-alone',
      severity: 'error',
      comment: 'The product knows neither the rehearsal world nor its tests and benchmarks.',
      from: { path: '^(lib|scripts)/' },
      to: { path: '^(sandbox|test|bench)/' },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^node_modules|^sandbox/kubently/' },
  },
};

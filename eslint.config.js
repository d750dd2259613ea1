import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['node_modules/**', 'bench/**/*.mjs', '.tools/**', '.runbook/**'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      'max-lines': ['error', 400],
    },
  },
  { files: ['**/*.js'], ...tseslint.configs.disableTypeChecked },
  {
    // One writer scrubs and makes harmless what reaches a terminal.
    files: ['scripts/**', 'lib/**'],
    ignores: ['lib/base/say.ts'],
    rules: {
      'no-console': 'error',
      'no-restricted-syntax': [
        'error',
        {
          selector: "MemberExpression[object.property.name=/^std(out|err)$/][property.name='write']",
          message: 'what reaches a terminal goes through lib/base/say.ts',
        },
      ],
    },
  },
  {
    // zx is wrapped once: elsewhere its traps (merged streams, unredacted errors) would come back.
    files: ['scripts/**', 'lib/**'],
    ignores: ['lib/base/command.ts'],
    rules: { 'no-restricted-imports': ['error', { paths: ['zx', 'zx/core', 'node:child_process'] }] },
  },
);

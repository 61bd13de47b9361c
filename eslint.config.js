import tseslint from 'typescript-eslint';

const timeAndRandomness = [
  { object: 'Date', property: 'now', message: 'Take a Clock (src/clock.ts).' },
  { object: 'crypto', property: 'randomUUID', message: 'Take Identifiers (src/ids.ts).' },
];

export default tseslint.config(
  { ignores: ['dist/', 'native/build*/', 'src/**/gen/', '.holdfast/', 'node_modules/', 'coverage/'] },
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      eqeqeq: 'error',
      'no-console': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unused-vars': ['error', { varsIgnorePattern: '^_', argsIgnorePattern: '^_' }],
    },
  },
  { files: ['**/*.mjs', '*.js'], extends: [...tseslint.configs.strict] },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/clock-system.ts', 'src/ids.ts', 'src/cli/**', '**/*.test.ts'],
    rules: {
      'no-restricted-properties': ['error', ...timeAndRandomness],
      'no-restricted-globals': [
        'error',
        ...['setTimeout', 'setInterval'].map((name) => ({ name, message: 'Take a Clock (src/clock.ts).' })),
      ],
      'no-restricted-imports': [
        'error',
        { paths: [{ name: 'node:crypto', importNames: ['randomUUID'], message: 'Take Identifiers (src/ids.ts).' }] },
      ],
    },
  },
  {
    files: ['**/*.test.ts', 'test/**/*.ts'],
    rules: { '@typescript-eslint/no-non-null-assertion': 'off' },
  },
);

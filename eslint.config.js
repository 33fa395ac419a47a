/** @file The lint rules: what the type checker cannot see, plus the house style of CONTRIBUTING.md. */
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

const noDefaultExport = {
  selector: 'ExportDefaultDeclaration',
  message: 'Name what you export; default exports are for configuration files only.',
};

/** Faults that are faults in JavaScript and TypeScript alike. */
const everywhere = {
  curly: ['error', 'multi-line'],
  eqeqeq: 'error',
  'no-cond-assign': 'error',
  'no-constant-binary-expression': 'error',
  'no-debugger': 'error',
  'no-dupe-else-if': 'error',
  'no-duplicate-case': 'error',
  'no-empty': 'error',
  'no-fallthrough': 'error',
  'no-restricted-syntax': ['error', noDefaultExport],
  'no-self-compare': 'error',
  'no-sparse-arrays': 'error',
  'no-unmodified-loop-condition': 'error',
  'no-unreachable-loop': 'error',
  'no-unsafe-finally': 'error',
  'no-useless-catch': 'error',
  'no-useless-rename': 'error',
  'no-var': 'error',
  'object-shorthand': 'error',
  'prefer-const': ['error', { destructuring: 'all' }],
  'use-isnan': 'error',
  'valid-typeof': 'error',
};

const unusedVariables = {
  argsIgnorePattern: '^_',
  caughtErrorsIgnorePattern: '^_',
  destructuredArrayIgnorePattern: '^_',
  varsIgnorePattern: '^_',
  ignoreRestSiblings: true,
};

const typed = {
  '@typescript-eslint/consistent-type-imports': 'error',
  // `[...text]` is how one walks code points.
  '@typescript-eslint/no-misused-spread': ['error', { allow: ['string'] }],
  '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
  '@typescript-eslint/no-non-null-assertion': 'error',
  '@typescript-eslint/no-unused-vars': ['error', unusedVariables],
  '@typescript-eslint/prefer-nullish-coalescing': ['error', { ignorePrimitives: { boolean: true } }],
  '@typescript-eslint/restrict-plus-operands': ['error', { allowNumberAndString: true }],
  '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
  '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
  // It asks for `!`, which is forbidden here.
  '@typescript-eslint/non-nullable-type-assertion-style': 'off',
  // `new Map<K, V>()` and `const m: Map<K, V> = new Map()` both read well.
  '@typescript-eslint/consistent-generic-constructors': 'off',
  // An interface with an async method has implementations that have nothing to wait for.
  '@typescript-eslint/require-await': 'off',
  'max-lines': ['warn', { max: 350, skipBlankLines: true, skipComments: true }],
  'max-lines-per-function': ['warn', { max: 80, skipBlankLines: true, skipComments: true }],
};

export default defineConfig(
  globalIgnores(['dist/', 'dist-*/', 'coverage/', '.cache/', 'out/']),
  {
    // A rule that is wrong for the project is changed here, for everyone, with its reason.
    linterOptions: { noInlineConfig: true },
    rules: everywhere,
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname },
    },
    rules: typed,
  },
  {
    files: ['ir/**/*.ts', 'passes/**/*.ts', 'runtime/**/*.ts', 'compiler/**/*.ts'],
    ignores: ['compiler/cli/**', 'compiler/training/**'],
    rules: { 'no-console': 'error' },
  },
  {
    files: ['test/**/*.ts', 'examples/**/*.ts'],
    rules: {
      '@typescript-eslint/no-empty-function': 'off',
      'max-lines-per-function': 'off',
    },
  },
  {
    files: ['*.config.js', '.*.cjs'],
    rules: { 'no-restricted-syntax': 'off' },
  },
);

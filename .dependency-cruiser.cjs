/**
 * @file Who may import whom. Types count: an import that only the type checker sees is still a dependency.
 *
 *     ir ← passes ← compiler        compiler → runtime/artifact (the contract)        runtime → nothing of these
 *
 * A layer is entered through an `index.ts`; `ir/diagnostics` is open to the compiling layers, since every one of
 * them reports. Each foreign library has one door.
 */

const compiler = '^(ir|passes|compiler)/';

/** A rule that some files, `from`, may not import others, `to`. */
function forbid(name, comment, from, to) {
  return { name, comment, severity: 'error', from, to };
}

/** A library that only `doors` (and the tests) import. */
function oneDoor(library, doors) {
  return forbid(
    `one-door-${library.replace(/\W+/g, '-').replace(/^-|-$/g, '')}`,
    `Only ${doors.join(' and ')} may import ${library}.`,
    { path: '^(ir|passes|compiler|runtime|examples|scripts)/', pathNot: doors.map((door) => `^${door}`) },
    { path: `(^|/)node_modules/${library}` },
  );
}

/** Another layer's files, apart from its `index.ts` files and `exceptions`. */
function insideOf(layer, exceptions = []) {
  return { path: `^${layer}/`, pathNot: [`^${layer}/index\\.ts$`, `^${layer}/[^/]+/index\\.ts$`, ...exceptions] };
}

module.exports = {
  forbidden: [
    forbid('no-cycles', 'Files that import each other cannot be read or tested apart.', {}, { circular: true }),
    forbid('resolves', 'The import leads nowhere.', {}, { couldNotResolve: true }),

    forbid('ir-at-the-bottom', 'ir imports no other layer.', { path: '^ir/' }, { path: '^(passes|compiler|runtime)/' }),
    forbid('passes-on-ir', 'passes import ir only.', { path: '^passes/' }, { path: '^(compiler|runtime)/' }),
    forbid(
      'runtime-alone',
      'The runtime ships to users: nothing of the compiler goes with it.',
      { path: '^runtime/' },
      { path: compiler },
    ),
    forbid(
      'compiler-to-the-contract',
      'The compiler knows the artifact format, not the code that runs it.',
      { path: '^compiler/', pathNot: '^compiler/(routing|report|cli)/' },
      { path: '^runtime/', pathNot: '^runtime/artifact/index\\.ts$' },
    ),
    forbid(
      'runtime-public-face',
      'Routing, report and the command line use what every user of the runtime has.',
      { path: '^compiler/(routing|report|cli)/' },
      { path: '^runtime/', pathNot: ['^runtime/index\\.ts$', '^runtime/artifact/index\\.ts$'] },
    ),

    forbid(
      'enter-ir-by-index',
      'Import ir through ir/index.ts.',
      { path: '^(passes|compiler)/' },
      insideOf('ir', ['^ir/diagnostics/']),
    ),
    forbid(
      'enter-passes-by-index',
      'Import passes through passes/index.ts.',
      { path: '^compiler/' },
      insideOf('passes'),
    ),
    forbid(
      'examples-use-the-public-face',
      'An example shows what users can do.',
      { path: '^examples/' },
      { path: '^(ir|passes|compiler|runtime)/', pathNot: '/index\\.ts$' },
    ),
    forbid(
      'not-to-tests',
      'Product code does not import tests.',
      { path: '^(ir|passes|compiler|runtime)/' },
      { path: '^(test|examples|scripts)/' },
    ),

    forbid(
      'wasm-not-wgsl',
      'Targets know nothing of each other.',
      { path: '^compiler/wasm/' },
      { path: '^compiler/wgsl/' },
    ),
    forbid(
      'wgsl-not-wasm',
      'Targets know nothing of each other.',
      { path: '^compiler/wgsl/' },
      { path: '^compiler/wasm/' },
    ),

    oneDoor('chevrotain', ['ir/text/']),
    oneDoor('binaryen', ['compiler/wasm/']),
    oneDoor('@tensorflow/', ['compiler/training/', 'compiler/routing/']),
    oneDoor('@huggingface/tokenizers', ['runtime/tokenizer\\.ts', 'compiler/training/']),
    oneDoor('@hpcc-js/wasm-graphviz', ['compiler/report/graphviz\\.ts']),
    oneDoor('@observablehq/plot', ['compiler/report/plot\\.ts']),
    oneDoor('linkedom', ['compiler/report/plot\\.ts']),
    forbid(
      'runtime-needs-no-library',
      'The runtime has no dependency but the tokenizer.',
      { path: '^runtime/' },
      { path: '(^|/)node_modules/', pathNot: '(^|/)node_modules/@huggingface/tokenizers' },
    ),
    forbid(
      'no-development-dependency-in-the-product',
      'What users run may only import `dependencies`.',
      { path: '^(ir|passes|compiler|runtime)/', pathNot: '^compiler/training/' },
      { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|coverage)' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'types', 'default'] },
  },
};

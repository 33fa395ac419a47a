/**
 * @file Puts the declarations of a module and of everything that it imports into one file.
 *
 * What the public face does not mention, directly or not, is left out. Every name must mean the same in all files:
 * renaming imports (`a as b`), namespace imports, imports of packages and two declarations of one name end in an error.
 */
import { dirname, resolve } from 'node:path';
import ts from 'typescript';

/** The text of one `.d.ts` with the public face of `entry`, a `.d.ts` file. */
export function flattenDeclarations(entry) {
  const program = ts.createProgram([entry], { module: ts.ModuleKind.NodeNext, skipLibCheck: true, types: [] });
  const checker = program.getTypeChecker();
  const root = sourceFile(program, entry);
  const face = new Set(checker.getExportsOfModule(checker.getSymbolAtLocation(root)).map((symbol) => symbol.name));
  const state = { program, face, visited: new Set(), owners: new Map(), declarations: [] };
  visit(state, root);
  const missing = [...face].filter((name) => !state.owners.has(name));
  if (missing.length > 0) throw new Error(`declarations: no declaration of ${missing.join(', ')}`);
  const texts = reachable(state.declarations, face).map(({ file, statement }) => declaration(face, file, statement));
  return `${texts.join('\n')}\nexport {};\n`;
}

/** The declarations that `face` mentions, directly or through others, in their order. */
function reachable(declarations, face) {
  const wanted = new Set(face);
  const kept = new Set();
  for (let before = -1; before < kept.size;) {
    before = kept.size;
    for (const one of declarations) {
      if (kept.has(one) || !one.names.some((name) => wanted.has(name))) continue;
      kept.add(one);
      for (const name of identifiers(one.statement)) wanted.add(name);
    }
  }
  return declarations.filter((one) => kept.has(one));
}

function identifiers(node) {
  if (ts.isIdentifier(node)) return [node.text];
  const found = [];
  ts.forEachChild(node, (child) => void found.push(...identifiers(child)));
  return found;
}

function visit(state, file) {
  if (state.visited.has(file.fileName)) return;
  state.visited.add(file.fileName);
  const own = [];
  for (const statement of file.statements) {
    if (ts.isImportDeclaration(statement)) follow(state, file, statement, importedNames(statement));
    else if (ts.isExportDeclaration(statement)) follow(state, file, statement, statement.exportClause?.elements);
    else own.push(statement);
  }
  for (const statement of own) {
    const names = declaredNames(statement);
    for (const name of names) claim(state, name, file);
    state.declarations.push({ file, statement, names });
  }
}

function follow(state, file, statement, names) {
  for (const { name, propertyName } of names ?? []) {
    if (propertyName !== undefined) refuse(file, `renames ${propertyName.text} to ${name.text}`);
  }
  if (statement.moduleSpecifier === undefined) return;
  const specifier = statement.moduleSpecifier.text;
  if (!specifier.startsWith('.')) refuse(file, `imports ${specifier}`);
  const path = resolve(dirname(file.fileName), specifier).replace(/(\.d)?\.[jt]s$/, '.d.ts');
  visit(state, sourceFile(state.program, path));
}

function importedNames(statement) {
  const bindings = statement.importClause?.namedBindings;
  if (bindings === undefined || ts.isNamedImports(bindings)) return bindings?.elements;
  return refuse(statement.getSourceFile(), `imports a namespace, ${bindings.name.text}`);
}

function declaredNames(statement) {
  if (ts.isVariableStatement(statement)) return statement.declarationList.declarations.map(({ name }) => name.text);
  return statement.name === undefined ? [] : [statement.name.text];
}

/** Overloads repeat a name within a file; two files must not. */
function claim(state, name, file) {
  const owner = state.owners.get(name) ?? file.fileName;
  if (owner !== file.fileName) refuse(file, `declares ${name}, which ${owner} declares too`);
  state.owners.set(name, owner);
}

/** The statement with its own comment; `export` stays only on what the entry exports. */
function declaration(face, file, statement) {
  const comments = ts.getJSDocCommentsAndTags(statement).filter(ts.isJSDoc);
  const comment = comments.map((node) => node.getText(file)).findLast((one) => !one.includes('@file'));
  let text = statement.getText(file);
  if (/\bimport\(/.test(text)) refuse(file, 'has an import() type');
  if (!declaredNames(statement).some((name) => face.has(name))) text = text.replace(/^export /, '');
  if (!/^(export )?(declare|interface|type)\b/.test(text)) text = text.replace(/^(export )?/, '$1declare ');
  return comment === undefined ? text : `${comment}\n${text}`;
}

function sourceFile(program, path) {
  const file = program.getSourceFile(path);
  if (file === undefined) throw new Error(`declarations: ${path} is missing`);
  return file;
}

function refuse(file, what) {
  throw new Error(`declarations: ${file.fileName} ${what}; the artifact's types must be one self-contained file`);
}

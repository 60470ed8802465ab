// Builds dist/: one ES module and one CommonJS file, and their types. Needs the packages that ./scripts/tools
// installs into target/tools/sdk.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const packages = at('../../target/tools/sdk/node_modules');
if (!existsSync(packages)) throw new Error('The tools are missing: run ./scripts/tools in the project.');
const { build } = createRequire(`${packages}/`)('esbuild');

rmSync(at('dist'), { recursive: true, force: true });
const common = { bundle: true, keepNames: true, minifySyntax: true, platform: 'neutral', target: 'es2022', external: ['#crypto', 'node:*'], logLevel: 'warning' };
for (const name of ['index', 'crypto.node', 'crypto.web']) {
  for (const [format, ending] of [['esm', 'js'], ['cjs', 'cjs']]) {
    await build({ ...common, entryPoints: [at(`src/${name}.ts`)], outfile: at(`dist/${name}.${ending}`), format });
  }
}

const declarations = mkdtempSync(join(tmpdir(), 'refundkit-types-'));
try {
  execFileSync(process.execPath, [`${packages}/typescript/bin/tsc`, '--project', at('tsconfig.json'), '--outDir', declarations], { stdio: 'inherit' });
  const { text, values, types } = rolledUp(declarations);
  writeFileSync(at('dist/index.d.ts'), text);
  writeFileSync(at('dist/index.d.cts'), forCommonJs(values, types));
} finally {
  rmSync(declarations, { recursive: true });
}

/** All declarations that the index reaches, in one file: local ones as they are, and at the end what is exported. */
function rolledUp(folder) {
  const seen = new Set();
  const modules = new Map();
  const load = (path) => {
    if (seen.has(path)) return;
    seen.add(path);
    const text = readFileSync(path, 'utf8');
    for (const [, from] of text.matchAll(/(?:from |import\()['"](\.[^'"]*)\.js['"]/g)) load(join(path, '..', `${from}.d.ts`));
    modules.set(path, text);
  };
  const index = join(folder, 'index.d.ts');
  load(index);
  const exported = { values: new Set(), types: new Set() };
  let defaultExport = '';
  for (const line of modules.get(index).split(/;\n/)) {
    const [, kind, names] = line.match(/^export (type )?\{([^}]*)\}/s) ?? [];
    for (const name of names?.split(',').map((name) => name.trim()).filter(Boolean) ?? []) exported[kind ? 'types' : 'values'].add(name);
    defaultExport ||= line.match(/^export default (\w+)/)?.[1] ?? '';
    const star = line.match(/^export type \* from '(.*)\.js'/)?.[1];
    if (star) {
      for (const [, name] of modules.get(join(folder, `${star}.d.ts`)).matchAll(/^export (?:interface|type) (\w+)/gm)) if (!exported.values.has(name)) exported.types.add(name);
    }
  }
  let text = '';
  for (const [, module] of modules) {
    text += module
      .replaceAll(/^(?:import .*|export (?:type )?(?:\{[^}]*\}|\*)(?: from .*)?|export default .*);\n/gm, '')
      .replaceAll(/import\("\.[^"]*"\)\./g, '')
      .replaceAll(/^export (?=declare |interface |type |const )/gm, '')
      .replaceAll(/^\/\/.*\n/gm, '')
      .replaceAll(/^const (?=\w+:)/gm, 'declare const ');
  }
  const { values, types } = exported;
  text += `export { ${[...values].join(', ')}, ${[...types].map((name) => `type ${name}`).join(', ')}, ${defaultExport} as default };\n`;
  // What is both a value and a type, because it is a class or a constant with its union.
  const both = [...values].filter((name) => new RegExp(`^(declare class|type) ${name}\\b`, 'm').test(text));
  return { text, values: [...values].map((name) => ({ name, isType: both.includes(name), isDefault: name === defaultExport })), types: [...types] };
}

/** The types of the CommonJS file: the same ones, not a second set that would be strangers to the first. */
function forCommonJs(values, types) {
  const from = "'./index.js' with { 'resolution-mode': 'import' }";
  let text = `import type * as sdk from ${from};\n`;
  for (const { name, isType, isDefault } of values) {
    text += `export declare const ${name}: typeof sdk.${name};\n`;
    if (isType) text += `export type ${name} = sdk.${name};\n`;
    if (isDefault) text += `export { ${name} as default };\n`;
  }
  return `${text}export type { ${types.join(', ')} } from ${from};\n`;
}

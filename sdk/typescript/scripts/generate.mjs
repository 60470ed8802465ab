// Writes src/generated.ts from docs/openapi.json: the types, what may be sent, and a method for each operation.
//
//   node scripts/generate.mjs           writes the file
//   node scripts/generate.mjs --check   fails when the committed file is not what would be written
//
// What does not live here: anything about how a call is made. Where an operation gets its name is told by `methodOf`.
import { readFileSync, writeFileSync } from 'node:fs';

const source = new URL('../../../docs/openapi.json', import.meta.url);
const target = new URL('../src/generated.ts', import.meta.url);
const api = JSON.parse(readFileSync(source, 'utf8'));
const schemas = api.components.schemas;

/** Words that the description repeats inline, and where each set of them is found: they get a name of their own. */
const WORDS = {
  Environment: schemas.Refund.properties.environment,
  ErrorCode: schemas.ErrorBody.properties.code,
  InitiatedBy: schemas.Refund.properties.initiatedBy,
  ProcessorName: schemas.Refund.properties.processor,
  RefundReason: schemas.Refund.properties.reason,
  RefundStage: schemas.Refund.properties.stage,
  RefundStatus: schemas.Refund.properties.status,
  RefundEventType: schemas.RefundEvent.properties.type,
  Scope: schemas.ApiKey.properties.scope,
  ConnectionStatus: schemas.ProcessorConnection.properties.status,
};

/** Operations whose method is not told by their name. */
const METHODS = { get_me: 'me', list_refund_events: 'events' };

/** The schemas that are only wrapping, or that the SDK has a class for. */
const unwrapped = (name) => /^Page\d*$/.test(name) || ['ErrorAnswer', 'ErrorBody', 'PageInfo', 'ProcessorErrorDetail'].includes(name);

const wordsOf = (schema) =>
  schema.oneOf?.every((one) => 'const' in one) ? schema.oneOf.map((one) => one.const) : 'const' in schema ? [schema.const] : undefined;
const nameOfWords = new Map(Object.entries(WORDS).map(([name, schema]) => [wordsOf(schema).join(), name]));

const pascal = (text) => text.split(/[_ -]/).map((part) => part[0].toUpperCase() + part.slice(1)).join('');
const camel = (text) => { const name = pascal(text); return name[0].toLowerCase() + name.slice(1); };
const doc = (text, indent = '') => {
  const lines = text.split('\n');
  return lines.length === 1
    ? `${indent}/** ${lines[0]} */\n`
    : `${indent}/**\n${lines.map((line) => `${indent} * ${line}`.trimEnd()).join('\n')}\n${indent} */\n`;
};

/** A schema as a type. */
function typeOf(schema) {
  if (schema.$ref) return schema.$ref.split('/').pop();
  const words = wordsOf(schema);
  if (words) return nameOfWords.get(words.join()) ?? words.map((word) => JSON.stringify(word)).join(' | ');
  const any = schema.anyOf ?? schema.oneOf;
  if (any) return any.map(typeOf).join(' | ');
  const types = [schema.type].flat();
  return types.map((type) => {
    switch (type) {
      case 'string': return 'string';
      case 'integer': case 'number': return 'number';
      case 'boolean': return 'boolean';
      case 'null': return 'null';
      case 'array': return `Array<${typeOf(schema.items)}>`;
      case 'object': return objectOf(schema);
      default: return 'unknown';
    }
  }).join(' | ');
}

function objectOf(schema) {
  if (schema.properties) return `{ ${Object.entries(schema.properties).map(([name, value]) => `${name}${schema.required?.includes(name) ? '' : '?'}: ${typeOf(value)}`).join('; ')} }`;
  return `Record<string, ${typeof schema.additionalProperties === 'object' ? typeOf(schema.additionalProperties) : 'unknown'}>`;
}

function members(properties, required) {
  return Object.entries(properties).map(([name, schema]) =>
    (schema.description ? doc(schema.description, '  ') : '') + `  ${name}${required.includes(name) ? '' : '?'}: ${typeOf(schema)};\n`).join('');
}

/** What of a schema can be checked before anything is sent. */
function rulesOf(schema) {
  if (schema.$ref) return rulesOf(schemas[schema.$ref.split('/').pop()]);
  const words = wordsOf(schema);
  if (words) return { words };
  const any = schema.anyOf ?? schema.oneOf;
  if (any) return { any: any.map(rulesOf) };
  const rules = { type: [schema.type].flat().filter((type) => type !== 'null')[0] };
  for (const key of ['pattern', 'minLength', 'maxLength', 'maxProperties']) if (key in schema) rules[key] = schema[key];
  for (const key of ['minimum', 'maximum']) if (Number.isSafeInteger(schema[key])) rules[key] = schema[key];
  if (schema.propertyNames?.pattern) rules.keys = schema.propertyNames.pattern;
  if (schema.properties) rules.fields = Object.fromEntries(Object.entries(schema.properties).map(([name, value]) => [name, rulesOf(value)]));
  if (schema.required?.length) rules.required = schema.required;
  if (typeof schema.additionalProperties === 'object') rules.values = rulesOf(schema.additionalProperties);
  return rules;
}

/** The resource and the method of an operation: `list_refunds` of `Refunds` is `refunds.list`. */
function methodOf(id, tag) {
  const resource = camel(tag.toLowerCase());
  if (METHODS[id]) return { resource, method: METHODS[id] };
  const [verb, ...noun] = id.split('_');
  const plural = noun.join('_').replace(/([^aeiou])y$/, '$1ie').replace(/s?$/, 's');
  const own = [noun.join('_'), plural].some((name) => camel(name) === resource || camel(name) === camel(tag.toLowerCase().replaceAll(' ', '_')));
  return { resource, method: own ? verb : camel(id) };
}

const operations = Object.entries(api.paths).flatMap(([path, item]) => Object.entries(item).map(([method, operation]) => {
  const inPath = operation.parameters.filter((parameter) => parameter.in === 'path');
  const inQuery = operation.parameters.filter((parameter) => parameter.in === 'query');
  const body = operation.requestBody?.content['application/json'].schema ?? { properties: {}, required: [] };
  const properties = { ...Object.fromEntries(inQuery.map((parameter) => [parameter.name, { ...parameter.schema, description: parameter.description }])), ...body.properties };
  const required = [...inQuery.filter((parameter) => parameter.required).map((parameter) => parameter.name), ...(body.required ?? [])];
  const success = Object.entries(operation.responses).find(([status]) => status.startsWith('2'))[1].content['application/json'].schema;
  const parts = [success, ...(success.allOf ?? [])].map((part) => (part.$ref ? schemas[part.$ref.split('/').pop()] : part));
  const data = parts.find((part) => part.properties?.data).properties.data;
  const list = data.type === 'array';
  return {
    id: operation.operationId, ...methodOf(operation.operationId, operation.tags[0]), description: operation.description,
    http: method.toUpperCase(), path, names: inPath.map((parameter) => parameter.name),
    ids: Object.fromEntries(inPath.map((parameter) => [parameter.name, rulesOf(parameter.schema)])), idTypes: inPath,
    properties, required, params: Object.keys(properties).length ? `${pascal(operation.operationId)}Params` : undefined,
    keyed: operation.parameters.some((parameter) => parameter.name === 'Idempotency-Key'),
    list, pages: list && 'cursor' in properties, data: typeOf(list ? data.items : data),
  };
})).sort((one, other) => (one.id < other.id ? -1 : 1));

let text = `// Written by scripts/generate.mjs from docs/openapi.json: do not edit, run it.
//
// The types of the API, what may be sent, and a method for each operation. How a call is made lives in transport.ts.
import type { ApiResponse, ListResponse, RequestOptions, Transport } from './transport.js';

`;

for (const [name, schema] of Object.entries(WORDS)) {
  const said = (schema.oneOf ?? [schema]).map((one) => `${doc(one.description ?? '', '  ')}  | ${JSON.stringify(one.const)}`).join('\n');
  if (name === 'ErrorCode') {
    text += `/** What went wrong, to match on. */\nexport const ErrorCode = {\n${schema.oneOf.map((one) => `${doc(one.description, '  ')}  ${pascal(one.const)}: ${JSON.stringify(one.const)},\n`).join('')}} as const;\n\n`;
    text += `/** What went wrong, to match on. */\nexport type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];\n\n`;
  } else {
    text += `${schema.description ? doc(schema.description.includes('\n') ? schema.description : `${name}: ${schema.description[0].toLowerCase()}${schema.description.slice(1)}`) : ''}export type ${name} =\n${said};\n\n`;
  }
}

text += members2('PageInfo', schemas.PageInfo) + members2('ProcessorErrorDetail', schemas.ProcessorErrorDetail);
for (const [name, schema] of Object.entries(schemas)) if (!unwrapped(name)) text += members2(name, schema);

function members2(name, schema) {
  return `${doc(schema.description)}export interface ${name} {\n${members(schema.properties, schema.required ?? [])}}\n\n`;
}

for (const operation of operations) {
  if (operation.params) text += `/** What \`${operation.id}\` takes. */\nexport interface ${operation.params} {\n${members(operation.properties, operation.required)}}\n\n`;
}

text += `/** What may be sent of a value, as far as it can be told without a server. */
export interface Rules {
  type?: string;
  words?: readonly string[];
  any?: readonly Rules[];
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  maxProperties?: number;
  keys?: string;
  fields?: Record<string, Rules>;
  required?: readonly string[];
  values?: Rules;
}

/** An operation: where it is, and what it takes. */
export interface Operation {
  method: string;
  path: string;
  /** Whether an idempotency key makes it repeatable. */
  keyed: boolean;
  ids: Record<string, Rules>;
  input: Rules;
}

`;
text += `/** The ids of the operations. */\nexport type OperationId = ${operations.map(({ id }) => `"${id}"`).join(' | ')};\n\n`;
text += `/** Every operation of the server, by its id. */\nexport const operations: { readonly [id in OperationId]: Operation } = {\n`;
for (const operation of operations) {
  const input = { type: 'object', fields: Object.fromEntries(Object.entries(operation.properties).map(([name, schema]) => [name, rulesOf(schema)])), ...(operation.required.length ? { required: operation.required } : {}) };
  text += `  ${operation.id}: ${JSON.stringify({ method: operation.http, path: operation.path, keyed: operation.keyed, ids: operation.ids, input })},\n`;
}
text += `};\n\n`;

const resources = Map.groupBy ? Map.groupBy(operations, (operation) => operation.resource) : operations.reduce((map, operation) => map.set(operation.resource, [...(map.get(operation.resource) ?? []), operation]), new Map());

for (const [resource, own] of resources) {
  text += `/** The calls below \`${resource}\`. */\nexport class ${pascal(resource)}Calls {\n  constructor(protected readonly transport: Transport) {}\n`;
  for (const operation of own.filter((operation) => operation.method !== 'me')) text += `\n${methodText(operation)}`;
  text += `}\n\n`;
}

function methodText(operation) {
  const { id, method, names, params, data, list, pages, required } = operation;
  const ids = names.map((name) => `${name}: string`);
  const paramsText = params ? [required.length ? `params: ${params}` : `params: ${params} = {}`] : [];
  const signature = [...ids, ...paramsText, 'options?: RequestOptions'].join(', ');
  const given = `{ ${names.join(', ')} }, ${params ? 'params' : '{}'}, options`;
  let out = doc(operation.description, '  ');
  out += list
    ? `  ${method}(${signature}): Promise<ListResponse<${data}>> {\n    return this.transport.list<${data}>(operations.${id}, ${given});\n  }\n`
    : `  ${method}(${signature}): Promise<ApiResponse<${data}>> {\n    return this.transport.call<${data}>(operations.${id}, ${given});\n  }\n`;
  if (pages) {
    const every = method === 'list' ? 'iterate' : `iterate${pascal(method[0].toUpperCase() + method.slice(1))}`;
    out += `\n  /** As \`${method}\`, one by one over all pages. Yields \`{ data, error }\` each; after an error it ends. */\n`;
    out += `  ${every}(${signature}): AsyncGenerator<ApiResponse<${data}>, void, undefined> {\n    return this.transport.iterate<${data}>(operations.${id}, ${given});\n  }\n`;
  }
  return out;
}

text += `/** What every client has: a property for each noun. */\nexport class Calls {\n  protected readonly transport: Transport;\n`;
const nouns = [...resources].filter(([, own]) => own.some((operation) => operation.method !== 'me')).map(([resource]) => resource);
for (const noun of nouns) text += `  readonly ${noun}: ${pascal(noun)}Calls;\n`;
text += `\n  constructor(transport: Transport) {\n    this.transport = transport;\n${nouns.map((noun) => `    this.${noun} = new ${pascal(noun)}Calls(transport);\n`).join('')}  }\n`;
for (const operation of operations.filter((operation) => operation.method === 'me')) text += `\n${methodText(operation)}`;
text += `}\n`;

if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== text) {
    console.error('sdk/typescript/src/generated.ts is stale: node sdk/typescript/scripts/generate.mjs, and look at the difference.');
    process.exit(1);
  }
} else {
  writeFileSync(target, text);
}

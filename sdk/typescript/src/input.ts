// Checks of what a caller gives, before anything is sent. The rules come from the API description; values are never repeated in
// the words of a refusal, because one of them may be a secret.
import { invalid, type RefundKitError } from './error.js';
import type { Rules } from './generated.js';

const patterns = new Map<string, RegExp>();

function matches(pattern: string, text: string): boolean {
  let compiled = patterns.get(pattern);
  if (!compiled) patterns.set(pattern, (compiled = new RegExp(pattern, 'u')));
  return compiled.test(text);
}

/** The first thing that is wrong with a value; undefined when nothing is. */
export function check(rules: Rules, value: unknown, field: string): RefundKitError | undefined {
  const wrong = expected(rules, value);
  if (wrong) return invalid(field, `\`${field}\` must be ${wrong}.`);
  if (!rules.fields && !rules.values) return undefined;
  return checkFields(rules, value as Record<string, unknown>, field);
}

/** Checks an object's own fields. `path` is the object's name, empty for the input itself. */
export function checkFields(rules: Rules, object: Record<string, unknown>, path = ''): RefundKitError | undefined {
  const named = (name: string) => (path ? `${path}.${name}` : name);
  for (const name of rules.required ?? []) {
    if (object[name] === undefined) return invalid(named(name), `\`${named(name)}\` is missing.`);
  }
  const given = Object.entries(object).filter(([, value]) => value !== undefined);
  if (rules.maxProperties !== undefined && given.length > rules.maxProperties) {
    return invalid(path, `\`${path}\` must not have more than ${rules.maxProperties} keys.`);
  }
  for (const [name, value] of given) {
    const own = rules.fields && Object.hasOwn(rules.fields, name) ? rules.fields[name] : rules.values;
    if (!own) {
      const known = Object.keys(rules.fields ?? {});
      return invalid(named(name), `\`${named(name)}\` is not a field here.`, known.length ? `Known are ${known.join(', ')}.` : undefined);
    }
    if (rules.keys && !matches(rules.keys, name)) {
      return invalid(named(name), `\`${named(name)}\` is not a usable key: 1 to 40 characters without [ and ], not beginning with refundkit_.`);
    }
    const error = check(own, value, named(name));
    if (error) return error;
  }
  return undefined;
}

/** What a value should have been, in words; undefined when it is that. */
function expected(rules: Rules, value: unknown): string | undefined {
  if (rules.words) return rules.words.includes(value as string) ? undefined : `one of ${rules.words.join(', ')}`;
  if (rules.any) {
    const all = rules.any.map((one) => expected(one, value));
    return all.includes(undefined) ? undefined : all.join(', or ');
  }
  switch (rules.type) {
    case 'string': {
      if (typeof value !== 'string') return 'a string';
      const { minLength = 0, maxLength = Infinity } = rules;
      const length = [...value].length;
      if (length < minLength || length > maxLength) return `a string of ${minLength} to ${maxLength} characters`;
      return rules.pattern && !matches(rules.pattern, value) ? `a string of the form ${rules.pattern}` : undefined;
    }
    case 'integer': {
      const { minimum = -Number.MAX_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER } = rules;
      const fits = Number.isSafeInteger(value) && (value as number) >= minimum && (value as number) <= maximum;
      return fits ? undefined : `an integer from ${minimum} to ${maximum}`;
    }
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'true or false';
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value) ? undefined : 'an object';
    default:
      return undefined;
  }
}

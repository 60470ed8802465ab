// Settings from the environment, where there is one: Node, Deno and Bun, and edge platforms that imitate them.

/** An environment variable; undefined where it is not set, is empty, or there are none. */
export function setting(name: string): string | undefined {
  try {
    return (globalThis as { process?: { env?: Record<string, string | undefined> } }).process?.env?.[name] || undefined;
  } catch {
    return undefined; // Deno without the permission to read it.
  }
}

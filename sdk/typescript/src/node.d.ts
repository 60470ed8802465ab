// The one thing of Node's that is used, and only where the condition `node` holds.
declare module 'node:module' {
  export function createRequire(path: string): (name: string) => unknown;
}

// Waiting, and an end to it.

/** Waits, or stops at once when the caller aborts. Answers whether the time passed. */
export function sleep(ms: number, signal?: AbortSignal): Promise<boolean> {
  if (signal?.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const stop = (): void => {
      clearTimeout(timer);
      resolve(false);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve(true);
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/** A signal that ends with the caller's, or after a time. `done` must be called, or the timer outlives the call. */
export function deadline(ms: number, signal?: AbortSignal): { signal: AbortSignal; timedOut: () => boolean; done: () => void } {
  const controller = new AbortController();
  let late = false;
  const stop = (): void => controller.abort();
  const timer = setTimeout(() => {
    late = true;
    controller.abort();
  }, ms);
  if (signal?.aborted) controller.abort();
  else signal?.addEventListener('abort', stop, { once: true });
  const done = (): void => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  };
  return { signal: controller.signal, timedOut: () => late, done };
}

/** Half of a pause for certain and half by chance, so that many callers do not come back in step. */
export function jittered(ms: number): number {
  return ms / 2 + Math.random() * (ms / 2);
}

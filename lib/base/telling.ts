/** What a client far below waits for, told at the step that asked it. */
import { AsyncLocalStorage } from 'node:async_hooks';

/** Takes what is waited for now; work that runs in it is heard. */
export const listening = new AsyncLocalStorage<(text: string) => void>();

/** Tells what is waited for, where somebody listens. */
export function tell(text: string): void {
  listening.getStore()?.(text);
}

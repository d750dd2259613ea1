/** Server-sent events as Kubently writes them: CRLF lines, a `: ping` comment every 15 s, no buffering on the way. */
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { stream } from 'hono/streaming';

const PING_MS = 15_000;

export type Sender = {
  /** Writes one event; without a name it is a plain `data:` frame. */
  send: (data: unknown, event?: string) => Promise<void>;
  /** Fires when the client is gone or the server shuts down. */
  ended: AbortSignal;
};

/** Answers 200 text/event-stream; the stream ends cleanly when `produce` does. At a shutdown it breaks, without a last chunk, as Kubently's does. */
export function eventStream(c: Context, closing: AbortSignal, produce: (sender: Sender) => Promise<void>): Response {
  c.header('Content-Type', 'text/event-stream; charset=utf-8');
  c.header('Cache-Control', 'no-store');
  c.header('X-Accel-Buffering', 'no');
  return stream(c, async (out) => {
    const gone = new AbortController();
    out.onAbort(() => gone.abort());
    const broken = () => (c.env as HttpBindings).outgoing.destroy();
    closing.addEventListener('abort', broken);
    const ping = setInterval(() => void out.write(`: ping - ${new Date().toISOString()}\r\n\r\n`), PING_MS);
    try {
      await produce({
        ended: AbortSignal.any([gone.signal, closing]),
        send: async (data, event) => {
          const name = event === undefined ? '' : `event: ${event}\r\n`;
          await out.write(`${name}data: ${JSON.stringify(data)}\r\n\r\n`);
        },
      });
    } finally {
      clearInterval(ping);
      closing.removeEventListener('abort', broken);
    }
  });
}

// A worker that refunds orders and believes signed notifications. It needs nothing but web standards.
import { RefundKit, RefundKitError, webhooks, type CreateRefundParams } from '@refundkit/sdk';

interface Env {
  REFUNDKIT_BASE_URL: string;
  REFUNDKIT_API_KEY: string;
  REFUNDKIT_WEBHOOK_SECRET: string;
}

export default {
  async fetch(request, env): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (request.method !== 'POST') return new Response(null, { status: 405 });
    if (pathname === '/refunds') return refund(request, env);
    if (pathname === '/webhooks/refundkit') return receive(request, env);
    return new Response(null, { status: 404 });
  },
} satisfies ExportedHandler<Env>;

async function refund(request: Request, env: Env): Promise<Response> {
  const rk = new RefundKit({ apiKey: env.REFUNDKIT_API_KEY, baseUrl: env.REFUNDKIT_BASE_URL });
  const { order, transactionId, amount, reason } = (await request.json()) as CreateRefundParams & { order: string };
  const { data, error, statusCode } = await rk.refunds.create(
    { transactionId, ...(amount === undefined ? {} : { amount }), reason, metadata: { order } },
    { idempotencyKey: `order-${order}-refund` },
  );
  if (error) return Response.json({ code: error.code, message: error.message, hint: error.hint }, { status: statusCode ?? 400 });
  return Response.json({ id: data.id, status: data.status, stage: data.stage }, { status: statusCode });
}

async function receive(request: Request, env: Env): Promise<Response> {
  try {
    const event = await webhooks.verify(await request.text(), request.headers, env.REFUNDKIT_WEBHOOK_SECRET);
    console.log(`${event.type}: ${event.data.id} is ${event.data.status}`);
    return new Response(null, { status: 204 });
  } catch (error) {
    return Response.json({ message: (error as RefundKitError).message }, { status: 400 });
  }
}

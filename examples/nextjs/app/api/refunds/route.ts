// `POST /api/refunds` of a Next.js app, on the Node and on the edge runtime. Check who asks before you refund.
import { RefundKit, type CreateRefundParams } from '@refundkit/sdk';

const rk = new RefundKit();

export async function POST(request: Request): Promise<Response> {
  const { order, transactionId, amount, reason } = (await request.json()) as CreateRefundParams & { order: string };
  const { data: refund, error, statusCode } = await rk.refunds.create(
    { transactionId, ...(amount === undefined ? {} : { amount }), reason, metadata: { order } },
    { idempotencyKey: `order-${order}-refund`, signal: request.signal },
  );
  if (error) return Response.json({ code: error.code, message: error.message, hint: error.hint }, { status: statusCode ?? 400 });
  return Response.json({ id: refund.id, status: refund.status, stage: refund.stage }, { status: statusCode });
}

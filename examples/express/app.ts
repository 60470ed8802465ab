// An Express app that refunds orders and believes signed notifications. `app.listen(3000)` in a file of yours starts it.
import express from 'express';
import { RefundKit, RefundKitError, webhooks, type CreateRefundParams } from '@refundkit/sdk';

const rk = new RefundKit();

export const app = express();

// Before any parser: a signature is of the bytes as they came.
app.post('/webhooks/refundkit', express.raw({ type: '*/*' }), async (request, response) => {
  try {
    const event = await webhooks.verify(request.body, request.headers, process.env.REFUNDKIT_WEBHOOK_SECRET ?? '');
    console.log(`${event.type}: ${event.data.id} is ${event.data.status}`);
    response.sendStatus(204);
  } catch (error) {
    response.status(400).json({ message: (error as RefundKitError).message });
  }
});

app.use(express.json());

app.post('/refunds', async (request, response) => {
  const { order, transactionId, amount, reason } = request.body as CreateRefundParams & { order: string };
  const { data: refund, error, statusCode } = await rk.refunds.create(
    { transactionId, ...(amount === undefined ? {} : { amount }), reason, metadata: { order } },
    { idempotencyKey: `order-${order}-refund` },
  );
  if (error) {
    response.status(statusCode ?? 400).json({ code: error.code, message: error.message, hint: error.hint });
    return;
  }
  response.status(statusCode).json({ id: refund.id, status: refund.status, stage: refund.stage });
});

//! Short names for the usual calls, a struct for each noun: `client.refunds().get(id)`. Each is one [`RefundKit::send`].

use super::{Options, RefundKit};
use crate::{
    ApiKey, CreatedApiKey, Error, Identity, KeyId, LogEntry, Page, PolicyDecision, ProcessorConnection, Refund,
    RefundEvent, RefundId, Transaction, TransactionId,
    operations::{
        CancelRefund, CheckPolicy, ConnectStripe, CreateApiKey, CreateRefund, DisconnectStripe, GetMe, GetRefund,
        GetTransaction, ListApiKeys, ListLogs, ListProcessors, ListRefundEvents, ListRefunds, RevokeApiKey, TestStripe,
    },
};

macro_rules! resources {
    ($($(#[$doc:meta])* $name:ident, $method:ident;)+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy)]
            pub struct $name<'client>(&'client RefundKit);
        )+

        impl RefundKit {
            $(
                $(#[$doc])*
                pub const fn $method(&self) -> $name<'_> { $name(self) }
            )+
        }
    };
}

resources! {
    /// Refunds.
    Refunds, refunds;
    /// Policies: what could be refunded.
    Policies, policies;
    /// Transactions: the payments that are refunded.
    Transactions, transactions;
    /// Processor connections.
    Processors, processors;
    /// API keys.
    ApiKeys, api_keys;
    /// The request log.
    Logs, logs;
}

impl RefundKit {
    /// Says whose key this is, where it works and what it may do.
    pub async fn me(&self) -> Result<Identity, Error> {
        Ok(self.send(&GetMe {}).await?.output)
    }
}

impl Refunds<'_> {
    /// Refunds a payment, once. Look at the refund's `stage`: it may be queued, or its outcome not known yet.
    pub async fn create(&self, create: &CreateRefund) -> Result<Refund, Error> {
        Ok(self.0.send(create).await?.output)
    }

    /// As [`create`](Self::create), under an idempotency key of the caller's.
    pub async fn create_with(&self, create: &CreateRefund, options: Options) -> Result<Refund, Error> {
        Ok(self.0.send_with(create, options).await?.output)
    }

    /// Reads one refund.
    pub async fn get(&self, id: RefundId) -> Result<Refund, Error> {
        Ok(self.0.send(&GetRefund { id }).await?.output)
    }

    /// Lists refunds, newest first.
    pub async fn list(&self, list: &ListRefunds) -> Result<Page<Refund>, Error> {
        Ok(self.0.send(list).await?.output)
    }

    /// Takes a refund back, where that is still possible.
    pub async fn cancel(&self, id: RefundId) -> Result<Refund, Error> {
        Ok(self.0.send(&CancelRefund { id }).await?.output)
    }

    /// Lists what happened to a refund, oldest first.
    pub async fn events(&self, list: &ListRefundEvents) -> Result<Page<RefundEvent>, Error> {
        Ok(self.0.send(list).await?.output)
    }
}

impl Policies<'_> {
    /// Says whether a payment could be refunded now and how much of it. Reserves and promises nothing.
    pub async fn check(&self, check: &CheckPolicy) -> Result<PolicyDecision, Error> {
        Ok(self.0.send(check).await?.output)
    }
}

impl Transactions<'_> {
    /// Reads a payment at its processor.
    pub async fn get(&self, id: TransactionId) -> Result<Transaction, Error> {
        Ok(self.0.send(&GetTransaction { id, processor: None }).await?.output)
    }
}

impl Processors<'_> {
    /// Lists the processor connections of this environment.
    pub async fn list(&self) -> Result<Page<ProcessorConnection>, Error> {
        Ok(self.0.send(&ListProcessors {}).await?.output)
    }

    /// Connects Stripe in this environment, or replaces the connection in place.
    pub async fn connect_stripe(&self, connect: &ConnectStripe) -> Result<ProcessorConnection, Error> {
        Ok(self.0.send(connect).await?.output)
    }

    /// Tries the saved Stripe key with calls that change nothing.
    pub async fn test_stripe(&self) -> Result<ProcessorConnection, Error> {
        Ok(self.0.send(&TestStripe {}).await?.output)
    }

    /// Disconnects Stripe: no new refunds; the open ones are followed to their end.
    pub async fn disconnect_stripe(&self, disconnect: &DisconnectStripe) -> Result<ProcessorConnection, Error> {
        Ok(self.0.send(disconnect).await?.output)
    }
}

impl ApiKeys<'_> {
    /// Lists the API keys of this environment that are not revoked.
    pub async fn list(&self) -> Result<Page<ApiKey>, Error> {
        Ok(self.0.send(&ListApiKeys {}).await?.output)
    }

    /// Makes an API key. The key is in this answer and never again.
    pub async fn create(&self, create: &CreateApiKey) -> Result<CreatedApiKey, Error> {
        Ok(self.0.send(create).await?.output)
    }

    /// Revokes an API key at once.
    pub async fn revoke(&self, id: KeyId) -> Result<ApiKey, Error> {
        Ok(self.0.send(&RevokeApiKey { id }).await?.output)
    }
}

impl Logs<'_> {
    /// Lists the calls made to this organization and environment, newest first.
    pub async fn list(&self, list: &ListLogs) -> Result<Page<LogEntry>, Error> {
        Ok(self.0.send(list).await?.output)
    }
}

//! The sandbox's model as a carrier: requests that the real adapter built go in, answers come out, and what the model's faults ask
//! for (late, cut) is done here.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use refundkit::processors::stripe::{Carrier, NotCarried};
use refundkit_sandbox::{Method, Model, Request};
use refundkit_server::store::simulated::{Fate, Fates as _, Moment};

use super::life::{Clock, SimulatedFates};

pub(crate) struct InsteadOfStripe {
    pub(crate) model: Arc<Mutex<Model>>,
    pub(crate) clock: Clock,
    pub(crate) fates: Arc<SimulatedFates>,
}

impl InsteadOfStripe {
    /// A step on the way; a dead process never comes back from it.
    async fn pass(&self) {
        // Reads of the database fail on their own account; here only life and death matter.
        if self.fates.decide(Moment::Committed).await == Fate::Die {
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl Carrier for InsteadOfStripe {
    async fn carry(&self, request: reqwest::Request) -> Result<reqwest::Response, NotCarried> {
        self.pass().await;
        if self.fates.is_unreachable() {
            return Err(NotCarried::NotReached);
        }
        let answer = self.model.lock().unwrap().apply(&translated(&request), self.clock.now_ms());
        self.pass().await;
        if answer.transport.delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(answer.transport.delay_ms)).await;
        }
        if answer.transport.cut {
            return Err(NotCarried::Cut);
        }
        let mut response = http::Response::builder().status(answer.status);
        for (name, value) in &answer.headers {
            response = response.header(name, value);
        }
        Ok(response.body(answer.body.into_bytes()).unwrap().into())
    }
}

/// The request as the model sees it.
fn translated(request: &reqwest::Request) -> Request {
    let method = match request.method().as_str() {
        "GET" => Method::Get,
        "POST" => Method::Post,
        other => panic!("the adapter sends no {other}"),
    };
    let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
    Request {
        method,
        path: request.url().path().to_owned(),
        query: request.url().query().unwrap_or_default().to_owned(),
        authorization: header("authorization"),
        idempotency_key: header("idempotency-key"),
        stripe_version: header("stripe-version"),
        stripe_account: header("stripe-account"),
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

//! The list of operations, and the loop that every call goes through: scope, limits, input, idempotency, handler, log.
//!
//! What an operation is stands in the published crate; what it does is its [`Handle`]. Doors (REST and those to come) find an
//! operation in [`OPERATIONS`] and call it; the API description is written from the same list.

use std::{marker::PhantomData, pin::Pin, sync::Arc};

use refundkit::{
    Effect, ErrorCode, InitiatedBy, Method, Operation, Options, RefundId, RefundKit, RequestId, Scope,
    operations::{
        CancelRefund, CheckPolicy, ConnectStripe, CreateApiKey, CreateRefund, DisconnectStripe, GetMe, GetRefund,
        GetTransaction, ListApiKeys, ListLogs, ListProcessors, ListRefundEvents, ListRefunds, RevokeApiKey, TestStripe,
    },
};
use schemars::{Schema, SchemaGenerator};
use serde_json::{Value, value::RawValue};
use sha2::{Digest as _, Sha256};

use crate::{
    app::App,
    caller::{Caller, Role, Who},
    error::Error,
    handlers::members,
    hint::Hint,
    interfaces::{
        idempotency::Running,
        input,
        mcp::{
            tool::{Tool, ToolEntry},
            view::Shown,
        },
        request_log,
    },
    operations::{
        ChangeRole, GetLog, GetOrganization, GetOverview, InviteMember, ListAskers, ListMembers, ListNotifications,
        LookAtRefund, LookAtTransaction, ReadRefunds, RemoveMember, RevokeInvitation, SearchLogs, SearchRefunds,
        UpdateOrganization,
    },
    store::{Connection, idempotency_keys, idempotency_keys::BoundKey},
};

/// Every operation of the API, in the order of the documentation.
pub const OPERATIONS: &[Entry] = &[
    entry::<CreateRefund>(),
    entry::<GetRefund>(),
    entry::<ListRefunds>(),
    entry::<CancelRefund>(),
    entry::<ListRefundEvents>(),
    entry::<GetTransaction>(),
    entry::<CheckPolicy>(),
    entry::<ListProcessors>(),
    entry::<ConnectStripe>(),
    entry::<TestStripe>(),
    entry::<DisconnectStripe>(),
    entry::<ListApiKeys>(),
    entry::<CreateApiKey>(),
    entry::<RevokeApiKey>(),
    entry::<ListLogs>(),
    entry::<GetMe>(),
];

/// What only the dashboard needs: operations like any other, for people only. They have no path.
pub const INTERNAL: &[Entry] = &[
    entry::<GetOverview>(),
    entry::<SearchRefunds>(),
    entry::<ReadRefunds>(),
    entry::<ListAskers>(),
    entry::<LookAtRefund>(),
    entry::<LookAtTransaction>(),
    entry::<ListNotifications>(),
    entry::<SearchLogs>(),
    entry::<GetLog>(),
    entry::<ListMembers>(),
    entry::<InviteMember>(),
    entry::<RevokeInvitation>(),
    entry::<ChangeRole>(),
    entry::<RemoveMember>(),
    entry::<GetOrganization>(),
    entry::<UpdateOrganization>(),
];

/// What an operation does.
pub trait Handle: Operation {
    /// How a repeat under the same idempotency key is answered; none for operations that take no key.
    const REPEAT: Option<Repeat<Self>> = None;

    /// Whether the answer may be 201 or 202 besides 200.
    const STATUSES: &'static [u16] = &[200];

    /// What a person must be to do it. Nobody else may do what is internal.
    const ROLE: Role = Role::Member;

    /// How agents see it; none when it is no tool.
    const TOOL: Option<&'static Tool<Self::Output>> = None;

    /// What agents may not ask for although others may. Told whether they gave an idempotency key of their own.
    fn refuse_agents(&self, _has_idempotency_key: bool) -> Result<(), Error> {
        Ok(())
    }

    /// Does it.
    fn handle(self, context: &Context) -> impl Future<Output = Result<Answer<Self::Output>, Error>> + Send;
}

/// A future that lives as long as the context it borrows.
pub type ContextFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// Answers a repeat from the id of what the first request made.
pub type Repeat<O> = RepeatOf<<O as Operation>::Output>;

/// The same, for any operation that answers this.
pub type RepeatOf<T> = for<'a> fn(&'a Context, String) -> ContextFuture<'a, Answer<T>>;

/// An answer, with what the doors need to know besides the output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// The output.
    pub output: T,
    /// 200, 201 or 202.
    pub status: u16,
    /// Whether this repeats an earlier answer.
    pub replayed: bool,
    /// The refund that it is about, for the log.
    pub refund_id: Option<RefundId>,
}

impl<T> Answer<T> {
    /// 200.
    pub fn ok(output: T) -> Self {
        Self { output, status: 200, replayed: false, refund_id: None }
    }

    /// 201: made.
    pub fn created(output: T) -> Self {
        Self { output, status: 201, replayed: false, refund_id: None }
    }

    /// 202: taken on, the outcome is not known yet.
    pub fn accepted(output: T) -> Self {
        Self { output, status: 202, replayed: false, refund_id: None }
    }

    /// The same, about this refund.
    #[must_use]
    pub fn about(self, refund_id: RefundId) -> Self {
        Self { refund_id: Some(refund_id), ..self }
    }

    fn map<U>(self, change: impl FnOnce(T) -> U) -> Answer<U> {
        let Self { output, status, replayed, refund_id } = self;
        Answer { output: change(output), status, replayed, refund_id }
    }
}

/// A call on its way to its handler.
pub struct Context {
    /// The server.
    pub app: Arc<App>,
    /// Who calls.
    pub caller: Caller,
    /// The request's id.
    pub request_id: RequestId,
    /// The idempotency key, with the request that it will stand for once the handler binds it.
    pub claim: Option<Claim>,
}

/// An idempotency key and the request it is to stand for.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The key.
    pub key: String,
    /// The operation's name.
    pub operation: &'static str,
    /// A digest of the request as parsed.
    pub fingerprint: String,
}

impl Claim {
    /// The claim of this operation, as parsed: two spellings of one request have one fingerprint.
    fn new<O: Operation>(key: String, operation: &O) -> Result<Self, Error> {
        let canonical = serde_json::to_vec(operation).map_err(Error::internal)?;
        Ok(Self { key, operation: O::NAME, fingerprint: hex::encode(Sha256::digest(canonical)) })
    }

    /// The row that binds the key to what the request made.
    pub fn bound_to(&self, resource_id: impl std::fmt::Display) -> BoundKey {
        BoundKey {
            operation: self.operation.to_owned(),
            fingerprint: self.fingerprint.clone(),
            resource_id: resource_id.to_string(),
        }
    }
}

/// A caller who may make a call of one operation: scope and rate were checked, before any of the input is read.
pub struct Admitted {
    caller: Caller,
}

impl Admitted {
    /// Who calls.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }
}

/// A call as a door received it.
pub struct Call {
    /// Who calls.
    pub admitted: Admitted,
    /// The request's id.
    pub request_id: RequestId,
    /// The caller's idempotency key.
    pub idempotency_key: Option<String>,
    /// The path with its values, for the log.
    pub path: String,
    /// The input: path, query and body as one object.
    pub input: Value,
}

/// What a server answers to a client of it.
pub type ClientAnswer<'a> = Pin<Box<dyn Future<Output = Result<Value, Box<refundkit::Error>>> + Send + 'a>>;

type BoxedAnswer = Pin<Box<dyn Future<Output = Result<Answer<Box<RawValue>>, Error>> + Send>>;

/// An operation with its types forgotten: what the doors and the API description loop over.
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// Its heading.
    pub tag: &'static str,
    /// Its HTTP method.
    pub method: Method,
    /// Its path.
    pub path: &'static str,
    /// What a key must be allowed to do.
    pub scope: Scope,
    /// What it does to the world.
    pub effect: Effect,
    /// Whether it takes an idempotency key.
    pub keyed: bool,
    /// The statuses of its success.
    pub statuses: &'static [u16],
    /// The schema of its input.
    pub input: fn(&mut SchemaGenerator) -> Schema,
    /// The schema of its output.
    pub output: fn(&mut SchemaGenerator) -> Schema,
    /// What a person must be to do it.
    pub role: Role,
    /// Whether only the dashboard has it: no route, no place in the API description, nothing for keys.
    pub internal: bool,
    /// How agents see it.
    pub tool: Option<ToolEntry>,
    run: fn(Arc<App>, Call) -> BoxedAnswer,
    ask: fn(&RefundKit, Value, Option<String>) -> ClientAnswer<'_>,
}

const fn entry<O: Handle>() -> Entry {
    Entry {
        name: O::NAME,
        tag: O::TAG,
        method: O::METHOD,
        path: O::PATH,
        scope: O::SCOPE,
        effect: O::EFFECT,
        keyed: O::REPEAT.is_some(),
        statuses: O::STATUSES,
        role: O::ROLE,
        internal: O::PATH.is_empty(),
        input: |generator| O::json_schema(generator),
        output: |generator| generator.subschema_for::<O::Output>(),
        tool: match O::TOOL {
            Some(tool) => Some(tool.entry(show::<O>)),
            None => None,
        },
        run: |app, call| Box::pin(run::<O>(app, call)),
        ask: |client, input, idempotency_key| Box::pin(ask_server::<O>(client, input, idempotency_key)),
    }
}

impl Entry {
    /// Lets a caller in, or refuses: `unauthorized` for too little scope, `rate_limited` for too many calls.
    pub fn admit(&self, app: &App, caller: Caller) -> Result<Admitted, Box<Refused>> {
        let refused = |error: Error| Box::new(Refused { error: error.told_to(caller.through), caller: caller.clone() });
        self.check_rights(&caller).map_err(refused)?;
        app.rate_limits.check(caller.counted_by()).map_err(refused)?;
        Ok(Admitted { caller })
    }

    fn check_rights(&self, caller: &Caller) -> Result<(), Error> {
        let (needed, has) = (self.scope, caller.scope());
        match &caller.who {
            Who::Key { .. } if self.internal => {
                Err(Error::new(ErrorCode::Unauthorized, "Only people in the dashboard can do this."))
            }
            Who::Key { .. } if has < needed => {
                let message = format!("This needs a key with the scope `{needed}`; this key has `{has}`.");
                Err(Error::new(ErrorCode::Unauthorized, message).hint(Hint::KeyOfScope(needed)))
            }
            Who::Member { role, .. } if *role < self.role || has < needed => {
                let needed = if self.role > Role::Admin { "an owner" } else { "an admin or owner" };
                let message = format!("Only {needed} of the organization can do this; you are {role}.");
                Err(Error::new(ErrorCode::Unauthorized, message).hint("Ask one of them to do it, or for another role."))
            }
            Who::Key { .. } | Who::Member { .. } => Ok(()),
        }
    }

    /// Asks another server for it, through a client, for an agent.
    pub fn ask<'client>(
        &self,
        client: &'client RefundKit,
        input: Value,
        idempotency_key: Option<String>,
    ) -> ClientAnswer<'client> {
        (self.ask)(client, input, idempotency_key)
    }

    /// Makes the call: everything that holds for every operation happens here, once.
    pub async fn call(&'static self, app: Arc<App>, call: Call) -> Result<Answer<Box<RawValue>>, Error> {
        let record = request_log::Record::begin(self, &call);
        let door = call.admitted.caller.through;
        // Taken once the input is there, so that nobody holds a place by sending it slowly.
        let result = match app.places.try_acquire() {
            Err(_) => {
                Err(Error::unavailable("The server is handling as many requests as it can; try again in a moment."))
            }
            Ok(_place) if self.effect == Effect::Read => (self.run)(Arc::clone(&app), call).await,
            // What changes something is finished also when its caller hangs up: it is a task of the server's from here on.
            Ok(_place) => match app.tasks.spawn((self.run)(Arc::clone(&app), call)).await {
                Ok(result) => result,
                Err(error) => Err(Error::internal(error)),
            },
        };
        let result = result.map_err(|error| error.told_to(door));
        record.end(&app, &result);
        result
    }

    /// Makes the call for a person, once it is allowed to them.
    async fn ask_for(
        &'static self,
        app: &Arc<App>,
        caller: Caller,
        request_id: RequestId,
        idempotency_key: Option<String>,
        path: String,
        input: Value,
    ) -> Result<Answer<Box<RawValue>>, Error> {
        let admitted = match self.admit(app, caller) {
            Ok(admitted) => admitted,
            Err(turned_away) => {
                let result: Result<Answer<Value>, Error> = Err(turned_away.error.clone());
                request_log::Record::without_input(self, &turned_away.caller, request_id, &path).end(app, &result);
                return Err(turned_away.error);
            }
        };
        self.call(Arc::clone(app), Call { admitted, request_id, idempotency_key, path, input }).await
    }

    /// Checks a person's rights as they are now, holds the call's idempotency key, and finds what an earlier request bound it to.
    async fn find_bound(&self, context: &Context) -> Result<(Option<Running>, Option<BoundKey>), Error> {
        let checked_again = self.effect != Effect::Read && context.caller.user().is_some();
        if !checked_again && context.claim.is_none() {
            return Ok((None, None));
        }
        let mut connection = context.app.store.read().await?;
        if checked_again {
            self.check_now(&mut connection, &context.caller).await?;
        }
        let Some(claim) = &context.claim else { return Ok((None, None)) };
        let tenant = context.caller.tenant;
        let running = context.app.running_keys.begin(tenant, &claim.key)?;
        let bound = idempotency_keys::find(&mut connection, tenant, &claim.key).await?;
        Ok((Some(running), bound))
    }

    /// Whether a person may do it still: as the database has the person now, and not as the session had when the request came.
    async fn check_now(&self, connection: &mut Connection, caller: &Caller) -> Result<(), Error> {
        let Some(role) = members::role_now(connection, caller).await? else { return Ok(()) };
        self.check_rights(&caller.clone().with_role(role))
    }
}

/// The entry of an operation that is known by its type.
struct Of<O>(PhantomData<O>);

impl<O: Handle> Of<O> {
    const ENTRY: &'static Entry = &entry::<O>();
}

/// Makes a call for a person in the dashboard, as the doors of programs do: the same checks, the same log.
pub async fn ask<O: Handle>(
    app: &Arc<App>,
    caller: Caller,
    request_id: RequestId,
    idempotency_key: Option<String>,
    path: String,
    input: Value,
) -> Result<Answer<O::Output>, Error> {
    let answer = Of::<O>::ENTRY.ask_for(app, caller, request_id, idempotency_key, path, input).await?;
    typed(answer)
}

/// Makes a further call of a page that goes on: rows that are exported, rows that are watched. The first one was asked as any
/// other and counted; these are checked again and not counted, so that one page that stays open uses up nobody's rate.
pub async fn ask_on<O: Handle>(
    app: &Arc<App>,
    caller: Caller,
    request_id: RequestId,
    path: String,
    input: Value,
) -> Result<O::Output, Error> {
    let entry = Of::<O>::ENTRY;
    entry.check_rights(&caller)?;
    let call = Call { admitted: Admitted { caller }, request_id, idempotency_key: None, path, input };
    Ok(typed(entry.call(Arc::clone(app), call).await?)?.output)
}

/// The answer as a page needs it.
fn typed<T: serde::de::DeserializeOwned>(answer: Answer<Box<RawValue>>) -> Result<Answer<T>, Error> {
    let output = serde_json::from_str(answer.output.get()).map_err(Error::internal)?;
    Ok(answer.map(|_| output))
}

/// Shows an output to an agent.
fn show<O: Handle>(output: Value) -> Result<Shown, Error> {
    let tool = O::TOOL.ok_or_else(|| Error::internal("an operation that is no tool was shown"))?;
    Ok((tool.show)(&serde_json::from_value(output).map_err(Error::internal)?))
}

/// A caller who was turned away.
pub struct Refused {
    /// Who called.
    pub caller: Caller,
    /// Why not.
    pub error: Error,
}

/// Answers with the output as the text that is sent.
async fn run<O: Handle>(app: Arc<App>, call: Call) -> Result<Answer<Box<RawValue>>, Error> {
    let operation: O = input::parse(call.input)?;
    if call.admitted.caller.through == InitiatedBy::Mcp {
        operation.refuse_agents(call.idempotency_key.is_some())?;
    }
    let keyed = call.idempotency_key.filter(|_| O::REPEAT.is_some());
    let claim = keyed.map(|key| Claim::new(key, &operation)).transpose()?;
    let context = Context { app, caller: call.admitted.caller, request_id: call.request_id, claim };
    let (_running, bound) = Of::<O>::ENTRY.find_bound(&context).await?;
    let answer = match (bound, &context.claim, O::REPEAT) {
        (Some(bound), Some(claim), Some(repeat)) => replay(&context, claim, bound, repeat).await?,
        _ => operation.handle(&context).await?,
    };
    let output = serde_json::value::to_raw_value(&answer.output).map_err(Error::internal)?;
    Ok(answer.map(|_| output))
}

/// Whether a person may do it still, in the transaction that does it.
pub async fn check_now<O: Handle>(connection: &mut Connection, caller: &Caller) -> Result<(), Error> {
    Of::<O>::ENTRY.check_now(connection, caller).await
}

/// Asks a server for the operation, for an agent: what needs no server is checked here by the same rules.
async fn ask_server<O: Handle>(
    client: &RefundKit,
    input: Value,
    idempotency_key: Option<String>,
) -> Result<Value, Box<refundkit::Error>> {
    let checked = input::parse::<O>(input).and_then(|operation| {
        operation.refuse_agents(idempotency_key.is_some())?;
        Ok(operation)
    });
    let operation = checked.map_err(|error| Box::new(error.told_to(InitiatedBy::Mcp).seen_before_sending()))?;
    let answer =
        client.send_with(&operation, Options { idempotency_key, ..Options::default() }).await.map_err(Box::new)?;
    serde_json::to_value(answer.output).map_err(|error| Box::new(Error::internal(error).seen_before_sending()))
}

/// Answers a repeat of the request that a key is bound to, and refuses another request under it.
pub async fn replay<T>(
    context: &Context,
    claim: &Claim,
    bound: BoundKey,
    repeat: RepeatOf<T>,
) -> Result<Answer<T>, Error> {
    check_same_request(claim, &bound)?;
    let answer = repeat(context, bound.resource_id).await.map_err(Error::replayed)?;
    Ok(Answer { replayed: true, ..answer })
}

fn check_same_request(claim: &Claim, bound: &BoundKey) -> Result<(), Error> {
    if bound.operation == claim.operation && bound.fingerprint == claim.fingerprint {
        return Ok(());
    }
    let message = format!("This Idempotency-Key was used for another request ({}).", bound.operation);
    Err(Error::new(ErrorCode::IdempotencyKeyReused, message)
        .hint("Repeat the first request unchanged to get its result, or use a new key for a new request."))
}

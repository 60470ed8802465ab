//! Passwords, signing in, and sessions: who sits in front of the dashboard. What a person may do is decided where operations are.
//!
//! A session is 256 random bits in a cookie; the database holds their SHA-256 only. It ends when its person has not been seen for
//! [`limits::SESSION_IDLE_MS`], at the latest after [`limits::SESSION_MS_MAX`], and with the person's other sessions when the
//! password changes.

pub mod joining;

use std::{net::IpAddr, sync::Arc};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use refundkit::{Environment, ErrorCode, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::{
    app::App,
    error::Error,
    limits,
    store::{StoreError, organizations, organizations::Organization, sessions, sessions::Session, users, users::User},
};

/// The bytes of randomness in a session's token, an invitation's link and the like.
const TOKEN_BYTES: usize = 32;

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// The person.
    pub user: User,
    /// The person's organization.
    pub organization: Organization,
}

/// Checks an address and a password, and begins a session in the test environment. Answers the token for the browser's cookie.
///
/// `unauthorized` when they do not belong together, without saying which of them is wrong; `rate_limited` after too many tries.
///
/// `from` is where the person is in the network: tries are counted there first, so that nobody locks others out from everywhere.
pub async fn sign_in(app: &Arc<App>, email: &str, password: SecretString, from: IpAddr) -> Result<SecretString, Error> {
    let email = email.trim().to_lowercase();
    app.sign_ins.check(&email, from)?;
    let found = {
        let mut connection = app.store.read().await?;
        users::find_by_email(&mut connection, &email).await?
    };
    let hash = found.as_ref().map(|(_, hash)| hash.clone());
    if !is_password(app, password, hash).await? {
        return Err(wrong_password());
    }
    let Some((user, hash)) = found else { return Err(wrong_password()) };
    app.sign_ins.succeeded(&email, from);
    begin_session_with(app, &user, Some(hash)).await
}

fn wrong_password() -> Error {
    Error::new(ErrorCode::Unauthorized, "This e-mail address and this password do not belong together.")
        .hint("Check both. An owner can reset your password with `refundkit users reset-password`.")
}

/// Begins a session for somebody who proved who they are.
pub async fn begin_session(app: &Arc<App>, user: &User) -> Result<SecretString, Error> {
    begin_session_with(app, user, None).await
}

/// The same for somebody who proved it with the password of this hash: nobody gets in with one that was changed meanwhile.
async fn begin_session_with(app: &Arc<App>, user: &User, hash: Option<String>) -> Result<SecretString, Error> {
    let token = new_token(app);
    let now = app.env.now();
    let session = Session {
        token_hash: token_hash(token.expose_secret()),
        user_id: user.id,
        environment: Environment::Test,
        created_at: now,
        seen_at: now,
    };
    app.store
        .write::<_, Error, _>(move |connection| {
            Box::pin(async move {
                if let Some(hash) = hash
                    && users::find_password(connection, session.user_id).await? != Some(hash)
                {
                    return Err(wrong_password());
                }
                sessions::insert(connection, &session).await?;
                Ok(users::mark_signed_in(connection, session.user_id, now).await?)
            })
        })
        .await?;
    Ok(token)
}

/// Finds who holds this token, if the session has not ended.
pub async fn session(app: &Arc<App>, token: &str) -> Result<Option<SignedIn>, Error> {
    let hash = token_hash(token);
    let (session, user, organization) = {
        let mut connection = app.store.read().await?;
        let Some(session) = sessions::find(&mut connection, &hash).await? else { return Ok(None) };
        let Some(user) = users::find(&mut connection, session.user_id).await? else { return Ok(None) };
        let organization = organizations::get(&mut connection, user.organization_id).await?;
        (session, user, organization)
    };
    let now = app.env.now();
    if has_ended(&session, now) {
        return Ok(None);
    }
    if now.millis_since(session.seen_at) > limits::SESSION_SEEN_MS {
        app.store
            .write::<_, StoreError, _>(move |connection| {
                Box::pin(async move { sessions::mark_seen(connection, &hash, now).await })
            })
            .await?;
    }
    Ok(Some(SignedIn { session, user, organization }))
}

/// Whether a session still stands as it did, with its environment. It does not count as being seen: a page that looks for news by
/// itself is nobody.
pub async fn is_going_on(app: &Arc<App>, session: &Session) -> Result<bool, Error> {
    let found = {
        let mut connection = app.store.read().await?;
        sessions::find(&mut connection, &session.token_hash).await?
    };
    let now = app.env.now();
    Ok(found.is_some_and(|found| found.environment == session.environment && !has_ended(&found, now)))
}

fn has_ended(session: &Session, now: Timestamp) -> bool {
    now.millis_since(session.seen_at) > limits::SESSION_IDLE_MS
        || now.millis_since(session.created_at) > limits::SESSION_MS_MAX
}

/// Ends the session.
pub async fn sign_out(app: &Arc<App>, session: Session) -> Result<(), Error> {
    let ended = app.store.write::<_, StoreError, _>(move |connection| {
        Box::pin(async move { sessions::delete(connection, &session.token_hash).await })
    });
    Ok(ended.await?)
}

/// Ends the person's other sessions: those in other browsers.
pub async fn sign_out_elsewhere(app: &Arc<App>, session: Session) -> Result<(), Error> {
    let ended = app.store.write::<_, StoreError, _>(move |connection| {
        Box::pin(async move { sessions::delete_of_user(connection, session.user_id, Some(&session.token_hash)).await })
    });
    Ok(ended.await?)
}

/// Gives the person another password, and ends the person's other sessions.
///
/// `validation_error` on `currentPassword` when that is not the password, and on `password` when the new one cannot be one;
/// `rate_limited` after too many tries.
pub async fn change_password(
    app: &Arc<App>,
    signed_in: &SignedIn,
    current: SecretString,
    new: SecretString,
    from: IpAddr,
) -> Result<(), Error> {
    let (user, session) = (&signed_in.user, signed_in.session.clone());
    app.sign_ins.check(&user.email, from)?;
    let before = {
        let mut connection = app.store.read().await?;
        users::find_password(&mut connection, user.id).await?
    };
    let wrong = || Error::validation("currentPassword", "This is not your current password.");
    if !is_password(app, current, before.clone()).await? {
        return Err(wrong());
    }
    check_new_password("password", &new)?;
    let hash = hash_password(new).await.map_err(Error::internal)?;
    app.store
        .write::<_, Error, _>(move |connection| {
            Box::pin(async move {
                if users::find_password(connection, session.user_id).await? != before {
                    return Err(wrong());
                }
                users::update_password(connection, session.user_id, &hash).await?;
                Ok(sessions::delete_of_user(connection, session.user_id, Some(&session.token_hash)).await?)
            })
        })
        .await
}

/// Shows another environment in this session from now on.
pub async fn switch_environment(app: &Arc<App>, session: Session, environment: Environment) -> Result<(), Error> {
    let switched = app.store.write::<_, StoreError, _>(move |connection| {
        Box::pin(async move { sessions::update_environment(connection, &session.token_hash, environment).await })
    });
    Ok(switched.await?)
}

/// A secret for a cookie or a link: 256 random bits.
pub fn new_token(app: &App) -> SecretString {
    SecretString::from(hex::encode(app.env.random_bytes::<TOKEN_BYTES>()))
}

/// What the database holds of a token.
pub fn token_hash(token: &str) -> String {
    hex::encode(Sha256::digest(token))
}

/// A name of something that people gave it: 1 to 100 characters that can be printed. `validation_error` on `field`.
pub fn checked_name(field: &'static str, name: &str) -> Result<String, Error> {
    let name = name.trim();
    let is_name =
        (1..=limits::NAME_CHARACTERS_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if is_name { Ok(name.to_owned()) } else { Err(Error::validation(field, "The name must have 1 to 100 characters.")) }
}

/// An e-mail address, in lower case. Whether anybody reads it is not known here. `validation_error` on `field`.
pub fn checked_email(field: &'static str, email: &str) -> Result<String, Error> {
    let email = email.trim().to_lowercase();
    let parts = email.rsplit_once('@');
    let is_address = email.len() <= limits::EMAIL_BYTES_MAX
        && !email.chars().any(|character| character.is_control() || character.is_whitespace())
        && parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
    if is_address {
        Ok(email)
    } else {
        Err(Error::validation(field, "This is not an e-mail address, such as ada@example.com."))
    }
}

/// Checks that a password may be somebody's: `validation_error` on `field`.
pub fn check_new_password(field: &'static str, password: &SecretString) -> Result<(), Error> {
    let characters = password.expose_secret().chars().count();
    if (limits::PASSWORD_CHARACTERS_MIN..=limits::PASSWORD_CHARACTERS_MAX).contains(&characters) {
        return Ok(());
    }
    let (least, most) = (limits::PASSWORD_CHARACTERS_MIN, limits::PASSWORD_CHARACTERS_MAX);
    Err(Error::validation(field, format!("The password must have {least} to {most} characters."))
        .hint("A few words that do not belong together are easy to remember and hard to guess."))
}

/// The Argon2id hash of a password, with the parameters that OWASP recommends (19 MiB, two passes, one lane).
pub async fn hash_password(password: SecretString) -> Result<String, String> {
    let hashing = tokio::task::spawn_blocking(move || {
        let hash = argon2()?.hash_password(password.expose_secret().as_bytes());
        hash.map(|hash| hash.to_string()).map_err(|error| error.to_string())
    });
    hashing.await.map_err(|error| error.to_string())?
}

/// Whether this is the password behind the hash. Without a hash it takes as long, so that nobody learns which addresses exist.
pub async fn is_password(app: &App, password: SecretString, hash: Option<String>) -> Result<bool, Error> {
    if password.expose_secret().chars().count() > limits::PASSWORD_CHARACTERS_MAX {
        return Ok(false);
    }
    let busy = || Error::unavailable("Many people are signing in; try again in a moment.");
    let _place = tokio::time::timeout(limits::PASSWORD_WAIT_MAX, app.password_places.acquire())
        .await
        .map_err(|_| busy())?
        .map_err(|_| busy())?;
    let checking = tokio::task::spawn_blocking(move || {
        let argon2 = argon2()?;
        let password = password.expose_secret().as_bytes();
        match hash {
            Some(hash) => {
                let hash = PasswordHash::new(&hash).map_err(|error| error.to_string())?;
                Ok(argon2.verify_password(password, &hash).is_ok())
            }
            None => argon2.hash_password(password).map(|_| false).map_err(|error| error.to_string()),
        }
    });
    checking.await.map_err(Error::internal)?.map_err(|error: String| Error::internal(error))
}

fn argon2() -> Result<Argon2<'static>, String> {
    let parameters = argon2::Params::new(19_456, 2, 1, None).map_err(|error| error.to_string())?;
    Ok(Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, parameters))
}

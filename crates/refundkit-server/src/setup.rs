//! Making a new installation: the master key, the first organization, its owner and its first keys.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use refundkit::{Environment, KeyId, OrganizationId, Scope, api_key};
use secrecy::SecretString;

use crate::{
    accounts,
    caller::Role,
    config::{DataConfig, DatabaseUrl},
    env::Env,
    store::{
        Connection, Lock, Store, StoreError, Tenant, api_keys, api_keys::NewApiKey, organizations, sessions, users,
        users::User,
    },
    vault::{MASTER_KEY_BYTES, Vault, VaultError},
};

/// What the sealed check value says.
const CHECK: &str = "refundkit";
const CHECK_BINDING: &str = "master_key_check";

/// Why an installation could not be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file.
    #[error("{path}: {cause}")]
    File {
        /// Which.
        path: String,
        /// Why.
        cause: io::Error,
    },
    /// The master key.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// There are data, and no key to open them.
    #[error(
        "the database has data, and there is no master key at {0}. Give the key that sealed them by REFUNDKIT_MASTER_KEY or REFUNDKIT_MASTER_KEY_FILE; without it the saved processor keys cannot be read"
    )]
    MasterKeyMissing(String),
    /// The key is not the one that sealed the data.
    #[error("this master key is not the one that sealed the credentials in this database")]
    MasterKeyWrong,
    /// The first organization exists.
    #[error("this database is set up already. Make further keys with POST /v1/api-keys or `refundkit keys create`")]
    AlreadyDone,
    /// There is no organization yet.
    #[error("this database is empty. `refundkit setup` makes its first organization")]
    NotDone,
    /// Somebody has this address: people sign in with it, to one organization.
    #[error("{0} belongs to somebody already. Give the owner another address")]
    EmailTaken(String),
    /// Nobody has this address.
    #[error("nobody here has the address {0}")]
    NobodyThere(String),
    /// The password could not be hashed.
    #[error("the password could not be hashed: {0}")]
    Password(String),
}

/// Opens the database and the vault; makes both when there is no database yet.
pub async fn open(config: &DataConfig) -> Result<(Store, Vault), SetupError> {
    if let DatabaseUrl::Sqlite { path } = &config.database_url {
        make_private_file(path)?;
    }
    let store = Store::open(&config.database_url).await?;
    let env = Env::default();
    let sealed = {
        let mut connection = store.read().await?;
        organizations::find_master_key_check(&mut connection).await?
    };
    let vault = Vault::new(&master_key(config, &env, sealed.is_none())?)?;
    let sealed = match sealed {
        Some(sealed) => sealed,
        None => {
            let sealed = vault.seal(&env, CHECK_BINDING, &SecretString::from(CHECK))?;
            store.write(move |connection| Box::pin(check_value(connection, sealed))).await?
        }
    };
    vault.open(CHECK_BINDING, &sealed).map_err(|_| SetupError::MasterKeyWrong)?;
    Ok((store, vault))
}

/// The value by which a wrong master key is noticed: the one that is there, or this one. Several servers may start on one empty
/// database, and the first one's key is the key.
async fn check_value(connection: &mut Connection, sealed: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    connection.lock(&Lock::Setup).await?;
    if let Some(first) = organizations::find_master_key_check(connection).await? {
        return Ok(first);
    }
    organizations::insert_master_key_check(connection, &sealed).await?;
    Ok(sealed)
}

/// Makes the database's file and folder, unless they exist, before SQLite does: so that they are never readable by others.
fn make_private_file(path: &Path) -> Result<(), SetupError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        make_private_folder(folder)?;
    }
    if path.exists() { Ok(()) } else { write_private(path, b"") }
}

/// The master key as configured; made when nothing is sealed yet.
fn master_key(config: &DataConfig, env: &Env, may_make: bool) -> Result<SecretString, SetupError> {
    if let Some(key) = &config.master_key {
        return Ok(key.clone());
    }
    let path = config.master_key_file.clone().unwrap_or_else(|| config.default_master_key_file());
    match fs::read_to_string(&path) {
        Ok(text) => Ok(SecretString::from(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && may_make => {
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                make_private_folder(folder)?;
            }
            let key = hex::encode(env.random_bytes::<MASTER_KEY_BYTES>());
            write_private(&path, key.as_bytes())?;
            Ok(SecretString::from(key))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(SetupError::MasterKeyMissing(path.display().to_string()))
        }
        Err(cause) => Err(SetupError::File { path: path.display().to_string(), cause }),
    }
}

/// Makes a folder that only its owner may enter, unless it exists.
pub fn make_private_folder(folder: &Path) -> Result<(), SetupError> {
    use std::os::unix::fs::DirBuilderExt as _;
    if folder.exists() {
        return Ok(());
    }
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|cause| SetupError::File { path: folder.display().to_string(), cause })
}

/// Writes a new file that only its owner may read.
pub fn write_private(path: &Path, content: &[u8]) -> Result<(), SetupError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    // Written whole beside it first: a crash must not leave half a key where a key belongs.
    let unfinished = path.with_added_extension("new");
    let written =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished).and_then(
            |mut file| {
                file.write_all(content)?;
                file.sync_all()?;
                fs::hard_link(&unfinished, path)?;
                fs::remove_file(&unfinished)
            },
        );
    written.map_err(|cause| SetupError::File { path: path.display().to_string(), cause })
}

/// Who an organization to be made, the first or a further one, and its owner are.
#[derive(Debug, Clone)]
pub struct FirstOrganization {
    /// The organization's name.
    pub name: String,
    /// The owner's e-mail address.
    pub email: String,
    /// The owner's password.
    pub password: SecretString,
}

/// What setting up made. The keys are shown this once.
#[derive(Debug, Clone)]
pub struct Made {
    /// The organization.
    pub organization_id: OrganizationId,
    /// An admin key of the test environment.
    pub test_key: SecretString,
    /// An admin key of the live environment.
    pub live_key: SecretString,
}

/// Makes the first organization, its owner and one admin key for each environment. Refuses a second time.
pub async fn first_organization(store: &Store, env: &Env, first: FirstOrganization) -> Result<Made, SetupError> {
    with_keys(store, env, first, Place::First).await
}

/// Makes a further organization, its owner and one admin key for each environment. Refuses where there is no first one.
pub async fn further_organization(store: &Store, env: &Env, further: FirstOrganization) -> Result<Made, SetupError> {
    with_keys(store, env, further, Place::Further).await
}

/// Which organization of an installation is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    First,
    Further,
}

async fn with_keys(store: &Store, env: &Env, new: FirstOrganization, place: Place) -> Result<Made, SetupError> {
    let keys =
        [(Environment::Test, new_key(env, Environment::Test)), (Environment::Live, new_key(env, Environment::Live))];
    let [(_, (_, test_key)), (_, (_, live_key))] = keys.clone();
    let owner = found(store, env, new, place, keys.to_vec()).await?;
    Ok(Made {
        organization_id: owner.organization_id,
        test_key: SecretString::from(test_key),
        live_key: SecretString::from(live_key),
    })
}

/// Makes the first organization and its owner, who will make keys in the dashboard. Refuses a second time.
pub async fn first_owner(store: &Store, env: &Env, first: FirstOrganization) -> Result<User, SetupError> {
    found(store, env, first, Place::First, Vec::new()).await
}

/// Whether there is no organization yet.
pub async fn is_empty(store: &Store) -> Result<bool, StoreError> {
    Ok(organizations::count(&mut *store.read().await?).await? == 0)
}

async fn found(
    store: &Store,
    env: &Env,
    new: FirstOrganization,
    place: Place,
    keys: Vec<(Environment, (KeyId, String))>,
) -> Result<User, SetupError> {
    let FirstOrganization { name, email, password } = new;
    let password_hash = accounts::hash_password(password).await.map_err(SetupError::Password)?;
    let (organization_id, now) = (env.new_organization_id(), env.now());
    let owner = User {
        id: env.new_user_id(),
        organization_id,
        email: email.to_lowercase(),
        role: Role::Owner,
        created_at: now,
        signed_in_at: None,
    };
    store
        .write::<_, SetupError, _>(move |connection| {
            Box::pin(async move {
                connection.lock(&Lock::Setup).await?;
                match (place, organizations::count(connection).await?) {
                    (Place::First, 0) | (Place::Further, 1..) => {}
                    (Place::First, _) => return Err(SetupError::AlreadyDone),
                    (Place::Further, _) => return Err(SetupError::NotDone),
                }
                if users::find_by_email(connection, &owner.email).await?.is_some() {
                    return Err(SetupError::EmailTaken(owner.email));
                }
                organizations::insert(connection, organization_id, &name, now).await?;
                users::insert(connection, &owner, &password_hash).await?;
                for (environment, (id, key)) in keys {
                    let tenant = Tenant { organization_id, environment };
                    api_keys::insert(connection, tenant, &first_key(id, &key, now)).await?;
                }
                Ok(owner)
            })
        })
        .await
}

/// Gives the person with this address, which is in lower case, a new password, and ends the person's sessions.
pub async fn reset_password(store: &Store, email: &str, password: SecretString) -> Result<(), SetupError> {
    let password_hash = accounts::hash_password(password).await.map_err(SetupError::Password)?;
    let email = email.to_owned();
    store
        .write::<_, SetupError, _>(move |connection| {
            Box::pin(async move {
                let Some((user, _)) = users::find_by_email(connection, &email).await? else {
                    return Err(SetupError::NobodyThere(email));
                };
                users::update_password(connection, user.id, &password_hash).await?;
                Ok(sessions::delete_of_user(connection, user.id, None).await?)
            })
        })
        .await
}

fn new_key(env: &Env, environment: Environment) -> (KeyId, String) {
    (env.new_key_id(), env.new_api_key(environment))
}

fn first_key(id: KeyId, key: &str, created_at: refundkit::Timestamp) -> NewApiKey {
    NewApiKey {
        id,
        name: "First admin key".to_owned(),
        scope: Scope::Admin,
        prefix: key.chars().take(api_key::KEY_PREFIX_CHARACTERS).collect(),
        hash: api_key::hash_api_key(key),
        created_at,
    }
}

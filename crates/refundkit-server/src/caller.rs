//! Who calls: a key of a program, or a person who is signed in. Doors find out who it is; here is what that means.

use std::{fmt, str::FromStr};

use refundkit::{InitiatedBy, KeyId, Scope, UserId};
use serde::{Deserialize, Serialize};

use crate::store::Tenant;

/// Who calls.
#[derive(Debug, Clone)]
pub struct Caller {
    /// For whom.
    pub tenant: Tenant,
    /// Who it is.
    pub who: Who,
    /// Through which door.
    pub through: InitiatedBy,
    /// What the client says of itself.
    pub client: Option<String>,
    /// For how long the caller's organization takes a second refund like an earlier one for a repeat, in milliseconds.
    pub duplicate_window_ms: i64,
}

/// A key, or a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// A program with an API key.
    Key {
        /// The key's id.
        id: KeyId,
        /// Its first characters.
        prefix: String,
        /// What it may do.
        scope: Scope,
    },
    /// A person who is signed in to the dashboard.
    Member {
        /// The person's id.
        id: UserId,
        /// The person's e-mail address.
        email: String,
        /// What the person may do.
        role: Role,
    },
}

/// What calls are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CountedBy {
    /// A key.
    Key(KeyId),
    /// A person.
    Member(UserId),
}

impl Caller {
    /// What the caller may do, as operations ask for it.
    pub fn scope(&self) -> Scope {
        match &self.who {
            Who::Key { scope, .. } => *scope,
            Who::Member { role, .. } => role.scope(),
        }
    }

    /// What the caller's calls are counted by.
    pub fn counted_by(&self) -> CountedBy {
        match &self.who {
            Who::Key { id, .. } => CountedBy::Key(*id),
            Who::Member { id, .. } => CountedBy::Member(*id),
        }
    }

    /// The key, when it is one.
    pub fn key_id(&self) -> Option<KeyId> {
        match &self.who {
            Who::Key { id, .. } => Some(*id),
            Who::Member { .. } => None,
        }
    }

    /// The person, when it is one.
    pub fn user(&self) -> Option<(UserId, &str)> {
        match &self.who {
            Who::Key { .. } => None,
            Who::Member { id, email, .. } => Some((*id, email)),
        }
    }

    /// The same person with another role; a key stays as it is.
    #[must_use]
    pub fn with_role(self, role: Role) -> Self {
        let who = match self.who {
            Who::Member { id, email, .. } => Who::Member { id, email, role },
            key @ Who::Key { .. } => key,
        };
        Self { who, ..self }
    }

    /// The person's role, when it is one.
    pub fn role(&self) -> Option<Role> {
        match &self.who {
            Who::Key { .. } => None,
            Who::Member { role, .. } => Some(*role),
        }
    }
}

/// What a person may do; each role includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads, and refunds up to the limit that the owner sets.
    Member,
    /// Refunds without that limit, manages keys and processors, and invites and removes members.
    Admin,
    /// Everything: also makes admins and owners, and sets what members may refund.
    Owner,
}

/// A text that is not a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of `owner`, `admin`, `member`")]
pub struct InvalidRole;

impl Role {
    /// All roles, the least first.
    pub const ALL: [Self; 3] = [Self::Member, Self::Admin, Self::Owner];

    /// The role's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// Whether somebody of this role may invite, remove or revoke somebody of another: owners anybody, admins members.
    pub const fn manages(self, other: Self) -> bool {
        match self {
            Self::Owner => true,
            Self::Admin => matches!(other, Self::Member),
            Self::Member => false,
        }
    }

    /// What that is as the scope of a key.
    pub const fn scope(self) -> Scope {
        match self {
            Self::Member => Scope::Write,
            Self::Admin | Self::Owner => Scope::Admin,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(InvalidRole)
    }
}

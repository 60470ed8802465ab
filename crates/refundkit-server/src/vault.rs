//! Seals and opens processor credentials: AES-256-GCM under the master key, bound to the row they belong to.
//!
//! A sealed value is: one byte of format, four bytes that identify the master key, a random nonce of twelve bytes, and the
//! ciphertext with its tag. The row's name is authenticated with it, so that a value copied to another row does not open.

use aes_gcm::{
    Aes256Gcm, KeyInit as _,
    aead::{Aead as _, Nonce, Payload},
};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use sha2::{Digest as _, Sha256};

use crate::env::Env;

const FORMAT: u8 = 1;
const KEY_ID_BYTES: usize = 4;
const NONCE_BYTES: usize = 12;
const SETUP_TOKEN_BYTES: usize = 16;
/// The length of the master key.
pub const MASTER_KEY_BYTES: usize = 32;

/// Seals and opens secrets under one master key.
pub struct Vault {
    cipher: Aes256Gcm,
    key_id: [u8; KEY_ID_BYTES],
    setup_token: SecretString,
}

/// Why a sealed value does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// It was sealed under another master key.
    #[error("it was sealed under another master key")]
    OtherKey,
    /// It was altered, or belongs to another row.
    #[error("the sealed value was altered or belongs to another row")]
    Altered,
    /// The master key itself is not 64 hexadecimal digits.
    #[error("the master key must be 32 bytes as 64 hexadecimal digits")]
    MalformedKey,
}

impl Vault {
    /// Takes a master key of 64 hexadecimal digits.
    pub fn new(master_key: &SecretString) -> Result<Self, VaultError> {
        let bytes = hex::decode(master_key.expose_secret().trim()).map_err(|_| VaultError::MalformedKey)?;
        let bytes = SecretSlice::from(bytes);
        if bytes.expose_secret().len() != MASTER_KEY_BYTES {
            return Err(VaultError::MalformedKey);
        }
        let cipher = Aes256Gcm::new_from_slice(bytes.expose_secret()).map_err(|_| VaultError::MalformedKey)?;
        let digest =
            Sha256::new().chain_update(b"refundkit master key id").chain_update(bytes.expose_secret()).finalize();
        let mut key_id = [0; KEY_ID_BYTES];
        key_id.copy_from_slice(&digest[..KEY_ID_BYTES]);
        let setup =
            Sha256::new().chain_update(b"refundkit setup address").chain_update(bytes.expose_secret()).finalize();
        let setup_token = SecretString::from(hex::encode(&setup[..SETUP_TOKEN_BYTES]));
        Ok(Self { cipher, key_id, setup_token })
    }

    /// What the address holds at which the first organization is made: the same on every server with this key, and known to nobody
    /// who has neither the key nor the server's log.
    pub fn setup_token(&self) -> &SecretString {
        &self.setup_token
    }

    /// Seals a secret for the row that `binding` names (table, id, column).
    pub fn seal(&self, env: &Env, binding: &str, secret: &SecretString) -> Result<Vec<u8>, VaultError> {
        let nonce: [u8; NONCE_BYTES] = env.random_bytes();
        let payload = Payload { msg: secret.expose_secret().as_bytes(), aad: binding.as_bytes() };
        let ciphertext =
            self.cipher.encrypt(&Nonce::<Aes256Gcm>::from(nonce), payload).map_err(|_| VaultError::Altered)?;
        Ok([&[FORMAT][..], &self.key_id, &nonce, &ciphertext].concat())
    }

    /// Opens what [`Vault::seal`] made for the same binding.
    pub fn open(&self, binding: &str, sealed: &[u8]) -> Result<SecretString, VaultError> {
        let (format, rest) = sealed.split_first().ok_or(VaultError::Altered)?;
        let (key_id, rest) = rest.split_at_checked(KEY_ID_BYTES).ok_or(VaultError::Altered)?;
        let (nonce, ciphertext) = rest.split_at_checked(NONCE_BYTES).ok_or(VaultError::Altered)?;
        if *format != FORMAT {
            return Err(VaultError::Altered);
        }
        if key_id != self.key_id {
            return Err(VaultError::OtherKey);
        }
        let nonce = Nonce::<Aes256Gcm>::try_from(nonce).map_err(|_| VaultError::Altered)?;
        let payload = Payload { msg: ciphertext, aad: binding.as_bytes() };
        let secret = self.cipher.decrypt(&nonce, payload).map_err(|_| VaultError::Altered)?;
        String::from_utf8(secret).map(SecretString::from).map_err(|_| VaultError::Altered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(digit: char) -> Vault {
        Vault::new(&SecretString::from(digit.to_string().repeat(64))).unwrap()
    }

    #[test]
    fn a_sealed_secret_opens_only_for_its_row_and_under_its_key() {
        let (env, secret) = (Env::default(), SecretString::from("sk_test_4242"));
        let sealed = vault('a').seal(&env, "connections/1/secret_key", &secret).unwrap();
        assert_eq!(vault('a').open("connections/1/secret_key", &sealed).unwrap().expose_secret(), "sk_test_4242");
        assert_eq!(vault('a').open("connections/2/secret_key", &sealed).unwrap_err(), VaultError::Altered);
        assert_eq!(vault('b').open("connections/1/secret_key", &sealed).unwrap_err(), VaultError::OtherKey);
        assert!(!sealed.windows(7).any(|window| window == b"sk_test"));
    }

    #[test]
    fn every_altered_byte_is_noticed() {
        let (env, secret) = (Env::default(), SecretString::from("sk_test_4242"));
        let sealed = vault('a').seal(&env, "row", &secret).unwrap();
        for position in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[position] ^= 1;
            assert!(vault('a').open("row", &altered).is_err(), "byte {position}");
        }
        assert!(vault('a').open("row", &sealed[..10]).is_err());
        assert!(Vault::new(&SecretString::from("abc")).is_err());
    }
}

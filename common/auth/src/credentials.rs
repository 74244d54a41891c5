//! Credential pairs and ids of configured users.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use md5::{Digest, Md5};
use rand::RngExt;

const KEY_LENGTH: usize = 30;
const KEY_ALPHABET: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const SECRET_BYTES: usize = 50;
const SECRET_TRIES: usize = 10;

/// A pair of access key and secret key. Does not print its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// 30 characters of `A-Z0-9`.
    pub key: String,
    /// 67 characters, URL-safe base64 of 50 random bytes.
    pub secret: String,
}

impl Credentials {
    /// A new random pair; the secret does not begin with `-` or `_`, which command lines would misread.
    pub fn generate() -> Self {
        let mut random = rand::rng();
        let key = (0..KEY_LENGTH)
            .map(|_| char::from(KEY_ALPHABET[random.random_range(0..KEY_ALPHABET.len())]))
            .collect();
        let mut secret = String::new();
        for _ in 0..SECRET_TRIES {
            secret = URL_SAFE_NO_PAD.encode(random.random::<[u8; SECRET_BYTES]>());
            if !secret.starts_with(['-', '_']) {
                break;
            }
        }
        Self { key, secret }
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Credentials").field("key", &self.key).finish_non_exhaustive()
    }
}

/// The user id of a fixed user: MD5 of `<company>:<username>` in hex (spec 01 §3.5).
pub fn fixed_user_id(company: &str, username: &str) -> String {
    use std::fmt::Write;
    let digest = Md5::digest(format!("{company}:{username}").as_bytes());
    digest.iter().fold(String::with_capacity(32), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_have_the_documented_shape_and_differ() {
        for _ in 0..200 {
            let pair = Credentials::generate();
            assert_eq!(pair.key.len(), 30);
            assert!(pair.key.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()));
            assert_eq!(pair.secret.len(), 67);
            assert!(!pair.secret.starts_with(['-', '_']));
        }
        assert_ne!(Credentials::generate(), Credentials::generate());
    }

    #[test]
    fn secrets_are_not_printed() {
        let pair = Credentials::generate();
        assert!(!format!("{pair:?}").contains(&pair.secret));
    }

    #[test]
    fn fixed_user_ids_are_md5_of_company_and_name() {
        // md5 of "company:jane", computed with coreutils' md5sum.
        assert_eq!(fixed_user_id("company", "jane"), "d282fdf508461559a2cc0994afa51272");
    }
}

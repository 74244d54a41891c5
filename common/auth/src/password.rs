//! Passwords of configured users, plain or hashed.

use base64::{Engine, engine::general_purpose::STANDARD};

/// A password as the configuration gives it. Does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub enum Password {
    Plain(String),
    /// Base64 of a bcrypt hash string (`pass_hashed: true`).
    Hashed(String),
}

impl Password {
    /// Whether `given` is this password. Hashed passwords take a good part of a second on purpose: call it
    /// on a thread that may block. A stored hash that is damaged matches nothing.
    pub fn matches(&self, given: &str) -> bool {
        match self {
            Self::Plain(password) => same_text(password, given),
            Self::Hashed(encoded) => STANDARD
                .decode(encoded.trim())
                .ok()
                .and_then(|hash| String::from_utf8(hash).ok())
                .is_some_and(|hash| bcrypt::verify(given, hash.trim()).unwrap_or(false)),
        }
    }

    /// Whether [`Self::matches`] is slow.
    pub const fn is_hashed(&self) -> bool {
        matches!(self, Self::Hashed(_))
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(if self.is_hashed() { "Password::Hashed(..)" } else { "Password::Plain(..)" })
    }
}

/// Compares secrets in a time that depends on their lengths only.
pub fn same_text(one: &str, another: &str) -> bool {
    one.len() == another.len()
        && one.bytes().zip(another.bytes()).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_passwords_compare_as_text() {
        let password = Password::Plain("secret".into());
        assert!(password.matches("secret"));
        assert!(!password.matches("secreT"));
        assert!(!password.matches(""));
    }

    #[test]
    fn hashed_passwords_are_base64_of_bcrypt() {
        let hash = bcrypt::hash("secret", 4).unwrap();
        let password = Password::Hashed(STANDARD.encode(hash));
        assert!(password.matches("secret"));
        assert!(!password.matches("other"));
    }

    #[test]
    fn damaged_hashes_match_nothing() {
        for damaged in ["", "%%%", "c2VjcmV0", "/w=="] {
            assert!(!Password::Hashed(damaged.into()).matches("secret"), "{damaged}");
        }
    }

    #[test]
    fn passwords_are_not_printed() {
        assert!(!format!("{:?}", Password::Plain("secret".into())).contains("secret"));
    }
}

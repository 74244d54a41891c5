//! Tokens: JSON Web Tokens, signed with HMAC (spec 01 §3.3).

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, errors::ErrorKind};
use serde::{Deserialize, Serialize};

use crate::Role;

/// Who calls: from the token, or from the credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// User id.
    pub user: String,
    /// Company id.
    pub company: String,
    pub role: Role,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user_name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub company_name: String,
}

/// The claims of a token. Clients read `api_version`, `server_version`, `feature_set`, `env` and `exp`
/// without knowing the key (spec 08 §1.2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    /// UUID as 32 hex characters; what the revocation list holds.
    #[serde(default)]
    pub session_id: String,
    #[serde(default)]
    pub auth_type: String,
    #[serde(default)]
    pub env: String,
    /// Seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iat: Option<i64>,
    /// Seconds since 1970; absent: never expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    /// Seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    pub identity: Identity,
    #[serde(default)]
    pub api_version: String,
    #[serde(default)]
    pub server_version: String,
    #[serde(default)]
    pub server_build: String,
    #[serde(default)]
    pub feature_set: String,
}

/// Why a token is refused. The texts are the ones clients know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The token is no valid JWT, has a wrong signature or is out of its time.
    #[error("{0}")]
    Invalid(String),
    /// The signature is right, the claims are not ours.
    #[error("{0}")]
    Claims(String),
}

/// The key that signs and verifies tokens (`secure.auth.token_secret`). Does not print itself.
#[derive(Clone)]
pub struct TokenKey {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

impl TokenKey {
    /// A key from the bytes of the secret's text.
    pub fn new(secret: &str) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.algorithms = vec![Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
        // Times are checked in `verify`, against the caller's clock and without leeway.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        Self {
            encoding: EncodingKey::from_secret(secret.as_bytes()),
            decoding: DecodingKey::from_secret(secret.as_bytes()),
            validation,
        }
    }

    /// Signs claims with HS256.
    pub fn sign(&self, claims: &Claims) -> Result<String, TokenError> {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.encoding)
            .map_err(|error| TokenError::Invalid(error.to_string()))
    }

    /// The claims of a token that is signed with this key and valid at `now` (seconds since 1970).
    pub fn verify(&self, token: &str, now: i64) -> Result<Claims, TokenError> {
        if token.split('.').count() < 3 {
            return Err(TokenError::Invalid("Not enough segments".into()));
        }
        let payload: serde_json::Value = jsonwebtoken::decode(token, &self.decoding, &self.validation)
            .map_err(|error| reason(&error))?
            .claims;
        check_times(&payload, now)?;
        serde_json::from_value(payload).map_err(|error| TokenError::Claims(error.to_string()))
    }
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("TokenKey(..)")
    }
}

fn reason(error: &jsonwebtoken::errors::Error) -> TokenError {
    let text = match error.kind() {
        ErrorKind::InvalidSignature => "Signature verification failed".to_owned(),
        ErrorKind::InvalidAlgorithm
        | ErrorKind::InvalidAlgorithmName
        | ErrorKind::UnsupportedAlgorithm
        | ErrorKind::MissingAlgorithm => "The specified alg value is not allowed".to_owned(),
        ErrorKind::InvalidToken => "Not enough segments".to_owned(),
        ErrorKind::Base64(_) => "Invalid token padding".to_owned(),
        // An unknown `alg`, as `none`, does not parse as a header either.
        ErrorKind::Json(json) if json.to_string().contains("unknown variant") => {
            "The specified alg value is not allowed".to_owned()
        }
        ErrorKind::Json(json) => format!("Invalid token string: {json}"),
        _ => error.to_string(),
    };
    TokenError::Invalid(text)
}

fn check_times(payload: &serde_json::Value, now: i64) -> Result<(), TokenError> {
    let seconds = |name: &str| match payload.get(name) {
        None | Some(serde_json::Value::Null) => Ok(None),
        Some(value) => value
            .as_i64()
            .map(Some)
            .ok_or_else(|| TokenError::Invalid(format!("Claim {name} must be an integer"))),
    };
    if seconds("iat")?.is_some_and(|issued| issued > now) {
        return Err(TokenError::Invalid("The token is not yet valid (iat)".into()));
    }
    if seconds("nbf")?.is_some_and(|start| start > now) {
        return Err(TokenError::Invalid("The token is not yet valid (nbf)".into()));
    }
    if seconds("exp")?.is_some_and(|end| end <= now) {
        return Err(TokenError::Invalid("Signature has expired".into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::encode;
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn claims() -> Claims {
        Claims {
            session_id: "0123".into(),
            auth_type: "Bearer".into(),
            env: "<unknown>".into(),
            iat: Some(NOW),
            exp: Some(NOW + 10),
            nbf: None,
            identity: Identity {
                user: "u".into(),
                company: "c".into(),
                role: Role::User,
                user_name: "Jane".into(),
                company_name: String::new(),
            },
            api_version: "2.31".into(),
            server_version: "2.0.0".into(),
            server_build: String::new(),
            feature_set: "basic".into(),
        }
    }

    fn signed(payload: &serde_json::Value, algorithm: Algorithm) -> String {
        encode(&Header::new(algorithm), payload, &EncodingKey::from_secret(b"key")).unwrap()
    }

    fn refusal(token: &str) -> String {
        TokenKey::new("key").verify(token, NOW).unwrap_err().to_string()
    }

    #[test]
    fn what_was_signed_verifies() {
        let key = TokenKey::new("key");
        let token = key.sign(&claims()).unwrap();
        assert_eq!(key.verify(&token, NOW), Ok(claims()));
        assert_eq!(key.verify(&token, NOW + 9), Ok(claims()));
    }

    #[test]
    fn empty_members_of_the_identity_are_left_out() {
        let value = serde_json::to_value(claims()).unwrap();
        assert!(value["identity"].get("company_name").is_none());
        assert!(value.get("nbf").is_none());
        assert_eq!(value["server_build"], "");
    }

    #[test]
    fn all_hmac_lengths_are_accepted() {
        let payload = serde_json::to_value(claims()).unwrap();
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            assert!(TokenKey::new("key").verify(&signed(&payload, algorithm), NOW).is_ok());
        }
    }

    #[test]
    fn times_are_checked_without_leeway() {
        let at = |name: &str, value: i64| {
            let mut payload = serde_json::to_value(claims()).unwrap();
            payload[name] = json!(value);
            signed(&payload, Algorithm::HS256)
        };
        assert_eq!(refusal(&at("exp", NOW)), "Signature has expired");
        assert_eq!(refusal(&at("iat", NOW + 1)), "The token is not yet valid (iat)");
        assert_eq!(refusal(&at("nbf", NOW + 1)), "The token is not yet valid (nbf)");
        assert!(TokenKey::new("key").verify(&at("nbf", NOW), NOW).is_ok());
    }

    #[test]
    fn forged_and_broken_tokens_are_refused() {
        let wrong_key = TokenKey::new("other").sign(&claims()).unwrap();
        assert_eq!(refusal(&wrong_key), "Signature verification failed");
        assert_eq!(refusal("abc"), "Not enough segments");
        assert_eq!(refusal(""), "Not enough segments");
        // {"alg":"none","typ":"JWT"} . {"a":1} . no signature
        let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJhIjoxfQ.";
        assert_eq!(refusal(none), "The specified alg value is not allowed");
        assert!(TokenKey::new("key").verify("%%.%%.%%", NOW).is_err());
        assert!(TokenKey::new("key").verify("e30.e30.e30", NOW).is_err());
    }

    #[test]
    fn the_identity_must_be_complete_and_ours() {
        let with_identity = |identity: serde_json::Value| {
            let mut payload = serde_json::to_value(claims()).unwrap();
            payload["identity"] = identity;
            payload["something_else"] = json!(1);
            TokenKey::new("key").verify(&signed(&payload, Algorithm::HS256), NOW)
        };
        assert!(with_identity(json!({"user": "u", "company": "c", "role": "user"})).is_ok());
        for bad in [
            json!(null),
            json!({"user": "u", "company": "c"}),
            json!({"user": "u", "role": "user"}),
            json!({"user": "u", "company": "c", "role": "emperor"}),
            json!({"user": "u", "company": "c", "role": "user", "extra": 1}),
        ] {
            assert!(matches!(with_identity(bad), Err(TokenError::Claims(_))));
        }
    }
}

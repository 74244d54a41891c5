//! Who calls, and whether they may (spec 01 §3).

use std::sync::Arc;

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bson::{Bson, Document};
use clearml_auth::{Claims, TokenError};
use clearml_documents::{Collection, DocumentStoreExt, Filter, Find};
use http::{HeaderMap, header};

use super::{
    Access, ApiError, Endpoint, Identity, Role,
    codes::{self},
    headers,
};
use crate::App;

/// Fields of an auth user that make an identity; never its other credentials.
const IDENTITY_FIELDS: [&str; 3] = ["name", "company", "role"];

/// A caller.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) identity: Identity,
    /// Of the token, if the caller came with one.
    pub(crate) claims: Option<Claims>,
}

/// What access needs to know of a request.
pub(crate) struct Visit<'a> {
    pub(crate) app: &'a Arc<App>,
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) headers: &'a HeaderMap,
    /// `last_used_from`: worker header or caller's address.
    pub(crate) from: String,
}

impl Visit<'_> {
    /// Authentication, role, impersonation. `None`: nobody in particular, where the endpoint allows it.
    pub(crate) async fn admit(&self) -> Result<Option<Caller>, ApiError> {
        let caller = match self.endpoint.access {
            Access::Open => None,
            // Wrong credentials are as good as none here, but a store that fails is a failure.
            Access::Optional => match self.authenticate().await {
                Err(error) if error.code.status == 401 => None,
                other => Some(other?),
            },
            Access::Authenticated | Access::Roles(_) => Some(self.authenticate().await?),
        };
        if let Some(caller) = &caller {
            self.check_role(caller.identity.role)?;
        }
        let impersonated = self.impersonate(caller.as_ref().map(|caller| &caller.identity)).await?;
        let Some(identity) = impersonated else { return Ok(caller) };
        self.check_role(identity.role)?;
        Ok(caller.map(|caller| Caller { identity, ..caller }))
    }

    fn check_role(&self, role: Role) -> Result<(), ApiError> {
        let Access::Roles(allowed) = self.endpoint.access else { return Ok(()) };
        if allowed.contains(&role) {
            return Ok(());
        }
        let allowed: Vec<&str> = allowed.iter().map(|role| role.as_str()).collect();
        Err(ApiError::new(codes::ROLE_NOT_ALLOWED).with("role", role.as_str()).with("allowed", allowed))
    }

    async fn authenticate(&self) -> Result<Caller, ApiError> {
        let Some(authorization) = self.headers.get(header::AUTHORIZATION) else {
            let token = headers::cookie(self.headers, &self.app.settings.auth.cookie_name)
                .ok_or_else(|| ApiError::new(codes::NO_CREDENTIALS))?;
            return self.bearer(&token).await;
        };
        let authorization = authorization.as_bytes();
        if authorization.is_empty() {
            return Err(ApiError::new(codes::NO_CREDENTIALS));
        }
        let (scheme, value) = match authorization.iter().position(|byte| *byte == b' ') {
            Some(space) => (&authorization[..space], authorization[space..].trim_ascii()),
            None => (authorization, &b""[..]),
        };
        match scheme {
            b"Bearer" => self.bearer(&String::from_utf8_lossy(value)).await,
            b"Basic" => self.basic(value).await,
            _ => Err(ApiError::new(codes::BAD_AUTH_TYPE)),
        }
    }

    async fn bearer(&self, token: &str) -> Result<Caller, ApiError> {
        let claims =
            self.app.token_key.verify(token, seconds(self.app.now())).map_err(|error| refused(&error))?;
        if self.app.revocations.contains(&claims).await? {
            return Err(ApiError::new(codes::INVALID_TOKEN).extra("revoked token"));
        }
        Ok(Caller { identity: claims.identity.clone(), claims: Some(claims) })
    }

    async fn basic(&self, encoded: &[u8]) -> Result<Caller, ApiError> {
        let (key, secret) = decode_pair(encoded)?;
        let fixed = self.fixed_user(&key, &secret).await?;
        let is_fixed = fixed.is_some();
        let filter = match fixed {
            Some(id) => Filter::id(id),
            None => Filter::ElementMatches(
                "credentials".to_owned(),
                Box::new(Filter::eq("key", key.as_str()).and(Filter::eq("secret", secret))),
            ),
        };
        let user = self.find_user(filter).await?.ok_or_else(|| {
            ApiError::new(codes::INVALID_CREDENTIALS).extra("failed to locate provided credentials")
        })?;
        let identity = self
            .identity_of(&user)
            .await?
            .ok_or_else(|| ApiError::new(codes::INVALID_CREDENTIALS).extra("invalid user company"))?;
        if !is_fixed {
            let app = self.app;
            app.last_used.note(&app.documents, &identity.user, &key, app.now(), self.from.clone());
        }
        Ok(Caller { identity, claims: None })
    }

    /// The id of the fixed user of this name; `None` if there is none; 401/22 if the password is wrong.
    async fn fixed_user(&self, username: &str, password: &str) -> Result<Option<String>, ApiError> {
        let settings = &self.app.settings.auth.fixed_users;
        if !settings.enabled {
            return Ok(None);
        }
        let guest = settings.active_guest().filter(|guest| guest.username == username);
        let user = settings.users.iter().find(|user| user.username == username);
        let (expected, id, is_guest) = match (user, guest) {
            (Some(user), _) => (&user.password, user.id(), user.is_guest),
            (None, Some(guest)) => {
                (&guest.password, clearml_auth::fixed_user_id(&guest.company, &guest.username), true)
            }
            (None, None) => return Ok(None),
        };
        let (expected, password) = (expected.clone(), password.to_owned());
        let is_right = if expected.is_hashed() {
            // Hashing is slow on purpose: a few at a time, so that guessing cannot take the whole machine.
            let _turn = self.app.password_checks.acquire().await;
            tokio::task::spawn_blocking(move || expected.matches(&password))
                .await
                .map_err(|error| ApiError::unexpected(error.to_string()))?
        } else {
            expected.matches(&password)
        };
        let invalid = ApiError::new(codes::INVALID_CREDENTIALS);
        if !is_right {
            return Err(invalid.extra("bad username or password"));
        }
        let endpoint = self.endpoint.name;
        if is_guest && !settings.guest.allow_endpoints.iter().any(|allowed| allowed == endpoint) {
            return Err(invalid.extra("endpoint not allowed for guest"));
        }
        Ok(Some(id))
    }

    /// The identity that the impersonation headers ask for.
    async fn impersonate(&self, caller: Option<&Identity>) -> Result<Option<Identity>, ApiError> {
        let impersonate = headers::prefixed(self.headers, "impersonate-as");
        let act = headers::prefixed(self.headers, "act-as");
        let (target_id, acts) = match (impersonate, act) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                return Err(ApiError::new(codes::INVALID_HEADERS)
                    .extra("only one allowed")
                    .with("headers", vec!["X-Clearml-Impersonate-As", "X-Clearml-Act-As"]));
            }
            (Some(id), None) => (id, false),
            (None, Some(id)) => (id, true),
        };
        let caller = caller
            .ok_or_else(|| ApiError::new(codes::IMPERSONATION_ERROR).extra("validating impersonation"))?;
        let refused = |reason: &str| ApiError::new(codes::IMPERSONATION_ERROR).extra(reason);
        if !matches!(caller.role, Role::System | Role::Root | Role::Admin) {
            return Err(refused("impersonation not allowed").with("role", caller.role.as_str()));
        }
        let unknown = || {
            let error = refused("unknown user").with("id", target_id.as_str());
            if caller.role == Role::Root { error } else { error.with("company", caller.company.as_str()) }
        };
        let mut filter = Filter::id(target_id.as_str());
        if caller.role != Role::Root {
            filter = filter.and(Filter::eq("company", caller.company.as_str()));
        }
        let target = self.find_user(filter).await?.ok_or_else(unknown)?;
        let target = self.identity_of(&target).await?.ok_or_else(|| refused("unknown company for user"))?;
        let (role, how) = if acts { (caller.role, "acting as") } else { (target.role, "impersonated by") };
        let user_name = if acts {
            format!("{} ({how} {})", caller.user_name, target.user_name)
        } else {
            format!("{} ({how} {})", target.user_name, caller.user_name)
        };
        Ok(Some(Identity { role, user_name, ..target }))
    }

    async fn find_user(&self, filter: Filter) -> Result<Option<Document>, ApiError> {
        let find = Find::new(filter).include(IDENTITY_FIELDS);
        Ok(self.app.documents.find_one(Collection::AuthUser, find).await?)
    }

    /// The identity of an auth user; `None` if its company does not exist.
    async fn identity_of(&self, user: &Document) -> Result<Option<Identity>, ApiError> {
        identity_of(self.app, user).await
    }
}

/// The identity of an auth user document; `None` if its company does not exist.
pub(crate) async fn identity_of(app: &App, user: &Document) -> Result<Option<Identity>, ApiError> {
    let text = |key: &str| user.get_str(key).unwrap_or_default().to_owned();
    let company_id = text("company");
    let find = Find::new(Filter::id(company_id.as_str())).include(["name"]);
    let Some(company) = app.documents.find_one(Collection::Company, find).await? else { return Ok(None) };
    Ok(Some(Identity {
        user: user.get("_id").and_then(Bson::as_str).unwrap_or_default().to_owned(),
        company: company_id,
        role: Role::from_name(&text("role")).unwrap_or(Role::User),
        user_name: text("name"),
        company_name: company.get_str("name").unwrap_or_default().to_owned(),
    }))
}

/// 401/30 for a token that is refused.
pub(crate) fn refused(error: &TokenError) -> ApiError {
    let kind = match error {
        TokenError::Invalid(_) => "invalid jwt token",
        TokenError::Claims(_) => "failed parsing token",
    };
    ApiError::new(codes::INVALID_TOKEN).extra(kind).with("reason", error.to_string())
}

/// Seconds since 1970.
pub(crate) fn seconds(date: bson::DateTime) -> i64 {
    date.timestamp_millis().div_euclid(1000)
}

/// Key and secret of a Basic header: lenient base64, Latin-1, split at the first colon.
fn decode_pair(encoded: &[u8]) -> Result<(String, String), ApiError> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::RequireNone)
            .with_decode_allow_trailing_bits(true),
    );
    let malformed = |reason: &str| ApiError::new(codes::BAD_CREDENTIALS).extra(reason);
    let is_data = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let data: Vec<u8> = encoded.iter().copied().filter(is_data).collect();
    let padding = memchr::memchr_iter(b'=', encoded).count();
    let is_padded = match data.len() % 4 {
        0 => true,
        2 => padding >= 2,
        3 => padding >= 1,
        _ => false,
    };
    if !is_padded {
        return Err(malformed("Incorrect padding"));
    }
    let decoded = LENIENT.decode(data).map_err(|error| malformed(&error.to_string()))?;
    let text: String = decoded.into_iter().map(char::from).collect();
    match text.split_once(':') {
        Some((key, secret)) => Ok((key.to_owned(), secret.to_owned())),
        None => Err(malformed("expected <key>:<secret>")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_pairs_decode_leniently() {
        let pair = |text: &str| decode_pair(text.as_bytes()).map_err(|error| error.message());
        let expected = Ok(("key".to_owned(), "se:cret".to_owned()));
        assert_eq!(pair("a2V5OnNlOmNyZXQ="), expected);
        assert_eq!(pair("a2V5*OnNl\tOmNyZXQ="), expected);
        assert_eq!(pair("4Tpi"), Ok(("á".to_owned(), "b".to_owned())));
        let padding = "Unauthorized (malformed credentials) (Incorrect padding)".to_owned();
        assert_eq!(pair("a2V5OnNlOmNyZXQ"), Err(padding.clone()));
        assert_eq!(pair("a"), Err(padding));
        assert!(pair("").is_err());
        assert!(pair("a2V5").is_err());
    }
}

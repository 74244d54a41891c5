//! The session cookie (spec 01 §1.7).

use std::fmt::Write;

use chrono::{DateTime, Utc};

/// Attributes of a cookie (`apiserver.auth.cookies`).
#[derive(Debug, Clone, PartialEq)]
pub struct CookieSettings {
    pub http_only: bool,
    pub secure: bool,
    pub domain: Option<CookieDomain>,
    /// `Lax`, `Strict` or `None`; absent: no attribute.
    pub same_site: Option<String>,
    /// Seconds.
    pub max_age: Option<i64>,
}

impl Default for CookieSettings {
    fn default() -> Self {
        Self {
            http_only: true,
            secure: false,
            domain: None,
            same_site: Some("Lax".to_owned()),
            max_age: Some(99_999_999_999),
        }
    }
}

/// The domain a cookie is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CookieDomain {
    One(String),
    /// The first that the asked host ends with; none: no attribute.
    FirstOf(Vec<String>),
}

impl CookieDomain {
    fn for_host(&self, host: &str) -> Option<&str> {
        match self {
            Self::One(domain) => Some(domain),
            Self::FirstOf(domains) => {
                domains.iter().find(|domain| host.ends_with(*domain)).map(String::as_str)
            }
        }
    }
}

/// The `Set-Cookie` value that sets a cookie.
pub(crate) fn set(
    name: &str,
    value: &str,
    settings: &CookieSettings,
    host: &str,
    now: bson::DateTime,
) -> String {
    // Years beyond 9999 have no HTTP date.
    let expires = settings.max_age.and_then(chrono::TimeDelta::try_seconds).and_then(|age| {
        let now = DateTime::from_timestamp_millis(now.timestamp_millis())?;
        now.checked_add_signed(age).filter(|date| date.timestamp() < 253_402_300_800)
    });
    build(name, value, settings, host, settings.max_age, expires)
}

/// The `Set-Cookie` value that removes a cookie.
pub(crate) fn remove(name: &str, settings: &CookieSettings, host: &str) -> String {
    build(name, "", settings, host, Some(0), Some(DateTime::UNIX_EPOCH))
}

fn build(
    name: &str,
    value: &str,
    settings: &CookieSettings,
    host: &str,
    max_age: Option<i64>,
    expires: Option<DateTime<Utc>>,
) -> String {
    let mut cookie = format!("{name}={value}");
    if let Some(domain) = settings.domain.as_ref().and_then(|domain| domain.for_host(host)) {
        let _ = write!(cookie, "; Domain={domain}");
    }
    if let Some(expires) = expires {
        let _ = write!(cookie, "; Expires={}", expires.format("%a, %d %b %Y %H:%M:%S GMT"));
    }
    if let Some(max_age) = max_age {
        let _ = write!(cookie, "; Max-Age={max_age}");
    }
    if settings.secure {
        cookie.push_str("; Secure");
    }
    if settings.http_only {
        cookie.push_str("; HttpOnly");
    }
    cookie.push_str("; Path=/");
    if let Some(same_site) = &settings.same_site {
        let _ = write!(cookie, "; SameSite={same_site}");
    }
    cookie
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> bson::DateTime {
        bson::DateTime::from_millis(1_704_164_645_000)
    }

    #[test]
    fn the_default_cookie_lives_for_three_thousand_years() {
        assert_eq!(
            set("name", "token", &CookieSettings::default(), "host", noon()),
            "name=token; Expires=Mon, 16 Nov 5192 12:50:44 GMT; Max-Age=99999999999; HttpOnly; Path=/; SameSite=Lax"
        );
    }

    #[test]
    fn removal_expires_at_once() {
        assert_eq!(
            remove("name", &CookieSettings::default(), "host"),
            "name=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; HttpOnly; Path=/; SameSite=Lax"
        );
    }

    #[test]
    fn attributes_follow_the_settings() {
        let settings = CookieSettings {
            http_only: false,
            secure: true,
            domain: Some(CookieDomain::One("example.com".into())),
            same_site: None,
            max_age: None,
        };
        assert_eq!(set("n", "v", &settings, "other", noon()), "n=v; Domain=example.com; Secure; Path=/");
    }

    #[test]
    fn of_several_domains_the_first_that_fits_the_host_counts() {
        let domain = Some(CookieDomain::FirstOf(vec![".b.org".into(), ".org".into()]));
        let settings = CookieSettings { domain, max_age: None, ..CookieSettings::default() };
        assert!(set("n", "v", &settings, "app.a.org", noon()).contains("; Domain=.org;"));
        assert!(set("n", "v", &settings, "app.b.org", noon()).contains("; Domain=.b.org;"));
        assert!(!set("n", "v", &settings, "localhost", noon()).contains("Domain"));
    }

    #[test]
    fn absurd_ages_do_not_panic() {
        let settings = CookieSettings { max_age: Some(i64::MAX), ..CookieSettings::default() };
        assert!(!set("n", "v", &settings, "h", noon()).contains("Expires"));
    }
}

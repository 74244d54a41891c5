//! Which path on the file server a url names (spec 06 §4.2).

/// The parts of a url that matter here, without query and fragment.
#[derive(Debug, PartialEq)]
struct Address<'u> {
    /// Empty for a bare path.
    scheme: &'u str,
    host: &'u str,
    port: Option<&'u str>,
    path: &'u str,
}

impl<'u> Address<'u> {
    fn parse(url: &'u str) -> Self {
        let url = url.split(['?', '#']).next().unwrap_or_default();
        let Some((scheme, rest)) = url.split_once("://") else {
            return Self { scheme: "", host: "", port: None, path: url };
        };
        let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let (host, port) = match authority.rsplit_once(':') {
            // The colons inside an IPv6 address are no port.
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, Some(port)),
            _ => (authority, None),
        };
        let default_port = if scheme == "https" { "443" } else { "80" };
        Self { scheme, host, port: port.filter(|port| *port != default_port), path }
    }

    /// Whether both are on the same server. The names of this machine for itself count as one.
    fn is_on_server_of(&self, other: &Self) -> bool {
        let same_host = self.host == other.host || (is_loopback(self.host) && is_loopback(other.host));
        same_host && self.scheme == other.scheme && self.port == other.port
    }
}

fn is_loopback(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

/// The path that the url names on the file server, as it stands in the url and without outer slashes: below
/// the first matching prefix, else on the file server's own address. `None`: the url is of another server.
pub(super) fn path_on_fileserver<'u>(url: &'u str, prefixes: &[String], fileserver: &str) -> Option<&'u str> {
    let address = Address::parse(url);
    prefixes.iter().map(String::as_str).chain([fileserver]).find_map(|prefix| {
        let prefix = Address::parse(prefix);
        if !address.is_on_server_of(&prefix) {
            return None;
        }
        let base = prefix.path.trim_end_matches('/');
        let path = address.path.strip_prefix(base)?;
        (path.is_empty() || path.starts_with('/')).then(|| path.trim_matches('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lose_prefix_and_query() {
        let prefixes = ["https://", "http://files.example:8081/base/", "/files"].map(str::to_owned).to_vec();
        let path = |url| path_on_fileserver(url, &prefixes, "http://localhost:8081");
        assert_eq!(path("http://files.example:8081/base/p/t/a%20b.txt?x=1#y"), Some("p/t/a%20b.txt"));
        assert_eq!(path("http://files.example:8081/based/a"), None);
        assert_eq!(path("http://files.example/base/a"), None, "another port");
        assert_eq!(path("https://files.example:8081/base/a"), None, "another scheme");
        assert_eq!(path("/files/p/a/"), Some("p/a"));
        assert_eq!(path("/filesystem/a"), None);
        assert_eq!(path("http://localhost:8081/a%2Bb"), Some("a%2Bb"));
        assert_eq!(path("http://127.0.0.1:8081/a"), Some("a"));
        assert_eq!(path("http://localhost:8081"), Some(""));
        assert_eq!(path("http://localhost:9999/a"), None);
    }

    #[test]
    fn default_ports_do_not_matter() {
        let path = |url, server| path_on_fileserver(url, &[], server);
        assert_eq!(path("http://files:80/a", "http://files"), Some("a"));
        assert_eq!(path("https://files/a", "https://files:443/"), Some("a"));
        assert_eq!(path("https://files:80/a", "https://files"), None);
        assert_eq!(path("http://[::1]:81/a", "http://localhost:81"), Some("a"));
    }
}

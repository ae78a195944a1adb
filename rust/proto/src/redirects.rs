//! Redirects of a client's request (RFC 9110 section 15.4), which RFC 6455 section 4.1 leaves to the client.

use std::collections::VecDeque;

use url::Url;

use crate::{HttpResponse, Scheme, Target, error::RedirectProblem, fields::is_named, target::shown_url};

/// So many places are remembered, to find a circle before the limit does.
const REMEMBERED: usize = 32;
/// Stands for the host while the path of a relative reference is resolved.
const ANY_HOST: &str = "host.invalid";
/// Lines of a script that are for the place which they were written for and for no other.
const FOR_ONE_PLACE: [&str; 4] = ["Authorization", "Cookie", "Proxy-Authorization", "Host"];

/// The way of a request through redirects: where it went, and where it goes next.
#[derive(Debug)]
pub struct Redirects {
    limit: usize,
    followed: usize,
    target: Target,
    /// Asked before, the latest last.
    asked: VecDeque<Target>,
}

impl Redirects {
    /// Of a request for `target`, which may be redirected `limit` times.
    pub fn new(target: Target, limit: usize) -> Self {
        Self { limit, followed: 0, target, asked: VecDeque::new() }
    }

    /// Whether a server sends a client elsewhere with this status: 301, 302, 303, 307 and 308, which are all the same to a GET.
    pub fn is_redirect(status: u16) -> bool {
        matches!(status, 301 | 302 | 303 | 307 | 308)
    }

    /// Where the latest led, without path and credentials; `None` before the first.
    pub fn place(&self) -> Option<String> {
        let place = || format!("{}://{}", scheme_name(self.target.scheme), self.target.host_header());
        (self.followed > 0).then(place)
    }

    /// How many were followed.
    pub fn followed(&self) -> usize {
        self.followed
    }

    /// Where the answer sends the client. Where that is another host, port or scheme, the lines of `headers` that hold
    /// credentials or name the host are taken out, and so is what a user name in the URL came to.
    ///
    /// # Errors
    /// Why this redirect is not followed.
    pub fn follow(
        &mut self,
        response: &HttpResponse,
        headers: &mut Vec<String>,
    ) -> Result<&Target, RedirectProblem> {
        let next = self.next(response)?;
        if !is_same_place(&next, &self.target) {
            headers.retain(|line| !FOR_ONE_PLACE.iter().any(|name| is_named(line, name)));
        }
        self.followed += 1;
        if self.asked.len() >= REMEMBERED {
            self.asked.pop_front();
        }
        self.asked.push_back(std::mem::replace(&mut self.target, next));
        Ok(&self.target)
    }

    fn next(&self, response: &HttpResponse) -> Result<Target, RedirectProblem> {
        if self.followed >= self.limit {
            return Err(RedirectProblem::TooMany { limit: self.limit });
        }
        let next = resolve(location(response)?, &self.target)?;
        if (self.target.scheme, next.scheme) == (Scheme::Wss, Scheme::Ws) {
            return Err(RedirectProblem::Downgrade);
        }
        let is_known =
            |known: &Target| is_same_place(known, &next) && known.request_target == next.request_target;
        if is_known(&self.target) || self.asked.iter().any(is_known) {
            return Err(RedirectProblem::Circle);
        }
        Ok(next)
    }
}

/// The same scheme, host and port: what was meant for the one is meant for the other.
fn is_same_place(one: &Target, other: &Target) -> bool {
    let place = |target: &Target| (target.scheme, target.port);
    place(one) == place(other)
        && (&one.host, &one.zone, &one.socket_path) == (&other.host, &other.zone, &other.socket_path)
}

/// The one `Location` of an answer. The same one twice is one.
fn location(response: &HttpResponse) -> Result<&str, RedirectProblem> {
    let lines = response.headers.iter().filter(|line| is_named(line, "Location"));
    let mut values = lines.filter_map(|line| Some(line.split_once(':')?.1.trim()));
    let first = values.next().filter(|value| !value.is_empty()).ok_or(RedirectProblem::NoLocation)?;
    if values.all(|value| value == first) { Ok(first) } else { Err(RedirectProblem::SeveralLocations) }
}

/// Resolves a reference (RFC 3986 section 5.2). `http://` stands for `ws://`, as web servers and proxies know no other.
fn resolve(location: &str, base: &Target) -> Result<Target, RedirectProblem> {
    let refused = |problem| RedirectProblem::Location { location: shown_url(location), problem };
    let (scheme, rest) = match scheme_of(location) {
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("ws+unix") => {
            return Err(RedirectProblem::SocketFile);
        }
        Some((scheme, rest)) => (scheme, rest),
        None if location.starts_with("//") => (scheme_name(base.scheme), location),
        None => return relative(location, base).ok_or(RedirectProblem::Path),
    };
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" => "ws".to_owned(),
        "https" => "wss".to_owned(),
        other => other.to_owned(),
    };
    // What follows the colon of another scheme is not shown: it may be anything.
    let Some(rest) = rest.strip_prefix("//") else { return Err(RedirectProblem::Scheme(scheme)) };
    let next = Target::parse(&format!("{scheme}://{rest}")).map_err(refused)?;
    if base.socket_path.is_some() {
        return Err(RedirectProblem::SocketFile);
    }
    if is_same_place(&next, base) && next.authorization().is_none() {
        return Ok(at_the_same_place(base, next.request_target));
    }
    Ok(next)
}

/// Scheme and what follows its colon (RFC 3986 section 3.1).
fn scheme_of(location: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = location.split_once(':')?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme.then_some((scheme, rest))
}

fn scheme_name(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Ws => "ws",
        Scheme::Wss => "wss",
    }
}

/// Another path at the same place. `None`: it cannot be read as one.
fn relative(location: &str, base: &Target) -> Option<Target> {
    let from = Url::parse(&format!("http://{ANY_HOST}{}", base.request_target)).ok()?;
    let to = from.join(location).ok()?;
    // A backslash counts as a slash in web URLs: two of them would name a host.
    if to.host_str() != Some(ANY_HOST) || to.port().is_some() || !to.username().is_empty() {
        return None;
    }
    let query = to.query().map(|query| format!("?{query}")).unwrap_or_default();
    Some(at_the_same_place(base, format!("{}{query}", to.path())))
}

/// With the user name and password of the URL before.
fn at_the_same_place(base: &Target, request_target: String) -> Target {
    let mut target = base.clone();
    target.request_target = request_target;
    target
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::RefusedRedirect;

    fn answer(status: u16, locations: &[&str]) -> HttpResponse {
        let headers = locations.iter().map(|location| format!("location: {location}")).collect();
        HttpResponse { status, reason: "Found".to_owned(), headers, body: Vec::new() }
    }

    fn redirects(url: &str, limit: usize) -> Redirects {
        Redirects::new(Target::parse(url).unwrap(), limit)
    }

    /// Where a redirect leads, with whatever credentials go with it.
    fn led(from: &str, location: &str) -> Result<String, String> {
        let mut redirects = redirects(from, 5);
        let next = redirects.follow(&answer(302, &[location]), &mut Vec::new());
        let next = next.map_err(|problem| problem.to_string())?;
        let user = if next.authorization().is_some() { "user@" } else { "" };
        let host = next.socket_path.clone().unwrap_or_else(|| next.host_header());
        Ok(format!("{}://{user}{host}{}", scheme_name(next.scheme), next.request_target))
    }

    #[test]
    fn statuses() {
        let followed: Vec<u16> = (100..600).filter(|status| Redirects::is_redirect(*status)).collect();
        assert_eq!(followed, [301, 302, 303, 307, 308]);
    }

    #[test]
    fn where_it_leads() {
        for (from, location, to) in [
            ("ws://a/x", "ws://b/y?z=1#part", "ws://b/y?z=1"),
            ("ws://a/x", "  WS://B:9080  ", "ws://b:9080/"),
            ("ws://a/x", "http://b/y", "ws://b/y"),
            ("ws://a/x", "https://b/y", "wss://b/y"),
            ("wss://a/x", "https://b:444/y", "wss://b:444/y"),
            ("wss://a/x", "//b/y", "wss://b/y"),
            ("ws://a:81/x/y?z", "/other?q=/", "ws://a:81/other?q=/"),
            ("ws://a/x/y?z", "other", "ws://a/x/other"),
            ("ws://a/x/y", "../other/./", "ws://a/other/"),
            ("ws://a/x/y", "../../../other", "ws://a/other"),
            ("ws://a/x/y", "?q=2", "ws://a/x/y?q=2"),
            ("ws://a/x?q", "a b", "ws://a/a%20b"),
            ("ws://a/", "/ä", "ws://a/%C3%A4"),
            ("ws://a/", "/path:with/colon", "ws://a/path:with/colon"),
            ("ws://[fe80::1%25eth0]:81/", "/x", "ws://[fe80::1]:81/x"),
            ("ws+unix:/run/x:/a/b", "c", "ws:///run/x/a/c"),
        ] {
            assert_eq!(led(from, location).as_deref(), Ok(to), "{from} to {location}");
        }
    }

    #[test]
    fn where_none_leads() {
        for (from, location, words) in [
            ("wss://a/", "ws://a/x", "from wss:// to ws://"),
            ("wss://a/", "http://b/", "from wss:// to ws://"),
            ("ws://a/", "ws+unix:/run/x", "socket file"),
            ("ws://a/", "WS+UNIX:/run/x:/y", "socket file"),
            ("ws+unix:/run/x", "ws://localhost/", "socket file"),
            ("ws+unix:/run/x", "//localhost/", "socket file"),
            ("ws+unix:/run/x", "ws+unix:/run/x:/y", "socket file"),
            ("ws://a/", "ftp://b/", "the URL scheme 'ftp' is not a WebSocket one"),
            ("ws://a/", "javascript:alert(1)", "the scheme 'javascript'"),
            ("ws://a/", "http:b", "the scheme 'ws'"),
            ("ws://a/", "b:81/x", "the scheme 'b'"),
            ("ws://a/", "ws://b:99999/", "is not a valid port"),
            ("ws://a/", "ws:///x", "names no host"),
            ("ws://a/", "ws://b c/", "is not a valid host"),
            ("ws://a/", r"\\b\x", "no path"),
            ("ws://a/", r"/\b/x", "no path"),
            ("ws://a/x", "", "no Location"),
            ("ws://a/x", "#part", "circle"),
            ("ws://a/x", "x", "circle"),
            ("ws://A:80/x", "http://a/x", "circle"),
        ] {
            let problem = led(from, location).expect_err(location);
            assert!(problem.contains(words), "{from} to {location}: {problem}");
        }
        let mut redirects = redirects("ws://a/", 5);
        let mut problem =
            |locations: &[&str]| redirects.follow(&answer(302, locations), &mut Vec::new()).map(|_| ());
        assert_eq!(problem(&[]), Err(RedirectProblem::NoLocation));
        assert_eq!(problem(&["/x", "/y"]), Err(RedirectProblem::SeveralLocations));
        assert_eq!(problem(&["/x", "/x"]), Ok(()));
    }

    #[test]
    fn nothing_secret_is_shown() {
        let mut redirects = redirects("ws://ada:secret@a/?token=secret", 5);
        for location in ["ftp://ada:secret@b/?token=secret", "ws://ada:secret@b:x/?secret", "ada:secret"] {
            let refused = redirects.follow(&answer(302, &[location]), &mut Vec::new()).unwrap_err();
            assert!(!refused.to_string().contains("secret"), "{refused}");
        }
    }

    #[test]
    fn credentials_stay_where_they_were_meant_for() {
        let all =
            ["Authorization: a", "cookie: b", "X-Mine: c", "HOST: d", "Proxy-Authorization: e", "Origin: f"];
        let kept = |from: &str, location: &str| {
            let mut headers: Vec<String> = all.map(str::to_owned).into();
            let mut redirects = redirects(from, 5);
            let next = redirects.follow(&answer(307, &[location]), &mut headers).unwrap();
            (headers.len(), next.authorization().is_some())
        };
        for location in ["/x", "x", "//a:81/x", "ws://a:81/x", "http://A:81/x"] {
            assert_eq!(kept("ws://ada:secret@a:81/", location), (6, true), "{location}");
        }
        for location in ["ws://b:81/", "ws://a/", "wss://a:81/", "//b:81", "ws://a.:81/"] {
            assert_eq!(kept("ws://ada:secret@a:81/", location), (2, false), "{location}");
        }
        assert_eq!(kept("ws://a/", "ws://bob:other@b/"), (2, true), "its own");
        let mut headers = vec!["Cookie: a".to_owned()];
        let mut redirects = redirects("ws://ada:secret@a/", 5);
        redirects.follow(&answer(302, &["ws://b/"]), &mut headers).unwrap();
        let next = redirects.follow(&answer(302, &["ws://a/back"]), &mut headers).unwrap();
        assert_eq!((next.authorization(), headers.len()), (None, 0), "and do not come back");
    }

    #[test]
    fn limits() {
        let mut redirects = redirects("ws://a/0", 2);
        assert_eq!(redirects.place(), None);
        let mut headers = Vec::new();
        for path in ["/1", "/2"] {
            assert!(redirects.follow(&answer(301, &[path]), &mut headers).is_ok());
        }
        let response = answer(301, &["/3"]);
        let problem = redirects.follow(&response, &mut headers).unwrap_err();
        assert_eq!(redirects.place().as_deref(), Some("ws://a"));
        assert_eq!((redirects.followed(), &problem), (2, &RedirectProblem::TooMany { limit: 2 }));
        assert_eq!(
            RefusedRedirect { response, problem }.to_string(),
            "the server answered with HTTP status 301 Found, which is not followed: max_redirects allows 2"
        );
    }

    #[test]
    fn circles() {
        let mut redirects = redirects("ws://a/", usize::MAX);
        let mut go = |location: &str| redirects.follow(&answer(308, &[location]), &mut Vec::new()).is_ok();
        assert!(go("ws://b/") && go("ws://a/x") && !go("ws://b/") && !go("/") && !go("/x") && go("/y"));
        for step in 0..1000 {
            assert!(go(&format!("/step/{step}")));
        }
        assert!(!go("/step/999") && !go("/step/970"));
        assert!(redirects.asked.len() <= REMEMBERED);
    }
}

//! `coaps` URIs (RFC 7252 §6.2, §6.4).

use coap_lite::{CoapOption, Packet};
use fluent_uri::{Uri, component::Host, pct_enc::EStr};

use crate::Failure;

use super::DEFAULT_PORT;

const FORM: &str = "write coaps://HOST[:PORT]/PATH, such as coaps://[::1]/example_data";

/// Whether this names a resource by URI rather than a server by host and port.
pub(crate) fn is_uri(text: &str) -> bool {
    text.contains("://")
}

/// What a `coaps` URI says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Target {
    /// Where the server is, as `HOST:PORT`.
    pub(super) server: String,
    /// The host, if it is a name.
    host: Option<String>,
    path: Vec<Vec<u8>>,
    query: Vec<Vec<u8>>,
}

impl Target {
    /// Takes a URI apart, or says in a sentence what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        Self::decompose(text).map_err(|why| Failure::usage(format!("'{text}' {why}")))
    }

    fn decompose(text: &str) -> Result<Self, String> {
        let uri = Uri::parse(text).map_err(|error| format!("is not a URI ({error}): {FORM}"))?;
        match uri.scheme().as_str().to_ascii_lowercase().as_str() {
            "coaps" => {}
            "coap" => return Err("is CoAP without DTLS: write coaps:// for a server that is secured".into()),
            other => return Err(format!("has the scheme '{other}': {FORM}")),
        }
        let authority = uri.authority().filter(|authority| !authority.host().is_empty());
        let authority = authority.ok_or_else(|| format!("names no host: {FORM}"))?;
        if authority.has_userinfo() {
            return Err("names a user, which coaps:// has no place for (RFC 7252 §6.2): give --psk".into());
        }
        if uri.has_fragment() {
            return Err("has a fragment, which no request can carry (RFC 7252 §6.4)".into());
        }
        let port = authority.port_to_u16().ok().map(|port| port.unwrap_or(DEFAULT_PORT));
        let port = port.filter(|port| *port != 0).ok_or("has a port that is not 1 to 65535")?;
        let host = match authority.host_parsed() {
            Host::RegName(name) => Some(decode_host(name)?),
            Host::Ipv4(..) | Host::Ipv6(..) => None,
            _ => return Err("has an address of a kind that is unknown here".into()),
        };
        let server = format!("{}:{port}", host.as_deref().unwrap_or_else(|| authority.host()));
        let uri = uri.normalize();
        let path = split(uri.path(), '/').skip(1).collect();
        let query = uri.query().map(|query| split(query, '&').collect()).unwrap_or_default();
        let target = Self { server, host, path: without_sole_empty(path), query };
        target.check_lengths()?;
        Ok(target)
    }

    /// RFC 7252 §5.10, table 4.
    fn check_lengths(&self) -> Result<(), String> {
        if self.path.iter().chain(&self.query).any(|part| part.len() > 255) {
            return Err(
                "has a part of more than 255 bytes, which no option can carry (RFC 7252 §5.10)".into()
            );
        }
        Ok(())
    }

    /// Adds the options that name the resource (RFC 7252 §6.4).
    pub(super) fn add_options(&self, request: &mut Packet) {
        if let Some(host) = &self.host {
            request.add_option(CoapOption::UriHost, host.clone().into_bytes());
        }
        for segment in &self.path {
            request.add_option(CoapOption::UriPath, segment.clone());
        }
        for argument in &self.query {
            request.add_option(CoapOption::UriQuery, argument.clone());
        }
    }
}

fn decode_host(name: &EStr<impl fluent_uri::pct_enc::Encoder>) -> Result<String, String> {
    let host = name.decode().to_string().map_err(|_| "has a host name that is not UTF-8")?;
    if host.len() > 255 {
        return Err("has a host name of more than 255 bytes".into());
    }
    Ok(host.to_ascii_lowercase())
}

fn split<E: fluent_uri::pct_enc::Encoder>(
    text: &EStr<E>,
    delimiter: char,
) -> impl Iterator<Item = Vec<u8>> + '_ {
    text.split(delimiter).map(|part| part.decode().to_bytes().into_owned())
}

/// A path of a single slash has no segment at all (RFC 7252 §6.4, step 8).
fn without_sole_empty(path: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    if matches!(&path[..], [only] if only.is_empty()) { Vec::new() } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Options of a request for this URI, as number and value.
    fn options(uri: &str) -> Vec<(u16, String)> {
        let mut request = Packet::new();
        Target::parse(uri).unwrap().add_options(&mut request);
        let all = request.options().flat_map(|(number, values)| values.iter().map(move |v| (*number, v)));
        all.map(|(number, value)| (number, String::from_utf8_lossy(value).into_owned())).collect()
    }

    fn of(list: &[(u16, &str)]) -> Vec<(u16, String)> {
        list.iter().map(|(number, value)| (*number, (*value).to_owned())).collect()
    }

    #[test]
    fn options_of_rfc_7252_section_6_4_and_appendix_b() {
        assert_eq!(options("coaps://[2001:db8::2:1]/"), of(&[]));
        assert_eq!(options("coaps://192.0.2.1"), of(&[]));
        assert_eq!(options("coaps://example.net/"), of(&[(3, "example.net")]));
        assert_eq!(
            options("coaps://example.net/.well-known/core"),
            of(&[(3, "example.net"), (11, ".well-known"), (11, "core")])
        );
        assert_eq!(
            options("coaps://xn--18j4d.example/%E3%81%93%E3%82%93%E3%81%AB%E3%81%A1%E3%81%AF"),
            of(&[(3, "xn--18j4d.example"), (11, "こんにちは")])
        );
        assert_eq!(
            options("coaps://198.51.100.1:61616//%2F//?%2F%2F&?%26"),
            of(&[(11, ""), (11, "/"), (11, ""), (11, ""), (15, "//"), (15, "?&")])
        );
        assert_eq!(options("COAPS://EXAMPLE.com/%7Esensors"), of(&[(3, "example.com"), (11, "~sensors")]));
        assert_eq!(options("coaps://[::1]/a/./b/../c"), of(&[(11, "a"), (11, "c")]));
        assert_eq!(options("coaps://[::1]/a/"), of(&[(11, "a"), (11, "")]));
    }

    #[test]
    fn servers() {
        for (uri, server) in [
            ("coaps://example.net/x", "example.net:5684"),
            ("coaps://example.net:/x", "example.net:5684"),
            ("coaps://[::1]", "[::1]:5684"),
            ("coaps://127.0.0.1:61616/", "127.0.0.1:61616"),
        ] {
            assert_eq!(Target::parse(uri).unwrap().server, server);
        }
    }

    #[test]
    fn refusals_name_what_is_wrong() {
        let long = format!("coaps://[::1]/{}", "x".repeat(256));
        for (uri, says) in [
            ("coap://[::1]/", "without DTLS"),
            ("https://example.net/", "the scheme 'https'"),
            ("coaps:///path", "names no host"),
            ("coaps://user@[::1]/", "names a user"),
            ("coaps://[::1]/#top", "a fragment"),
            ("coaps://[::1]:65536/", "a port that is not 1 to 65535"),
            ("coaps://[::1]:0/", "a port that is not 1 to 65535"),
            ("coaps://[::1/", "is not a URI"),
            ("coaps://example.net/a b", "is not a URI"),
            ("coaps://example.net/%zz", "is not a URI"),
            ("coaps://[v1.x]/", "of a kind that is unknown"),
            (&long, "more than 255 bytes"),
        ] {
            let failure = Target::parse(uri).unwrap_err();
            assert!(failure.code() == 2 && failure.to_string().contains(says), "{uri}: {failure}");
        }
    }
}

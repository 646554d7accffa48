//! The arguments of a CoAP client.

use core::{str::FromStr, time::Duration};

use clap::{Args, ValueEnum};
use coap_lite::RequestType;

use crate::Failure;

/// What to ask of a resource.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "CoAP, with coaps://")]
pub(crate) struct CoapArgs {
    /// What to do with the resource [default: get].
    #[arg(long, value_enum)]
    pub(crate) method: Option<Method>,
    /// Text to send to the resource, for put and post.
    #[arg(long, value_name = "TEXT")]
    pub(crate) payload: Option<String>,
    /// Print the resource now and whenever it changes: so many times, such as 3, or for so many seconds, such as 60s.
    #[arg(long, value_name = "COUNT|SECONDSs")]
    pub(crate) observe: Option<Until>,
}

/// A method of RFC 7252 §5.8.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Method {
    /// Read it.
    Get,
    /// Create or replace it.
    Put,
    /// Add to it.
    Post,
    /// Remove it.
    Delete,
}

/// When to stop observing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Until {
    /// After so many representations.
    Count(u32),
    /// After so much time.
    Elapsed(Duration),
}

impl CoapArgs {
    /// Refuses what only makes sense with `coaps://`.
    pub(crate) fn refuse(&self) -> Result<(), Failure> {
        let given = [
            (self.method.is_some(), "--method"),
            (self.payload.is_some(), "--payload"),
            (self.observe.is_some(), "--observe"),
        ];
        match given.into_iter().find(|(given, _)| *given) {
            Some((_, name)) => Err(Failure::usage(format!(
                "{name} is for CoAP: name the server as coaps://HOST[:PORT]/PATH, or leave it out"
            ))),
            None => Ok(()),
        }
    }

    /// The method, if the other arguments go with it.
    pub(crate) fn method(&self) -> Result<Method, Failure> {
        let method = self.method.unwrap_or(Method::Get);
        let takes_payload = matches!(method, Method::Put | Method::Post);
        if self.payload.is_some() && !takes_payload {
            return Err(Failure::usage("--payload is sent with --method put or --method post only"));
        }
        if self.observe.is_some() && method != Method::Get {
            return Err(Failure::usage("--observe goes with --method get only"));
        }
        Ok(method)
    }
}

impl From<Method> for RequestType {
    fn from(method: Method) -> Self {
        match method {
            Method::Get => Self::Get,
            Method::Put => Self::Put,
            Method::Post => Self::Post,
            Method::Delete => Self::Delete,
        }
    }
}

impl FromStr for Until {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let why = "not a count, such as 3, or a number of seconds, such as 60s";
        let number = |digits: &str| digits.parse().ok().filter(|n| (1..=86_400).contains(n)).ok_or(why);
        match text.strip_suffix('s') {
            Some(seconds) => number(seconds).map(|n: u32| Self::Elapsed(Duration::from_secs(n.into()))),
            None => number(text).map(Self::Count),
        }
    }
}

//! What the server has to offer: a text, a directory, and resources that anyone with a session may read, write and remove.

use core::fmt::Write;
use std::collections::BTreeMap;

use coap_lite::{CoapOption, ContentFormat, Packet, RequestType, ResponseType};
use fluent_uri::pct_enc::{
    EString,
    encoder::{Data, Path},
};

const WELCOME: &str =
    "A small CoAP server over DTLS. See /.well-known/core for what is here; /example_data can be written.\n";
const DIRECTORY: &str = "/.well-known/core";
/// Resources that can be there at a time, and how large each and its path can be, in bytes: peers fill them.
const MOST: usize = 64;
const LARGEST: usize = 1024;
const LONGEST_PATH: usize = 255;

/// The resources of a server.
#[derive(Debug)]
pub(super) struct Resources(BTreeMap<String, Representation>);

/// A resource's content.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Representation {
    pub(super) payload: Vec<u8>,
    /// The value of the Content-Format option, if there is one.
    pub(super) format: Option<Vec<u8>>,
}

/// What came of a request.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Answer {
    pub(super) code: ResponseType,
    pub(super) body: Representation,
    /// Whether there is something else to read now.
    pub(super) changed: bool,
}

impl Resources {
    /// The resources at the start.
    pub(super) fn new() -> Self {
        let text = Representation { payload: b"21.5 C".to_vec(), format: Some(Vec::new()) };
        Self(BTreeMap::from([("/example_data".into(), text)]))
    }

    /// Whether `path` names something that changes and can be observed.
    pub(super) fn is_observable(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// Reads.
    pub(super) fn get(&self, path: &str) -> Answer {
        let text = |payload: String, format: ContentFormat| Representation {
            payload: payload.into_bytes(),
            format: Some(uint(usize::from(format))),
        };
        let body = match path {
            "/" => Some(text(WELCOME.into(), ContentFormat::TextPlain)),
            DIRECTORY => Some(text(self.directory(), ContentFormat::ApplicationLinkFormat)),
            _ => self.0.get(path).cloned(),
        };
        match body {
            Some(body) => Answer { code: ResponseType::Content, body, changed: false },
            None => Answer::refusal(ResponseType::NotFound, ""),
        }
    }

    /// Does what a request asks for.
    pub(super) fn handle(&mut self, method: RequestType, path: &str, request: &Packet) -> Answer {
        let answer = match method {
            RequestType::Get => self.get(path),
            _ if path == "/" || path == DIRECTORY => Answer::refusal(ResponseType::MethodNotAllowed, ""),
            RequestType::Put => self.write(path, representation_of(request)),
            RequestType::Post => {
                let mut body = self.0.get(path).cloned().unwrap_or_default();
                body.payload.extend(&request.payload);
                body.format = body.format.or_else(|| representation_of(request).format);
                self.write(path, body)
            }
            RequestType::Delete => {
                // Gone is gone, whether it was there or not (RFC 7252 §5.8.4).
                let changed = self.0.remove(path).is_some();
                Answer { code: ResponseType::Deleted, body: Representation::default(), changed }
            }
            _ => Answer::refusal(ResponseType::MethodNotAllowed, ""),
        };
        let wanted = request.get_first_option(CoapOption::Accept);
        if answer.code == ResponseType::Content
            && wanted.is_some_and(|w| answer.body.format.as_ref() != Some(w))
        {
            return Answer::refusal(ResponseType::NotAcceptable, "");
        }
        answer
    }

    fn write(&mut self, path: &str, body: Representation) -> Answer {
        if body.payload.len() > LARGEST {
            let why = format!("at most {LARGEST} bytes");
            return Answer::refusal(ResponseType::RequestEntityTooLarge, &why);
        }
        let old = self.0.get(path);
        if old.is_none() && (self.0.len() >= MOST || path.len() > LONGEST_PATH) {
            return Answer::refusal(ResponseType::Forbidden, "too many resources, or too long a path");
        }
        let (code, changed) = match old {
            None => (ResponseType::Created, true),
            Some(old) => (ResponseType::Changed, *old != body),
        };
        self.0.insert(path.into(), body);
        Answer { code, body: Representation::default(), changed }
    }

    /// Links to the resources (RFC 6690), as many as fit into one message.
    fn directory(&self) -> String {
        let mut links = String::from("</>;ct=0");
        for (path, body) in &self.0 {
            let mut link = format!(",<{path}>;obs");
            if let Some(format) = body.format.as_ref().filter(|format| format.len() <= 2) {
                let number = format.iter().fold(0u16, |n, byte| n << 8 | u16::from(*byte));
                // Writing to a string does not fail.
                let _ = write!(link, ";ct={number}");
            }
            if links.len() + link.len() > LARGEST {
                break;
            }
            links.push_str(&link);
        }
        links
    }
}

impl Answer {
    /// An error with a sentence for people (RFC 7252 §5.5.2).
    pub(super) fn refusal(code: ResponseType, why: &str) -> Self {
        let body = Representation { payload: why.as_bytes().to_vec(), format: None };
        Self { code, body, changed: false }
    }
}

/// The path of a request, percent-encoded as in a URI (RFC 7252 §6.5); `None` if it is not UTF-8.
pub(super) fn path_of(request: &Packet) -> Option<String> {
    let mut path = EString::<Path>::new();
    for segment in request.get_option(CoapOption::UriPath).into_iter().flatten() {
        path.push('/');
        path.encode_str::<Data>(core::str::from_utf8(segment).ok()?);
    }
    Some(if path.is_empty() { "/".into() } else { path.into_string() })
}

fn representation_of(request: &Packet) -> Representation {
    let format = request.get_first_option(CoapOption::ContentFormat).filter(|value| value.len() <= 2);
    Representation { payload: request.payload.clone(), format: format.cloned() }
}

/// A number as the value of an option (RFC 7252 §3.2).
fn uint(number: usize) -> Vec<u8> {
    number.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect()
}

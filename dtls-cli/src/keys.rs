//! Pre-shared keys from arguments and files. No message of this module shows a key.

use std::{fs, path::Path};

use zeroize::Zeroizing;

use crate::Failure;

/// An identity and its key.
pub(crate) struct Key {
    pub(crate) identity: String,
    pub(crate) secret: Zeroizing<Vec<u8>>,
}

const FORM: &str = "write ID=HEX, such as sensor=0123456789abcdef, or ID=text:TEXT";

/// All keys of the arguments, then those of the file.
pub(crate) fn read(arguments: &[String], file: Option<&Path>) -> Result<Vec<Key>, Failure> {
    let mut keys = Vec::new();
    for argument in arguments {
        keys.push(parse(argument).map_err(|why| Failure::usage(format!("--psk: {why}")))?);
    }
    if let Some(path) = file {
        let name = path.display();
        let unreadable = |why: &dyn core::fmt::Display| {
            Failure::usage(format!("the key file {name} cannot be read: {why}"))
        };
        let bytes = Zeroizing::new(fs::read(path).map_err(|error| unreadable(&error))?);
        let text = core::str::from_utf8(&bytes).map_err(|_| unreadable(&"it is not UTF-8 text"))?;
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if !line.is_empty() && !line.starts_with('#') {
                let at = |why| Failure::usage(format!("line {number} of the key file {name}: {why}"));
                keys.push(parse(line).map_err(at)?);
            }
        }
    }
    if keys.is_empty() {
        return Err(Failure::usage(format!(
            "no pre-shared key is given: add --psk or --psk-file, and {FORM}"
        )));
    }
    Ok(keys)
}

fn parse(text: &str) -> Result<Key, String> {
    // What has no '=' may be a bare key: it is not repeated.
    let (identity, value) = text.split_once('=').ok_or_else(|| format!("there is no '=': {FORM}"))?;
    let secret = match value.strip_prefix("text:") {
        Some(text) => text.as_bytes().to_vec(),
        None => hex::decode(value).map_err(|error| {
            let why = match error {
                hex::FromHexError::InvalidHexCharacter { index, .. } => {
                    format!("character {} is no hexadecimal digit", index + 1)
                }
                _ => "it has an odd number of hexadecimal digits".into(),
            };
            format!("the key of identity '{identity}' is not hexadecimal, {why}: {FORM}")
        })?,
    };
    if secret.is_empty() || secret.len() > dtls_core::MAX_PSK_LEN {
        let max = dtls_core::MAX_PSK_LEN;
        return Err(format!("the key of identity '{identity}' has {} bytes: give 1 to {max}", secret.len()));
    }
    Ok(Key { identity: identity.into(), secret: Zeroizing::new(secret) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        parse(text).err().unwrap()
    }

    #[test]
    fn hexadecimal_and_text() {
        let key = parse("sensor=00fF").unwrap();
        assert_eq!((key.identity.as_str(), &key.secret[..]), ("sensor", &[0, 255][..]));
        let key = parse("a=text:x=y").unwrap();
        assert_eq!((key.identity.as_str(), &key.secret[..]), ("a", &b"x=y"[..]));
        assert_eq!(parse("=text:anyone").unwrap().identity, "");
    }

    #[test]
    fn refusals_say_what_is_wrong_and_never_the_key() {
        for (text, says) in [
            ("5ec4e7", "no '='"),
            ("id=5ec4e7f", "odd number"),
            ("id=5ec4e7zz", "character 7 is no hexadecimal digit"),
            ("id=", "has 0 bytes: give 1 to 256"),
            ("id=text:", "has 0 bytes"),
        ] {
            let why = refusal(text);
            assert!(why.contains(says) && !why.contains("5ec4e7"), "{text}: {why}");
        }
        assert!(refusal(&format!("id={}", "00".repeat(257))).contains("has 257 bytes"));
    }
}

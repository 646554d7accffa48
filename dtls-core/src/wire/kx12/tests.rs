use proptest::prelude::*;

use super::*;
use crate::wire::properties::{bytes, hostile};

/// ServerKeyExchange of OpenSSL 3.0, PSK.
const OPENSSL_HINT: &[u8] = &[0x00, 0x04, 0x68, 0x69, 0x6e, 0x74];

/// ClientKeyExchange of OpenSSL 3.0, PSK.
const OPENSSL_IDENTITY: &[u8] =
    &[0x00, 0x0f, 0x43, 0x6c, 0x69, 0x65, 0x6e, 0x74, 0x5f, 0x69, 0x64, 0x65, 0x6e, 0x74, 0x69, 0x74, 0x79];

/// ServerKeyExchange of OpenSSL 3.0, ECDHE_PSK with X25519 and no hint.
const OPENSSL_X25519_PARAMS: &[u8] = &[
    0x00, 0x00, 0x03, 0x00, 0x1d, 0x20, 0x60, 0x77, 0x64, 0xa8, 0x73, 0x3a, 0xf0, 0xe3, 0xfd, 0xaa, 0x66,
    0xe6, 0xf5, 0x44, 0xe6, 0x76, 0xe7, 0xa1, 0xe8, 0x4c, 0xd5, 0xae, 0xe5, 0x94, 0x9a, 0xf3, 0xa9, 0xae,
    0x02, 0xd6, 0x64, 0x1a,
];

/// ClientKeyExchange of OpenSSL 3.0, ECDHE_PSK with X25519.
const OPENSSL_X25519_IDENTITY: &[u8] = &[
    0x00, 0x0f, 0x43, 0x6c, 0x69, 0x65, 0x6e, 0x74, 0x5f, 0x69, 0x64, 0x65, 0x6e, 0x74, 0x69, 0x74, 0x79,
    0x20, 0x62, 0x74, 0xac, 0x90, 0xb7, 0x93, 0xd8, 0x72, 0xd0, 0xb2, 0xdb, 0x65, 0x2f, 0x42, 0xdf, 0x3a,
    0xfc, 0xa9, 0x89, 0x61, 0x57, 0x6d, 0x5f, 0x6a, 0xde, 0x4f, 0x8c, 0xe5, 0x53, 0x09, 0x62, 0x40,
];

/// ServerKeyExchange of GnuTLS, ECDHE_PSK with P-256.
const GNUTLS_P256_PARAMS: &[u8] = &[
    0x00, 0x04, 0x68, 0x69, 0x6e, 0x74, 0x03, 0x00, 0x17, 0x41, 0x04, 0x11, 0x74, 0x6d, 0xea, 0xd7, 0x5c,
    0x62, 0x78, 0x52, 0xdb, 0x19, 0x8e, 0x6a, 0x35, 0x14, 0x0d, 0x48, 0xb9, 0x1e, 0xc2, 0x29, 0x39, 0x21,
    0xd1, 0x69, 0xee, 0x22, 0xd1, 0xb7, 0x98, 0xb1, 0x2c, 0xd0, 0x7f, 0x49, 0xfc, 0xa7, 0xc7, 0xa0, 0xe7,
    0xab, 0x85, 0x29, 0x7e, 0xfe, 0x41, 0x1a, 0x4c, 0x10, 0xf2, 0xc1, 0x5e, 0x16, 0xa9, 0x50, 0x5a, 0xb8,
    0x9e, 0x5a, 0x65, 0xc7, 0x35, 0xb4, 0xaf,
];

/// ClientKeyExchange of GnuTLS, ECDHE_PSK with P-256.
const GNUTLS_P256_IDENTITY: &[u8] = &[
    0x00, 0x0f, 0x43, 0x6c, 0x69, 0x65, 0x6e, 0x74, 0x5f, 0x69, 0x64, 0x65, 0x6e, 0x74, 0x69, 0x74, 0x79,
    0x41, 0x04, 0xb3, 0x19, 0x09, 0x7e, 0xf7, 0x3f, 0x29, 0x00, 0xfa, 0x46, 0xca, 0x60, 0xb8, 0x5d, 0x9e,
    0xcb, 0x30, 0x8c, 0x52, 0x8b, 0x98, 0x81, 0x5a, 0xb2, 0x7b, 0x5a, 0x53, 0xa2, 0x2e, 0x8e, 0x5c, 0xc1,
    0xd5, 0xc2, 0xb5, 0x40, 0x68, 0xc2, 0xd2, 0x1e, 0x54, 0x20, 0x55, 0x1f, 0xcc, 0xa2, 0xa4, 0xaa, 0x5e,
    0x3d, 0xcb, 0x0a, 0x9e, 0x2e, 0x41, 0xaa, 0xde, 0x2b, 0xbc, 0xe6, 0xae, 0x8c, 0x20, 0xab,
];

#[test]
fn messages_of_other_implementations_are_read_and_written_alike() {
    assert_eq!(PskHint::parse(OPENSSL_HINT), Ok(PskHint { hint: b"hint" }));
    assert_eq!(PskIdentity::parse(OPENSSL_IDENTITY), Ok(PskIdentity { identity: b"Client_identity" }));

    let params = EcdhePskParams::parse(OPENSSL_X25519_PARAMS).unwrap();
    assert_eq!((params.hint, params.group, params.public_key.len()), (&b""[..], NamedGroup::X25519, 32));
    let params = EcdhePskParams::parse(GNUTLS_P256_PARAMS).unwrap();
    assert_eq!(
        (params.hint, params.group, params.public_key.len()),
        (&b"hint"[..], NamedGroup::SECP256R1, 65)
    );

    let identity = EcdhePskIdentity::parse(OPENSSL_X25519_IDENTITY).unwrap();
    assert_eq!((identity.identity, identity.public_key.len()), (&b"Client_identity"[..], 32));
    let identity = EcdhePskIdentity::parse(GNUTLS_P256_IDENTITY).unwrap();
    assert_eq!((identity.identity, identity.public_key.len()), (&b"Client_identity"[..], 65));

    assert_canonical!(PskHint, OPENSSL_HINT);
    assert_canonical!(PskIdentity, OPENSSL_IDENTITY);
    assert_canonical!(EcdhePskParams, OPENSSL_X25519_PARAMS);
    assert_canonical!(EcdhePskParams, GNUTLS_P256_PARAMS);
    assert_canonical!(EcdhePskIdentity, OPENSSL_X25519_IDENTITY);
    assert_canonical!(EcdhePskIdentity, GNUTLS_P256_IDENTITY);
}

#[test]
fn only_named_curves_are_read() {
    for curve_type in [0, 1, 2, 4, 248, 255] {
        let params = [0, 0, curve_type, 0, 0x1d, 1, 9];
        assert_eq!(EcdhePskParams::parse(&params), Err(DecodeError::Value));
    }
}

#[test]
fn a_group_without_a_name_is_kept() {
    let params = EcdhePskParams::parse(&[0, 0, 3, 0xab, 0xcd, 1, 9]).unwrap();
    assert_eq!(params, EcdhePskParams { hint: &[], group: NamedGroup(0xabcd), public_key: &[9] });
}

#[test]
fn an_empty_point_is_refused() {
    assert_eq!(EcdhePskParams::parse(&[0, 0, 3, 0, 0x1d, 0]), Err(DecodeError::Length));
    assert_eq!(EcdhePskIdentity::parse(&[0, 1, b'x', 0]), Err(DecodeError::Length));
}

#[test]
fn empty_hint_and_identity_are_read() {
    assert_eq!(PskHint::parse(&[0, 0]), Ok(PskHint { hint: &[] }));
    assert_eq!(PskIdentity::parse(&[0, 0]), Ok(PskIdentity { identity: &[] }));
}

#[test]
fn server_hello_done_is_empty() {
    assert_eq!(parse_server_hello_done(&[]), Ok(()));
    assert_eq!(parse_server_hello_done(&[0]), Err(DecodeError::Trailing));
}

proptest! {
    #[test]
    fn what_is_written_reads_back(name in bytes(0..=300), key in bytes(1..=255), group: u16) {
        assert_round_trip!(PskHint, PskHint { hint: &name });
        assert_round_trip!(PskIdentity, PskIdentity { identity: &name });
        assert_round_trip!(EcdhePskIdentity, EcdhePskIdentity { identity: &name, public_key: &key });
        let group = NamedGroup(group);
        assert_round_trip!(EcdhePskParams, EcdhePskParams { hint: &name, group, public_key: &key });
    }

    #[test]
    fn what_is_accepted_is_canonical(
        body in hostile(&[OPENSSL_HINT, OPENSSL_X25519_PARAMS, GNUTLS_P256_PARAMS, GNUTLS_P256_IDENTITY]),
    ) {
        assert_canonical!(PskHint, &body);
        assert_canonical!(PskIdentity, &body);
        assert_canonical!(EcdhePskParams, &body);
        assert_canonical!(EcdhePskIdentity, &body);
        prop_assert_eq!(parse_server_hello_done(&body).is_ok(), body.is_empty());
    }
}

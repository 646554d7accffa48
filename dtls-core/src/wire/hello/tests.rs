use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::wire::{
    codec::encode_to_vec,
    properties::{bytes, hostile, owned_extensions, u16_list},
};

/// ClientHello of OpenSSL 3.0 for PSK-AES128-CCM8, with a cookie.
const OPENSSL_CLIENT_HELLO: &[u8] = &[
    0xfe, 0xfd, 0x1e, 0x08, 0x32, 0x93, 0xeb, 0x04, 0x7f, 0xf4, 0xc2, 0x78, 0x6c, 0x25, 0xb9, 0xf0, 0x5d,
    0xc7, 0xfb, 0x64, 0x6d, 0xc7, 0xfe, 0x9b, 0x0c, 0x4d, 0xee, 0xee, 0xff, 0xc6, 0x69, 0x67, 0xcc, 0x46,
    0x00, 0x14, 0xbb, 0x0e, 0x17, 0x74, 0x33, 0x6e, 0xc4, 0x09, 0x43, 0x5b, 0x44, 0xc0, 0xba, 0x43, 0xe0,
    0x04, 0xa7, 0xf6, 0x0b, 0xf5, 0x00, 0x04, 0xc0, 0xa8, 0x00, 0xff, 0x01, 0x00, 0x00, 0x40, 0x00, 0x23,
    0x00, 0x00, 0x00, 0x16, 0x00, 0x00, 0x00, 0x17, 0x00, 0x00, 0x00, 0x0d, 0x00, 0x30, 0x00, 0x2e, 0x04,
    0x03, 0x05, 0x03, 0x06, 0x03, 0x08, 0x07, 0x08, 0x08, 0x08, 0x09, 0x08, 0x0a, 0x08, 0x0b, 0x08, 0x04,
    0x08, 0x05, 0x08, 0x06, 0x04, 0x01, 0x05, 0x01, 0x06, 0x01, 0x03, 0x03, 0x02, 0x03, 0x03, 0x01, 0x02,
    0x01, 0x03, 0x02, 0x02, 0x02, 0x04, 0x02, 0x05, 0x02, 0x06, 0x02,
];

/// First ClientHello of tinydtls.
const TINYDTLS_CLIENT_HELLO: &[u8] = &[
    0xfe, 0xfd, 0x86, 0x1b, 0xed, 0x12, 0x6c, 0x53, 0xb7, 0x94, 0x2a, 0x05, 0xbc, 0x95, 0xf9, 0xbf, 0xae,
    0x20, 0x67, 0xab, 0x92, 0xe7, 0xc2, 0x5b, 0x46, 0xa9, 0x5a, 0x6e, 0x8c, 0xd9, 0x76, 0x6e, 0x6a, 0xa6,
    0x00, 0x00, 0x00, 0x06, 0xc0, 0xa8, 0xc0, 0xa4, 0x00, 0xff, 0x01, 0x00, 0x00, 0x04, 0x00, 0x17, 0x00,
    0x00,
];

/// The same client's second ClientHello.
const TINYDTLS_CLIENT_HELLO_WITH_COOKIE: &[u8] = &[
    0xfe, 0xfd, 0x86, 0x1b, 0xed, 0x12, 0x6c, 0x53, 0xb7, 0x94, 0x2a, 0x05, 0xbc, 0x95, 0xf9, 0xbf, 0xae,
    0x20, 0x67, 0xab, 0x92, 0xe7, 0xc2, 0x5b, 0x46, 0xa9, 0x5a, 0x6e, 0x8c, 0xd9, 0x76, 0x6e, 0x6a, 0xa6,
    0x00, 0x14, 0xbd, 0xf5, 0x8e, 0x7c, 0x1b, 0xf2, 0x01, 0x30, 0xd4, 0xbc, 0xf3, 0xc6, 0x43, 0x91, 0x8b,
    0x2d, 0x25, 0xfb, 0x57, 0x33, 0x00, 0x06, 0xc0, 0xa8, 0xc0, 0xa4, 0x00, 0xff, 0x01, 0x00, 0x00, 0x04,
    0x00, 0x17, 0x00, 0x00,
];

/// First ClientHello of GnuTLS in coap-client, which offers ECDHE_PSK.
const GNUTLS_CLIENT_HELLO: &[u8] = &[
    0xfe, 0xfd, 0x3d, 0xed, 0xb3, 0xc5, 0x0f, 0x26, 0x4b, 0x85, 0xf2, 0x39, 0xb8, 0x04, 0x50, 0xb9, 0x3f,
    0xc3, 0xcf, 0x36, 0xa7, 0xeb, 0x4d, 0xeb, 0x50, 0x22, 0xd1, 0x3c, 0x14, 0xc5, 0x1d, 0xf9, 0xb7, 0x74,
    0x00, 0x00, 0x00, 0x1a, 0xcc, 0xac, 0xc0, 0x36, 0xc0, 0x35, 0xc0, 0x37, 0x00, 0xa9, 0xcc, 0xab, 0xc0,
    0xa5, 0x00, 0x8d, 0x00, 0xa8, 0xc0, 0xa4, 0x00, 0x8c, 0x00, 0xae, 0xc0, 0xa8, 0x01, 0x00, 0x00, 0x6f,
    0x00, 0x0a, 0x00, 0x16, 0x00, 0x14, 0x00, 0x17, 0x00, 0x18, 0x00, 0x19, 0x00, 0x1d, 0x00, 0x1e, 0x01,
    0x00, 0x01, 0x01, 0x01, 0x02, 0x01, 0x03, 0x01, 0x04, 0x00, 0x0b, 0x00, 0x02, 0x01, 0x00, 0x00, 0x0d,
    0x00, 0x22, 0x00, 0x20, 0x04, 0x01, 0x08, 0x09, 0x08, 0x04, 0x04, 0x03, 0x08, 0x07, 0x05, 0x01, 0x08,
    0x0a, 0x08, 0x05, 0x05, 0x03, 0x08, 0x08, 0x06, 0x01, 0x08, 0x0b, 0x08, 0x06, 0x06, 0x03, 0x02, 0x01,
    0x02, 0x03, 0x00, 0x16, 0x00, 0x00, 0x00, 0x17, 0x00, 0x00, 0x00, 0x23, 0x00, 0x00, 0xff, 0x01, 0x00,
    0x01, 0x00, 0x00, 0x00, 0x00, 0x0e, 0x00, 0x0c, 0x00, 0x00, 0x09, 0x31, 0x32, 0x37, 0x2e, 0x30, 0x2e,
    0x30, 0x2e, 0x31, 0x00, 0x1c, 0x00, 0x02, 0x40, 0x00,
];

/// ServerHello of OpenSSL 3.0 to the hello above.
const OPENSSL_SERVER_HELLO: &[u8] = &[
    0xfe, 0xfd, 0x2a, 0xe3, 0xdc, 0xd6, 0xf0, 0xc2, 0x95, 0xf7, 0xe4, 0x65, 0xf8, 0x1b, 0x5d, 0xda, 0x9d,
    0x26, 0x4b, 0x6f, 0x51, 0x7e, 0x16, 0x0b, 0xcc, 0x4e, 0x6b, 0x26, 0x40, 0x02, 0xa7, 0x6e, 0x18, 0x6b,
    0x00, 0xc0, 0xa8, 0x00, 0x00, 0x0d, 0xff, 0x01, 0x00, 0x01, 0x00, 0x00, 0x23, 0x00, 0x00, 0x00, 0x17,
    0x00, 0x00,
];

/// ServerHello of wolfSSL.
const WOLFSSL_SERVER_HELLO: &[u8] = &[
    0xfe, 0xfd, 0xab, 0x39, 0xc3, 0x51, 0x8c, 0x24, 0xaa, 0x84, 0x26, 0xb9, 0x12, 0x13, 0x1d, 0x75, 0xa5,
    0x02, 0x23, 0xed, 0x36, 0xaa, 0x0c, 0xc0, 0xcb, 0x2f, 0xb9, 0x8d, 0xe1, 0x41, 0xc6, 0x27, 0xf3, 0x6e,
    0x00, 0xc0, 0xa8, 0x00, 0x00, 0x13, 0x00, 0x23, 0x00, 0x00, 0xff, 0x01, 0x00, 0x01, 0x00, 0x00, 0x0b,
    0x00, 0x02, 0x01, 0x00, 0x00, 0x17, 0x00, 0x00,
];

/// ServerHello of GnuTLS to the hello above.
const GNUTLS_SERVER_HELLO: &[u8] = &[
    0xfe, 0xfd, 0xee, 0x33, 0xa6, 0x4d, 0x01, 0xf8, 0xb7, 0xdd, 0x27, 0xf5, 0xdf, 0x03, 0xcc, 0xba, 0xde,
    0x37, 0x87, 0x80, 0x2c, 0x5b, 0x92, 0x6a, 0xcf, 0xd6, 0xa9, 0xe2, 0x50, 0xfa, 0x8c, 0xd5, 0xd1, 0xb3,
    0x20, 0x3b, 0x92, 0xd9, 0x28, 0x70, 0xcd, 0x98, 0xab, 0xe6, 0x3c, 0xcd, 0x02, 0xc2, 0x37, 0xfe, 0xd5,
    0x21, 0xa4, 0x39, 0xed, 0xca, 0x63, 0x2c, 0x65, 0x41, 0x60, 0x17, 0xa3, 0x7f, 0xef, 0x98, 0x98, 0xcc,
    0xac, 0x00, 0x00, 0x15, 0x00, 0x0b, 0x00, 0x02, 0x01, 0x00, 0x00, 0x17, 0x00, 0x00, 0xff, 0x01, 0x00,
    0x01, 0x00, 0x00, 0x1c, 0x00, 0x02, 0x40, 0x00,
];

/// HelloVerifyRequest of OpenSSL 3.0 to tinydtls.
const OPENSSL_HELLO_VERIFY_REQUEST: &[u8] = &[
    0xfe, 0xff, 0x14, 0xbd, 0xf5, 0x8e, 0x7c, 0x1b, 0xf2, 0x01, 0x30, 0xd4, 0xbc, 0xf3, 0xc6, 0x43, 0x91,
    0x8b, 0x2d, 0x25, 0xfb, 0x57, 0x33,
];

fn suites(hello: &ClientHello<'_>) -> Vec<CipherSuite> {
    hello.suites.iter().map(CipherSuite).collect()
}

fn write_client(hello: &ClientHello<'_>) -> Vec<u8> {
    encode_to_vec(|w| hello.write(w)).unwrap()
}

fn write_server(hello: &ServerHello<'_>) -> Vec<u8> {
    encode_to_vec(|w| hello.write(w)).unwrap()
}

#[test]
fn an_openssl_hello_is_read() {
    let hello = ClientHello::parse(OPENSSL_CLIENT_HELLO).unwrap();
    assert_eq!(hello.version, ProtocolVersion::DTLS1_2);
    assert_eq!(hello.random[..], OPENSSL_CLIENT_HELLO[2..34]);
    assert_eq!(hello.session_id, []);
    assert_eq!(hello.cookie, &OPENSSL_CLIENT_HELLO[36..56]);
    assert_eq!(
        suites(&hello),
        [CipherSuite::TLS_PSK_WITH_AES_128_CCM_8, CipherSuite::TLS_EMPTY_RENEGOTIATION_INFO_SCSV]
    );
    assert_eq!(hello.compression, [0]);
    // session_ticket, encrypt_then_mac and signature_algorithms are not in the table.
    let expected = Extensions { extended_master_secret: true, unknown: true, ..Extensions::default() };
    assert_eq!(hello.extensions, expected);
}

#[test]
fn a_gnutls_hello_is_read() {
    let hello = ClientHello::parse(GNUTLS_CLIENT_HELLO).unwrap();
    assert_eq!(hello.cookie, []);
    assert_eq!(suites(&hello).len(), 13);
    assert!(hello.suites.contains(CipherSuite::TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256.0));
    let groups: Vec<u16> = hello.extensions.supported_groups.unwrap().iter().collect();
    assert_eq!(groups, [0x17, 0x18, 0x19, 0x1d, 0x1e, 0x100, 0x101, 0x102, 0x103, 0x104]);
    assert_eq!(hello.extensions.ec_point_formats, Some(&[0][..]));
    assert!(hello.extensions.extended_master_secret);
    assert_eq!(hello.extensions.renegotiation_info, Some(&[][..]));
    assert!(hello.extensions.unknown);
}

#[test]
fn a_hello_is_repeated_with_a_cookie_as_another_client_does() {
    let first = ClientHello::parse(TINYDTLS_CLIENT_HELLO).unwrap();
    assert_eq!(write_client(&first), TINYDTLS_CLIENT_HELLO);
    let request = HelloVerifyRequest::parse(OPENSSL_HELLO_VERIFY_REQUEST).unwrap();
    let second = ClientHello { cookie: request.cookie, ..first };
    assert_eq!(write_client(&second), TINYDTLS_CLIENT_HELLO_WITH_COOKIE);
}

#[test]
fn server_hellos_of_other_implementations_are_read() {
    let hello = ServerHello::parse(OPENSSL_SERVER_HELLO).unwrap();
    assert_eq!((hello.version, hello.compression), (ProtocolVersion::DTLS1_2, 0));
    assert_eq!(hello.random[..], OPENSSL_SERVER_HELLO[2..34]);
    assert_eq!(hello.session_id, []);
    assert_eq!(hello.suite, CipherSuite::TLS_PSK_WITH_AES_128_CCM_8);
    let ticket_and = Extensions {
        extended_master_secret: true,
        renegotiation_info: Some(&[]),
        unknown: true,
        ..Extensions::default()
    };
    assert_eq!(hello.extensions, ticket_and);

    let hello = ServerHello::parse(WOLFSSL_SERVER_HELLO).unwrap();
    assert_eq!(hello.extensions, Extensions { ec_point_formats: Some(&[0]), ..ticket_and });

    let hello = ServerHello::parse(GNUTLS_SERVER_HELLO).unwrap();
    assert_eq!(hello.session_id.len(), 32);
    assert_eq!(hello.suite, CipherSuite::TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256);
    // All but record_size_limit, the last, is written as GnuTLS does.
    let mut expected = GNUTLS_SERVER_HELLO[..GNUTLS_SERVER_HELLO.len() - 6].to_vec();
    expected[71] -= 6;
    assert_eq!(write_server(&hello), expected);
}

#[test]
fn a_hello_verify_request_is_read() {
    let request = HelloVerifyRequest::parse(OPENSSL_HELLO_VERIFY_REQUEST).unwrap();
    assert_eq!(request.version, ProtocolVersion::DTLS1_0);
    assert_eq!(request.cookie, &OPENSSL_HELLO_VERIFY_REQUEST[3..]);
    assert_canonical!(HelloVerifyRequest, OPENSSL_HELLO_VERIFY_REQUEST);
    assert_eq!(HelloVerifyRequest::parse(&[0xfe, 0xff, 0]).unwrap().cookie, []);
}

/// A ClientHello with these vectors, prefixes included, and an extensions block.
fn client_hello(
    session_id: &[u8],
    cookie: &[u8],
    suites: &[u8],
    compression: &[u8],
    extensions: &[u8],
) -> Vec<u8> {
    [&[0xfe, 0xfd][..], &[7; 32], session_id, cookie, suites, compression, extensions].concat()
}

fn server_hello(session_id: &[u8], extensions: &[u8]) -> Vec<u8> {
    [&[0xfe, 0xfd][..], &[7; 32], session_id, &[0xc0, 0xa8, 0], extensions].concat()
}

/// A vector of `n` bytes with a length of one byte in front.
fn vec8(n: u8) -> Vec<u8> {
    let mut vec = alloc::vec![n; usize::from(n) + 1];
    vec[0] = n;
    vec
}

#[test]
fn vectors_of_a_client_hello_keep_to_their_bounds() {
    let suites = [0, 2, 0xc0, 0xa8];
    for n in [0, 32, 33, 255] {
        let hello = client_hello(&vec8(n), &[0], &suites, &[1, 0], &[]);
        let expected = if n <= 32 { Ok(usize::from(n)) } else { Err(DecodeError::Length) };
        assert_eq!(ClientHello::parse(&hello).map(|h| h.session_id.len()), expected);
    }
    for n in [0, 255] {
        let hello = client_hello(&[0], &vec8(n), &suites, &[1, 0], &[]);
        assert_eq!(ClientHello::parse(&hello).unwrap().cookie.len(), usize::from(n));
    }
    for suites in [&[0, 0][..], &[0, 1, 0], &[0, 3, 0xc0, 0xa8, 0]] {
        let hello = client_hello(&[0], &[0], suites, &[1, 0], &[]);
        assert_eq!(ClientHello::parse(&hello), Err(DecodeError::Length));
    }
    let hello = client_hello(&[0], &[0], &suites, &[0], &[]);
    assert_eq!(ClientHello::parse(&hello), Err(DecodeError::Length));
    let hello = client_hello(&[0], &[0], &suites, &[1, 0], &[0, 0, 0]);
    assert_eq!(ClientHello::parse(&hello), Err(DecodeError::Trailing));
}

#[test]
fn vectors_of_a_server_hello_keep_to_their_bounds() {
    for n in [0, 32, 33, 255] {
        let hello = server_hello(&vec8(n), &[]);
        let expected = if n <= 32 { Ok(usize::from(n)) } else { Err(DecodeError::Length) };
        assert_eq!(ServerHello::parse(&hello).map(|h| h.session_id.len()), expected);
    }
    assert_eq!(ServerHello::parse(&server_hello(&[0], &[0, 0, 0])), Err(DecodeError::Trailing));
}

#[test]
fn a_hello_without_extensions_block_has_no_extensions() {
    let client = client_hello(&[0], &[0], &[0, 2, 0xc0, 0xa8], &[1, 0], &[]);
    let hello = ClientHello::parse(&client).unwrap();
    assert_eq!(hello.extensions, Extensions::default());
    assert_eq!(write_client(&hello), client);
    let server = server_hello(&[0], &[]);
    let hello = ServerHello::parse(&server).unwrap();
    assert_eq!(hello.extensions, Extensions::default());
    assert_eq!(write_server(&hello), server);
}

/// Asserts that no prefix of `hello` is accepted but the one that ends before its extensions block of `block_len` bytes.
fn assert_cut_only_before_block(hello: &[u8], block_len: usize, accepted: impl Fn(&[u8]) -> bool) {
    for n in 0..hello.len() {
        assert_eq!(accepted(&hello[..n]), n + block_len == hello.len(), "{n} of {} bytes", hello.len());
    }
    assert!(!accepted(&[hello, &[0]].concat()));
}

#[test]
fn hellos_are_cut_nowhere_but_before_their_extensions() {
    for (hello, block_len) in
        [(OPENSSL_CLIENT_HELLO, 66), (GNUTLS_CLIENT_HELLO, 113), (TINYDTLS_CLIENT_HELLO, 6)]
    {
        assert_cut_only_before_block(hello, block_len, |b| ClientHello::parse(b).is_ok());
    }
    for (hello, block_len) in
        [(OPENSSL_SERVER_HELLO, 15), (WOLFSSL_SERVER_HELLO, 21), (GNUTLS_SERVER_HELLO, 23)]
    {
        assert_cut_only_before_block(hello, block_len, |b| ServerHello::parse(b).is_ok());
    }
}

proptest! {
    #[test]
    fn client_hellos_read_back(
        version: u16,
        random: [u8; 32],
        (session_id, cookie) in (bytes(0..=32), bytes(0..=255)),
        (suites, compression) in (u16_list(), bytes(1..=255)),
        extensions in owned_extensions(),
    ) {
        let hello = ClientHello {
            version: ProtocolVersion(version),
            random: &random,
            session_id: &session_id,
            cookie: &cookie,
            suites: U16List(&suites),
            compression: &compression,
            extensions: extensions.as_extensions(),
        };
        let written = write_client(&hello);
        assert_eq!(ClientHello::parse(&written).as_ref(), Ok(&hello));
        let block_len = encode_to_vec(|w| hello.extensions.write(w)).unwrap().len();
        assert_cut_only_before_block(&written, block_len, |b| ClientHello::parse(b).is_ok());
    }

    #[test]
    fn server_hellos_read_back(
        version: u16,
        random: [u8; 32],
        session_id in bytes(0..=32),
        (suite, compression) in any::<(u16, u8)>(),
        extensions in owned_extensions(),
    ) {
        let extensions = Extensions { supported_groups: None, ..extensions.as_extensions() };
        let hello = ServerHello {
            version: ProtocolVersion(version),
            random: &random,
            session_id: &session_id,
            suite: CipherSuite(suite),
            compression,
            extensions,
        };
        assert_eq!(ServerHello::parse(&write_server(&hello)).as_ref(), Ok(&hello));
    }

    #[test]
    fn hello_verify_requests_read_back(version: u16, cookie in bytes(0..=255)) {
        let version = ProtocolVersion(version);
        assert_round_trip!(HelloVerifyRequest, HelloVerifyRequest { version, cookie: &cookie });
    }

    #[test]
    fn what_is_accepted_says_the_same_when_written(
        body in hostile(&[
            OPENSSL_CLIENT_HELLO,
            TINYDTLS_CLIENT_HELLO_WITH_COOKIE,
            GNUTLS_CLIENT_HELLO,
            OPENSSL_SERVER_HELLO,
            GNUTLS_SERVER_HELLO,
            OPENSSL_HELLO_VERIFY_REQUEST,
        ]),
    ) {
        assert_canonical!(HelloVerifyRequest, &body);
        if let Ok(mut hello) = ClientHello::parse(&body) {
            (hello.extensions.unknown, hello.extensions.misplaced) = (false, false);
            assert_eq!(ClientHello::parse(&write_client(&hello)).as_ref(), Ok(&hello));
        }
        if let Ok(mut hello) = ServerHello::parse(&body) {
            (hello.extensions.unknown, hello.extensions.misplaced) = (false, false);
            assert_eq!(ServerHello::parse(&write_server(&hello)).as_ref(), Ok(&hello));
        }
    }
}

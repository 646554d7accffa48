//! What the RFCs draw, word by word: the flights of RFC 6347 §4.2.4 and RFC 9147 §5.7, and what goes wrong in them.

use reference_model::{Machine, Mode, outputs_to_string};

/// Runs a trace of lines `input -> outputs`.
fn run(mode: &str, trace: &str) {
    let mut machine = Machine::new(Mode::named(mode).unwrap());
    for line in trace.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (input, expected) = line.split_once(" -> ").unwrap();
        let outputs = outputs_to_string(&machine.step(input.parse().unwrap()));
        assert_eq!(outputs, expected, "{mode}, at {input} of\n{trace}");
    }
}

#[test]
fn client_12() {
    run(
        "client-12-psk",
        "
            Timer -> ClientHello@0
            HelloVerifyRequest@0 -> ClientHello+cookie@0
            Timer -> ClientHello+cookie@0
            ServerHello+12@0 -> -
            ServerHelloDone@0 -> ClientKeyExchange@0 CCS@0 Finished@1
            CCS@0 -> -
            Finished@1 -> <Connected>
            Data@1 -> <Delivered>
            Send -> Data@1
            Alert+warning+close_notify@1 -> Alert+warning+close_notify@1 <ClosedByPeer>
            Data@1 -> -",
    );
    run(
        "client-12-ecdhe",
        "
            ServerHello+12@0 -> -
            ServerHelloDone@0 -> Alert+fatal+unexpected_message@0 <Failed>",
    );
    run(
        "client-12-ecdhe",
        "
            ServerHello+12@0 -> -
            ServerKeyExchange@0 -> -
            ServerHelloDone@0 -> ClientKeyExchange@0 CCS@0 Finished@1
            Finished@1 -> -
            Timer -> ClientKeyExchange@0 CCS@0 Finished@1
            Again+flight -> -
            Finished@0 -> -
            HelloRequest@0 -> -
            Timer -> ClientKeyExchange@0 CCS@0 Finished@1
            CCS@0 -> -
            Again+last -> -
            Finished+bad@1 -> Alert+fatal+decrypt_error@1 <Failed>
            CCS@0 -> -
            Finished@1 -> Alert+fatal+decrypt_error@1
            Replay -> -
            Finished@1 -> Alert+fatal+decrypt_error@1
            Finished@1 -> Alert+fatal+decrypt_error@1
            Finished@1 -> -",
    );
    run(
        "client-12-psk",
        "
            ServerHello+12/rest@0 -> -
            ServerHello+12/first@0 -> -
            ServerHelloDone~ahead@0 -> -
            ServerKeyExchange@0 -> ClientKeyExchange@0 CCS@0 Finished@1
            CCS@0 -> -
            Finished@1 -> <Connected>
            HelloRequest~start@1 -> Alert+warning+no_renegotiation@1
            Finished@1 -> -",
    );
}

#[test]
fn client_13() {
    run(
        "client-13-dhe",
        "
            ServerHello+13@0 -> -
            EncryptedExtensions@2 -> -
            Finished@2 -> Finished@2 <Connected>
            Timer -> Finished@2
            NewSessionTicket@3 -> Ack@3
            Ack+all@3 -> -
            Timer -> -
            Again+last -> Ack@3
            Timer -> -",
    );
    run(
        "client-13-dhe",
        "
            HelloRetryRequest+cookie+group@0 -> ClientHello+cookie+group@0
            Ack+all@0 -> -
            Timer -> ClientHello+cookie+group@0
            ServerHello+13/first@0 -> -
            Timer -> Ack@0
            ServerHello+13/rest@0 -> -
            Timer -> Ack@2
            Finished~ahead@2 -> Ack@2
            EncryptedExtensions@2 -> Finished@2 <Connected>
            Send -> Data@3
            Again+flight -> -
            Timer -> Finished@2
            Ack+all@2 -> -
            Again+flight -> -
            Timer -> -
            Again+flight -> -
            Close -> Alert+warning+close_notify@3",
    );
    run(
        "client-13-ke",
        "
            HelloRetryRequest+cookie@0 -> ClientHello+cookie@0
            HelloRetryRequest+cookie@0 -> Alert+fatal+unexpected_message@0 <Failed>",
    );
    run(
        "client-13-ke",
        "
            HelloVerifyRequest@0 -> Alert+fatal+protocol_version@0 <Failed>
            ServerHello+13@0 -> Alert+fatal+protocol_version@0",
    );
}

#[test]
fn client_both() {
    run(
        "client-both",
        "
            HelloVerifyRequest@0 -> ClientHello+cookie@0
            HelloRetryRequest+cookie+group@0 -> ClientHello+cookie+group@0
            ServerHello+13@0 -> -
            EncryptedExtensions@2 -> -
            Finished@2 -> Finished@2 <Connected>
            Ack+all@3 -> -
            KeyUpdate@3 -> Alert+fatal+unexpected_message@3 <Failed>",
    );
    run(
        "client-both",
        "
            ServerHello+12+sentinel@0 -> Alert+fatal+illegal_parameter@0 <Failed>",
    );
}

#[test]
fn server_12() {
    run(
        "server-12-psk-cookie",
        "
            ClientHello+12~start@0 -> HelloVerifyRequest@0
            Replay -> HelloVerifyRequest@0
            ClientHello+12+bad-cookie~start@0 -> HelloVerifyRequest@0
            ClientHello+12+cookie~start@0 -> ServerHello+12@0 ServerHelloDone@0
            Timer -> ServerHello+12@0 ServerHelloDone@0
            Again+flight -> -
            ClientHello+12~start@0 -> -
            ClientKeyExchange@0 -> -
            CCS@0 -> -
            Data@1 -> -
            Finished@1 -> CCS@0 Finished@1 <Connected>
            Data@1 -> <Delivered>
            Again+flight -> CCS@0 Finished@1
            Again+last -> CCS@0 Finished@1
            Again+last -> CCS@0 Finished@1
            ClientHello+12~start@1 -> Alert+warning+no_renegotiation@1
            Timer -> -
            Again+last -> -
            Close -> Alert+warning+close_notify@1",
    );
    run(
        "server-12-psk-cookie",
        "
            ClientHello+12+cookie~start@0 -> ServerHello+12@0 ServerHelloDone@0
            CCS@0 -> -
            ClientKeyExchange@0 -> -
            Finished@1 -> CCS@0 Finished@1 <Connected>
            Close -> Alert+warning+close_notify@1
            Again+last -> CCS@0 Finished@1 Alert+warning+close_notify@1
            Timer -> -
            Again+last -> -",
    );
    run(
        "server-12-psk-cookie",
        "
            ClientHello+12+cookie~start@0 -> ServerHello+12@0 ServerHelloDone@0
            CertificateVerify~ahead@0 -> -
            ClientKeyExchange@0 -> -
            CCS@0 -> -
            Finished@1 -> CCS@0 Finished@1 <Connected>",
    );
    run(
        "server-12-psk-deferred",
        "
            ClientHello+12~start@0 -> ServerHello+12@0 ServerHelloDone@0
            ClientKeyExchange@0 -> <NeedPsk>
            CCS@0 -> -
            Finished@1 -> -
            Certificate@0 -> -
            Timer -> ServerHello+12@0 ServerHelloDone@0
            PskFound -> -
            Finished@1 -> CCS@0 Finished@1 <Connected>",
    );
}

#[test]
fn server_13() {
    run(
        "server-13-dhe-cookie",
        "
            ClientHello+13~start@0 -> HelloRetryRequest+cookie@0
            ClientHello+13+no-share~start@0 -> HelloRetryRequest+cookie+group@0
            ClientHello+13+cookie~start@0 -> ServerHello+13@0 EncryptedExtensions@2 Finished@2
            Timer -> ServerHello+13@0 EncryptedExtensions@2 Finished@2
            Ack+plain@2 -> EncryptedExtensions@2 Finished@2
            Timer -> EncryptedExtensions@2 Finished@2
            Ack+all@2 -> -
            Timer -> -
            Finished@2 -> Ack@3 <Connected>
            Again+last -> Ack@3
            Data@3 -> <Delivered>
            Send -> Data@3
            Alert+warning+close_notify@3 -> Alert+warning+close_notify@3 <ClosedByPeer>
            Again+last -> -
            Timer -> -
            Again+last -> -",
    );
    run(
        "server-13-dhe-cookie",
        "
            ClientHello+13+bad-cookie~start@0 -> Alert+fatal+illegal_parameter@0
            ClientHello+13+legacy-cookie~start@0 -> Alert+fatal+illegal_parameter@0
            ClientHello+12~start@0 -> Alert+fatal+protocol_version@0
            ClientHello+13+cookie+unknown-psk~start@0 -> Alert+fatal+decrypt_error@0 <Failed>",
    );
    run(
        "server-13-dhe",
        "
            ClientHello+13~start@0 -> ServerHello+13@0 EncryptedExtensions@2 Finished@2
            Finished/first@2 -> -
            Timer -> Ack@3
            Timer -> Ack@3
            Finished/rest@2 -> Ack@3 <Connected>",
    );
    run(
        "server-13-dhe",
        "
            ClientHello+13~start@0 -> ServerHello+13@0 EncryptedExtensions@2 Finished@2
            Finished~ahead@2 -> Ack@3
            Finished@2 -> Ack@3 <Connected>",
    );
    run(
        "server-13-dhe-deferred",
        "
            ClientHello+13~start@0 -> <NeedPsk>
            Timer -> -
            ClientHello+13~start@0 -> -
            PskFound -> ServerHello+13@0 EncryptedExtensions@2 Finished@2
            Finished@2 -> Ack@3 <Connected>",
    );
}

#[test]
fn server_both() {
    run(
        "server-both-cookie",
        "
            ClientHello+both~start@0 -> HelloRetryRequest+cookie@0
            ClientHello+12~start@0 -> HelloVerifyRequest@0
            ClientHello+both+cookie~start@0 -> ServerHello+13@0 EncryptedExtensions@2 Finished@2
            Finished@2 -> Ack@3 <Connected>",
    );
}

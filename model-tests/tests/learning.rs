//! The system under learning: every mode walks its golden path as RFC 9147 and RFC 6347 have it, and random words break nothing.

use ideal_crypto::World;
use model_tests::{Prng, learning::Sul};
use reference_model::{alphabet::Input, mode::Mode, outputs_to_string};

/// Ways to connect, to data in both directions and to an end, with what comes of each step; `-` is silence.
const GOLDEN: &str = "
client-12-psk
    HelloVerifyRequest@0                     => ClientHello+cookie@0
    ServerHello+12@0                         => -
    ServerHelloDone@0                        => ClientKeyExchange@0 CCS@0 Finished@1
    CCS@0                                    => -
    Finished@1                               => <Connected>
    Data@1                                   => <Delivered>
    Send                                     => Data@1
    Alert+warning+close_notify@1             => Alert+warning+close_notify@1 <ClosedByPeer>
client-12-ecdhe
    ServerHello+12@0                         => -
    ServerKeyExchange@0                      => -
    ServerHelloDone@0                        => ClientKeyExchange@0 CCS@0 Finished@1
    CCS@0                                    => -
    Finished@1                               => <Connected>
client-13-ke
    ServerHello+13@0                         => -
    EncryptedExtensions@2                    => -
    Finished@2                               => Finished@2 <Connected>
    Ack+all@3                                => -
    Timer                                    => -
client-13-dhe
    HelloRetryRequest+cookie+group@0         => ClientHello+cookie+group@0
    ServerHello+13@0                         => -
    Finished~ahead@2                         => Ack@2
    EncryptedExtensions@2                    => Finished@2 <Connected>
    Ack+all@3                                => -
    Data@3                                   => <Delivered>
client-both
    ServerHello+12@0                         => -
    ServerKeyExchange@0                      => -
    ServerHelloDone@0                        => ClientKeyExchange@0 CCS@0 Finished@1
    CCS@0                                    => -
    Finished@1                               => <Connected>
server-12-psk-cookie
    ClientHello+12~start@0                   => HelloVerifyRequest@0
    ClientHello+12+cookie~start@0            => ServerHello+12@0 ServerHelloDone@0
    ClientKeyExchange@0                      => -
    CCS@0                                    => -
    Finished@1                               => CCS@0 Finished@1 <Connected>
    Again+flight                             => CCS@0 Finished@1
    Data@1                                   => <Delivered>
    Replay                                   => -
    Alert+warning+close_notify@1             => Alert+warning+close_notify@1 <ClosedByPeer>
server-12-ecdhe
    ClientHello+12~start@0                   => ServerHello+12@0 ServerKeyExchange@0 ServerHelloDone@0
    ClientKeyExchange@0                      => -
    CCS@0                                    => -
    Finished@1                               => CCS@0 Finished@1 <Connected>
server-13-ke-cookie
    ClientHello+13~start@0                   => HelloRetryRequest+cookie@0
    ClientHello+13+cookie~start@0            => ServerHello+13@0 EncryptedExtensions@2 Finished@2
    Timer                                    => ServerHello+13@0 EncryptedExtensions@2 Finished@2
    Finished@2                               => Ack@3 <Connected>
    Again+flight                             => Ack@3
    Data@3                                   => <Delivered>
    Send                                     => Data@3
    Close                                    => Alert+warning+close_notify@3
server-13-dhe
    ClientHello+13+no-share~start@0          => HelloRetryRequest+cookie+group@0
    ClientHello+13+retry-cookie~start@0      => ServerHello+13@0 EncryptedExtensions@2 Finished@2
    Finished@2                               => Ack@3 <Connected>
server-both-cookie
    ClientHello+both~start@0                 => HelloRetryRequest+cookie@0
    ClientHello+both+cookie~start@0          => ServerHello+13@0 EncryptedExtensions@2 Finished@2
    Finished@2                               => Ack@3 <Connected>
server-12-psk-deferred
    ClientHello+12~start@0                   => ServerHello+12@0 ServerHelloDone@0
    ClientKeyExchange@0                      => <NeedPsk>
    PskFound                                 => -
    CCS@0                                    => -
    Finished@1                               => CCS@0 Finished@1 <Connected>
server-13-dhe-deferred
    ClientHello+13~start@0                   => <NeedPsk>
    PskFound                                 => ServerHello+13@0 EncryptedExtensions@2 Finished@2
    Finished@2                               => Ack@3 <Connected>
";

#[test]
fn golden_paths() {
    walk(GOLDEN);
}

/// Modes, and for each the inputs in turn with what comes of them.
fn walk(paths: &str) {
    let mut sul = None;
    for line in paths.lines().filter(|line| !line.is_empty()) {
        match line.split_once("=>") {
            None => {
                let mode = Mode::named(line).unwrap();
                sul = Some(Sul::with(mode, ideal_crypto::PROVIDER, World::default()));
            }
            Some((input, expected)) => {
                let sul = sul.as_mut().unwrap();
                let outputs = sul.step(input.trim().parse::<Input>().unwrap());
                assert_eq!(outputs_to_string(&outputs), expected.trim(), "{} {line}", sul.mode());
            }
        }
    }
}

/// A second hello without the key share it was asked for is refused before the application looks for any key
/// (RFC 8446 §4.1.2).
#[test]
fn nobody_is_asked_for_the_key_of_a_hello_that_cannot_be_answered() {
    let mut sul = Sul::new(Mode::named("server-13-dhe-deferred").unwrap());
    let hello = "ClientHello+13+retry-cookie+no-share~start@0".parse().unwrap();
    assert_eq!(outputs_to_string(&sul.step(hello)), "Alert+fatal+illegal_parameter@0 <Failed>");
}

/// A message that came before there were keys to read it is not what was taken in, unless it comes again.
#[test]
fn the_peer_repeats_what_could_be_read() {
    let never = "
    ClientHello+both+retry-cookie~start@0    => <NeedPsk>
    PskFound                                 => ServerHello+13@0 EncryptedExtensions@2 Finished@2
    UnknownMessage@3                         => -
    Finished@2                               => Ack@3 <Connected>
    Timer                                    => -
    Again+flight                             => -";
    let later = "
    ClientHello+12~start@0                   => ServerHello+12@0 ServerKeyExchange@0 ServerHelloDone@0
    ClientKeyExchange@0                      => <NeedPsk>
    CCS@0                                    => -
    Finished@1                               => -
    PskFound                                 => -
    Replay                                   => CCS@0 Finished@1 <Connected>
    Again+last                               => CCS@0 Finished@1";
    for word in [never, later] {
        walk(&format!("server-both-deferred{word}"));
    }
}

#[test]
fn random_words() {
    let mut rng = Prng::new(3);
    for mode in Mode::all() {
        let alphabet = mode.alphabet();
        for _ in 0..200 {
            let mut sul = Sul::with(mode, ideal_crypto::PROVIDER, World::default());
            for _ in 0..30 {
                sul.step(alphabet[rng.below(alphabet.len() as u64) as usize]);
            }
        }
    }
}

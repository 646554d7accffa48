//! Warning alerts and requests for renegotiation: put up with in small numbers, and never added up over a connection's life.

use dtls_core::{AlertDescription, CloseReason, ContentType, Error, Event, PeerMisbehaved, PskMode};
use ideal_crypto::PROVIDER;
use model_tests::{
    Recipe, Script, Side,
    schedule::{Forgery, Step},
};
use simulated_network::Prng;

/// A warning, user_canceled.
const WARNING: [u8; 2] = [1, 90];
/// So many are put up with.
const BOUND: usize = 16;

fn forge(script: &mut Script, to: Side) {
    let body = WARNING.to_vec();
    script.apply(&Step::Forge(Forgery { to, content_type: 21, epoch: 0, sequence: 1 << 20, body }));
}

/// The peer of `to` sends a protected warning.
fn warn(script: &mut Script, to: Side) {
    let record = script.ends.forge(to.peer(), 1, ContentType::ALERT, &WARNING).unwrap();
    let _told = script.ends.deliver(to, &record);
}

fn closed(script: &Script, side: Side) -> Option<CloseReason> {
    script.ends.end(side).and_then(model_tests::End::closed)
}

fn connected() -> Script {
    let mut script = Script::new(&Recipe::new(PROVIDER).setup());
    script.finish(100);
    assert!(script.ends.connected());
    script
}

/// RFC 8446 §6: in DTLS 1.3 an error is one whatever its level, and who speaks nothing else knows that from the beginning.
#[test]
fn levels_mean_nothing_in_dtls13() {
    let recipe = Recipe { deferred: true, ..Recipe::new13(PROVIDER, PskMode::PskDhe) };
    let unexpected = Some(CloseReason::Failed(Error::PeerAlert(AlertDescription::UnexpectedMessage)));
    for to in Side::BOTH {
        let mut script = Script::new(&recipe.setup());
        // The server waits for its application.
        (0..3).for_each(|_| script.apply(&Step::Deliver(0)));
        let body = vec![1, AlertDescription::UnexpectedMessage.code()];
        script.apply(&Step::Forge(Forgery { to, content_type: 21, epoch: 0, sequence: 1 << 20, body }));
        assert_eq!(closed(&script, to), unexpected, "{to}");
    }
}

#[test]
fn one_more_than_is_put_up_with_ends_the_connection() {
    for to in Side::BOTH {
        let mut script = connected();
        (0..BOUND).for_each(|_| warn(&mut script, to));
        assert_eq!(closed(&script, to), None);
        warn(&mut script, to);
        let why = Error::Misbehaved(PeerMisbehaved::TooManyWarnings);
        assert_eq!(closed(&script, to), Some(CloseReason::Failed(why)));
    }
}

#[test]
fn data_in_between_starts_the_count_anew() {
    for to in Side::BOTH {
        let mut script = connected();
        for _ in 0..5 {
            (0..BOUND).for_each(|_| warn(&mut script, to));
            script.apply(&Step::Send(to.peer(), 9));
            while !script.mailbox.live().is_empty() {
                script.apply(&Step::Deliver(0));
            }
        }
        assert_eq!(closed(&script, to), None);
        assert_eq!(script.ends.end(to).unwrap().delivered().len(), 5);
    }
}

/// In DTLS 1.2 the level says whether an alert is fatal, in DTLS 1.3 its description does (RFC 8446 §6).
#[test]
fn a_warning_is_one_in_dtls12_only() {
    let recipes = [(Recipe::new(PROVIDER), 1), (Recipe::new13(PROVIDER, PskMode::PskOnly), 3)];
    for (recipe, epoch) in recipes {
        for to in Side::BOTH {
            let mut script = Script::new(&recipe.setup());
            script.finish(100);
            let record = script.ends.forge(to.peer(), epoch, ContentType::ALERT, &[1, 100]).unwrap();
            let _told = script.ends.deliver(to, &record);
            let error = Error::PeerAlert(AlertDescription::NoRenegotiation);
            assert_eq!(closed(&script, to), (epoch == 3).then_some(CloseReason::Failed(error)));
        }
    }
}

/// What anybody could forge before there were keys is no burden for the connection that comes of it.
#[test]
fn forged_warnings_in_the_handshake_are_forgotten_with_it() {
    let mut script = Script::new(&Recipe::new(PROVIDER).setup());
    (0..BOUND).for_each(|_| forge(&mut script, Side::Client));
    script.finish(100);
    assert!(script.ends.connected());
    warn(&mut script, Side::Client);
    assert_eq!(closed(&script, Side::Client), None);
}

/// RFC 5246 §7.2.2, RFC 8446 §6.1: that the user has given up is a warning, and the end comes after it.
#[test]
fn whoever_is_given_up_on_hears_the_end() {
    for recipe in [Recipe::new(PROVIDER), Recipe::new13(PROVIDER, PskMode::PskDhe)] {
        for side in Side::BOTH {
            let mut script = Script::new(&recipe.setup());
            script.finish(100);
            let now = script.ends.now();
            let [client, server] = script.ends.into_watched().unwrap();
            let (mut one, mut other) = if side == Side::Client { (client, server) } else { (server, client) };
            one.abort(AlertDescription::UserCanceled);
            let (mut buffer, mut rng) = ([0; 256], Prng::new(1));
            while let Some(datagram) = one.poll_transmit(now, &mut buffer) {
                assert_eq!(other.handle_datagram(now, &mut rng, datagram).next_data().map(|_| ()), Ok(()));
            }
            assert!(one.is_drained());
            let last = core::iter::from_fn(|| other.poll_event()).last();
            assert_eq!(last, Some(Event::Closed(CloseReason::CloseNotify)), "{side}");
        }
    }
}

//! From arguments to the configurations of the library.

use core::time::Duration;

use dtls_core::{
    Arc, CipherSuite, ClientConfig, ConfigBuilder, Limits, ListenerLimits, NamedGroup, ProtocolVersion, Psk,
    PskMode, ServerConfig, all_suites,
};

use crate::{
    Failure,
    args::{App, ClientArgs, Common, ServerArgs},
    coap,
    keylog::KeyLogFile,
    keys::{self, Key},
    trace::Trace,
};

/// The configuration of a server.
pub(crate) fn server(args: &ServerArgs, trace: &Arc<Trace>) -> Result<Arc<ServerConfig>, Failure> {
    let keys = keys::read(&args.common.psk, args.common.psk_file.as_deref())?;
    let mut listener = ListenerLimits::default();
    listener.cookies = !args.no_cookie;
    let limits = limits(&args.common);
    let mut builder = ServerConfig::builder(dtls_crypto::PROVIDER);
    if args.app == App::Coap {
        builder = builder.coap_suites();
    }
    with_common(builder, &args.common, limits, trace)?
        .psks(keys.iter().map(|key| psk(key, &args.common)))
        .listener(listener)
        .build()
        .map_err(|error| Failure::usage(error.to_string()))
}

/// The configuration of a client.
pub(crate) fn client(args: &ClientArgs, trace: &Arc<Trace>) -> Result<Arc<ClientConfig>, Failure> {
    let keys = keys::read(&args.common.psk, args.common.psk_file.as_deref())?;
    let [key] = &keys[..] else {
        return Err(Failure::usage(format!("{} pre-shared keys are given: a client takes one", keys.len())));
    };
    let mut limits = limits(&args.common);
    limits.handshake_timeout = Duration::from_secs(args.timeout.into());
    let mut builder = ClientConfig::builder(dtls_crypto::PROVIDER);
    if coap::is_uri(&args.server) {
        builder = builder.coap_suites();
    }
    with_common(builder, &args.common, limits, trace)?
        .psks([psk(key, &args.common)])
        .build()
        .map_err(|error| Failure::usage(error.to_string()))
}

fn limits(common: &Common) -> Limits {
    let mut limits = Limits::default();
    limits.mtu = common.mtu.into();
    limits
}

fn with_common<A>(
    mut builder: ConfigBuilder<A>,
    common: &Common,
    limits: Limits,
    trace: &Arc<Trace>,
) -> Result<ConfigBuilder<A>, Failure> {
    builder = builder.limits(limits).trace(Arc::clone(trace) as Arc<dyn dtls_core::TraceSink>);
    if let Some(names) = &common.suites {
        builder = builder.suites(&suites(names)?);
    }
    builder = builder.versions(&list("--versions", &common.versions, VERSIONS)?);
    builder = builder.psk_modes(&list("--psk-modes", &common.psk_modes, PSK_MODES)?);
    if let Some(names) = &common.groups {
        builder = builder.groups(&list("--groups", names, GROUPS)?);
    }
    if let Some(log) = KeyLogFile::open(common.keylog.as_deref())? {
        builder = builder.key_log(Arc::new(log));
    }
    Ok(builder)
}

fn psk(key: &Key, common: &Common) -> Psk {
    match &common.psk_importer {
        Some(context) => Psk::imported(key.identity.as_bytes(), &key.secret, context.as_bytes()),
        None => Psk::new(key.identity.as_bytes(), &key.secret),
    }
}

const VERSIONS: &[(&str, ProtocolVersion)] =
    &[("1.2", ProtocolVersion::DTLS1_2), ("1.3", ProtocolVersion::DTLS1_3)];
const PSK_MODES: &[(&str, PskMode)] = &[("psk_dhe_ke", PskMode::PskDhe), ("psk_ke", PskMode::PskOnly)];
const GROUPS: &[(&str, NamedGroup)] = &[("x25519", NamedGroup::X25519), ("secp256r1", NamedGroup::SECP256R1)];

fn suites(names: &str) -> Result<Vec<CipherSuite>, Failure> {
    let known: Vec<_> = all_suites().filter_map(|suite| Some((suite.name()?, suite))).collect();
    list("--suites", names, &known)
}

/// The values of a comma separated list of names, in any case of letters.
fn list<T: Copy>(option: &str, names: &str, known: &[(&str, T)]) -> Result<Vec<T>, Failure> {
    let find = |name: &str| {
        let found = known.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| *value).ok_or_else(|| {
            let all: Vec<_> = known.iter().map(|(name, _)| *name).collect();
            Failure::usage(format!("{option}: '{name}' is not one of {}", all.join(", ")))
        })
    };
    names.split(',').map(|name| find(name.trim())).collect()
}

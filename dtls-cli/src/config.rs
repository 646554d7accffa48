//! From arguments to the configurations of the library.

use core::time::Duration;

use dtls_core::{
    Arc, CipherSuite, ClientConfig, ConfigBuilder, Limits, ListenerLimits, ServerConfig, all_suites,
};

use crate::{
    Failure,
    args::{App, ClientArgs, Common, ServerArgs},
    coap,
    keylog::KeyLogFile,
    keys,
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
        .psk_table(keys.iter().map(|key| (key.identity.as_bytes(), &key.secret[..])))
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
        .psk(key.identity.as_bytes(), &key.secret)
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
    if let Some(log) = KeyLogFile::open(common.keylog.as_deref())? {
        builder = builder.key_log(Arc::new(log));
    }
    Ok(builder)
}

fn suites(names: &str) -> Result<Vec<CipherSuite>, Failure> {
    let known = |name: &str| {
        CipherSuite::from_name(name).filter(|suite| all_suites().any(|s| s == *suite)).ok_or_else(|| {
            let all: Vec<_> = all_suites().filter_map(CipherSuite::name).collect();
            Failure::usage(format!("--suites: '{name}' is not one of {}", all.join(", ")))
        })
    };
    names.split(',').map(|name| known(name.trim())).collect()
}

//! One end of a connection by wolfSSL. All of this project's unsafe code is here.

use core::time::Duration;
use std::{
    collections::VecDeque,
    ffi::{CStr, CString, c_char, c_int, c_uint, c_ulong, c_void},
    ptr, slice,
};

use wolfssl_sys as ffi;

use crate::{IDENTITY, KEY};

/// What an end by wolfSSL may do.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Which end it is.
    pub role: Role,
    /// The versions it speaks.
    pub versions: Versions,
    /// Its cipher suites, by wolfSSL's names, separated by colons.
    pub suites: &'static str,
    /// The code points of its groups, most preferred first.
    pub groups: &'static [u16],
    /// How a pre-shared key may be used in DTLS 1.3.
    pub modes: Modes,
    /// As a server of DTLS 1.3, whether it asks for a cookie in a HelloRetryRequest.
    pub cookie: bool,
    /// Its largest datagram, in bytes of UDP payload.
    pub mtu: u16,
}

/// Client or server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// It speaks first.
    Client,
    /// It answers.
    Server,
}

/// Versions of DTLS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Versions {
    /// DTLS 1.3.
    Only13,
    /// DTLS 1.2.
    Only12,
    /// 1.3 if the peer speaks it, else 1.2.
    Both,
}

/// Key exchange modes of DTLS 1.3 with a pre-shared key (RFC 8446 §4.2.9).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Modes {
    /// `psk_ke`.
    OnlyPsk,
    /// `psk_dhe_ke`.
    OnlyPskDhe,
    /// Both of them.
    Any,
}

/// An end of a connection by wolfSSL, with the datagrams under way from and to it.
#[derive(Debug)]
pub struct Wolf {
    context: *mut ffi::WOLFSSL_CTX,
    session: *mut ffi::WOLFSSL,
    /// wolfSSL's callbacks have its address.
    wire: Box<Wire>,
    role: Role,
}

/// What wolfSSL's callbacks need.
#[derive(Debug)]
struct Wire {
    incoming: VecDeque<Vec<u8>>,
    outgoing: VecDeque<Vec<u8>>,
    /// The first suite: it says with which hash the key is used.
    suite: CString,
}

/// How a call ended that did not fail.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Progress<T> {
    /// It has done what it was asked for.
    Done(T),
    /// It needs a datagram, or time.
    Waiting,
    /// The peer has closed the connection.
    Closed,
}

impl Wolf {
    /// An end that has not begun yet.
    ///
    /// # Panics
    /// If wolfSSL does not take the setup.
    #[must_use]
    pub fn new(setup: &Setup) -> Self {
        let first = setup.suites.split(':').next().unwrap_or_default();
        let wire = Box::new(Wire {
            incoming: VecDeque::new(),
            outgoing: VecDeque::new(),
            suite: CString::new(first).expect("no zero byte"),
        });
        // SAFETY: plain constructors; each result is checked before it is used, and freed in `drop` only.
        let (context, session) = unsafe {
            ffi::wolfSSL_Init();
            if std::env::var_os("WOLFSSL_LOG").is_some() {
                ffi::wolfSSL_Debugging_ON();
            }
            let context = ffi::wolfSSL_CTX_new(method(setup));
            assert!(!context.is_null(), "wolfSSL makes no context");
            let suites = CString::new(setup.suites).expect("no zero byte");
            success(ffi::wolfSSL_CTX_set_cipher_list(context, suites.as_ptr()), "set_cipher_list");
            // Without these a server would insist on a certificate.
            match setup.role {
                Role::Client => {
                    ffi::wolfSSL_CTX_set_psk_client_callback(context, Some(on_client_psk12));
                    ffi::wolfSSL_CTX_set_psk_client_tls13_callback(context, Some(on_client_psk13));
                }
                Role::Server => {
                    ffi::wolfSSL_CTX_set_psk_server_callback(context, Some(on_server_psk12));
                    ffi::wolfSSL_CTX_set_psk_server_tls13_callback(context, Some(on_server_psk13));
                }
            }
            let session = ffi::wolfSSL_new(context);
            assert!(!session.is_null(), "wolfSSL makes no session");
            (context, session)
        };
        let mut wolf = Self { context, session, wire, role: setup.role };
        wolf.attach();
        wolf.configure(setup);
        wolf
    }

    /// Lets wolfSSL call back for datagrams.
    fn attach(&mut self) {
        let wire: *mut Wire = &raw mut *self.wire;
        let session = self.session;
        // SAFETY: the session is valid, and the wire lives as long as it, at the same address.
        unsafe {
            ffi::wolfSSL_SSLSetIORecv(session, Some(on_receive));
            ffi::wolfSSL_SSLSetIOSend(session, Some(on_send));
            ffi::wolfSSL_SetIOReadCtx(session, wire.cast());
            ffi::wolfSSL_SetIOWriteCtx(session, wire.cast());
            ffi::wolfSSL_dtls_set_using_nonblock(session, 1);
            // For keys to be exported later.
            ffi::wolfSSL_KeepArrays(session);
        }
    }

    fn configure(&mut self, setup: &Setup) {
        let session = self.session;
        // wolfSSL cookies are bound to an address, which its own sockets would tell it.
        let mut address = [2_u8, 0, 0x11, 0x51, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        let mut groups: Vec<c_int> = setup.groups.iter().map(|group| c_int::from(*group)).collect();
        let count = c_int::try_from(groups.len()).expect("few groups");
        // SAFETY: the session is valid, and what is pointed at outlives each call, which copies it.
        unsafe {
            success(ffi::wolfSSL_dtls_set_peer(session, address.as_mut_ptr().cast(), 16), "dtls_set_peer");
            success(ffi::wolfSSL_dtls_set_timeout_max(session, 1 << 20), "dtls_set_timeout_max");
            success(ffi::wolfSSL_dtls_set_mtu(session, setup.mtu), "dtls_set_mtu");
            if setup.versions == Versions::Only12 {
                return;
            }
            success(ffi::wolfSSL_set_groups(session, groups.as_mut_ptr(), count), "set_groups");
            match setup.modes {
                Modes::OnlyPsk => assert_eq!(ffi::wolfSSL_no_dhe_psk(session), 0),
                Modes::OnlyPskDhe => assert_eq!(ffi::wolfSSL_only_dhe_psk(session), 0),
                Modes::Any => {}
            }
            if setup.role == Role::Server {
                if setup.cookie {
                    success(ffi::wolfSSL_send_hrr_cookie(session, ptr::null(), 0), "send_hrr_cookie");
                } else {
                    success(ffi::wolfSSL_disable_hrr_cookie(session), "disable_hrr_cookie");
                }
                success(ffi::wolfSSL_dtls13_allow_ch_frag(session, 1), "dtls13_allow_ch_frag");
            }
        }
    }

    /// Hands over a datagram; the next call takes it in.
    pub fn deliver(&mut self, datagram: &[u8]) {
        self.wire.incoming.push_back(datagram.to_vec());
    }

    /// The next datagram to send.
    pub fn transmit(&mut self) -> Option<Vec<u8>> {
        self.wire.outgoing.pop_front()
    }

    /// Goes on with the handshake.
    ///
    /// # Errors
    /// What wolfSSL says if the handshake has failed.
    pub fn handshake(&mut self) -> Result<Progress<()>, String> {
        // SAFETY: the session is valid.
        let code = unsafe {
            match self.role {
                Role::Client => ffi::wolfSSL_connect(self.session),
                Role::Server => ffi::wolfSSL_accept(self.session),
            }
        };
        self.judge(code, |_| ())
    }

    /// Sends application data.
    ///
    /// # Errors
    /// What wolfSSL says.
    pub fn write(&mut self, data: &[u8]) -> Result<Progress<()>, String> {
        let length = c_int::try_from(data.len()).expect("few bytes");
        // SAFETY: the session is valid, and the data as long as said.
        let code = unsafe { ffi::wolfSSL_write(self.session, data.as_ptr().cast(), length) };
        self.judge(code, |_| ())
    }

    /// Takes in datagrams and returns application data.
    ///
    /// # Errors
    /// What wolfSSL says if the connection has failed.
    pub fn read(&mut self) -> Result<Progress<Vec<u8>>, String> {
        let mut data = vec![0_u8; 2048];
        // SAFETY: the session is valid, and the buffer as long as said.
        let code = unsafe { ffi::wolfSSL_read(self.session, data.as_mut_ptr().cast(), 2048) };
        self.judge(code, |length| {
            data.truncate(length);
            data
        })
    }

    /// Sends close_notify.
    pub fn close(&mut self) {
        // SAFETY: the session is valid.
        let _ = unsafe { ffi::wolfSSL_shutdown(self.session) };
    }

    /// How long its timer runs.
    #[must_use]
    pub fn timer(&self) -> Duration {
        // SAFETY: the session is valid.
        let (seconds, quick) = unsafe {
            let seconds = ffi::wolfSSL_dtls_get_current_timeout(self.session);
            (seconds, ffi::wolfSSL_dtls13_use_quick_timeout(self.session) != 0)
        };
        Duration::from_secs(u64::try_from(seconds).unwrap_or(1)) / if quick { 4 } else { 1 }
    }

    /// Tells wolfSSL that its timer has run out.
    ///
    /// # Errors
    /// What wolfSSL says.
    pub fn timeout(&mut self) -> Result<(), String> {
        // SAFETY: the session is valid.
        let code = unsafe { ffi::wolfSSL_dtls_got_timeout(self.session) };
        if code == 1 { Ok(()) } else { self.judge(code, |_| ()).map(|_| ()) }
    }

    /// Keying material for `label` without a context (RFC 8446 §7.5).
    ///
    /// # Panics
    /// If wolfSSL refuses.
    #[must_use]
    pub fn export(&self, label: &str) -> [u8; 32] {
        let mut out = [0; 32];
        // SAFETY: the session is valid; label and output are as long as said.
        let code = unsafe {
            ffi::wolfSSL_export_keying_material(
                self.session,
                out.as_mut_ptr(),
                out.len(),
                label.as_ptr().cast(),
                label.len(),
                ptr::null(),
                0,
                0,
            )
        };
        success(code, "export_keying_material");
        out
    }

    /// The version in use, as in `DTLSv1.3`.
    #[must_use]
    pub fn version(&self) -> String {
        // SAFETY: the session is valid; the result is a constant or null.
        unsafe { text(ffi::wolfSSL_get_version(self.session)) }
    }

    /// The cipher suite in use, by the name wolfSSL gives it.
    #[must_use]
    pub fn suite(&self) -> String {
        // SAFETY: the session is valid; the result is a constant or null.
        unsafe { text(ffi::wolfSSL_get_cipher_name(self.session)) }
    }

    /// The group of the key exchange.
    #[must_use]
    pub fn group(&self) -> String {
        // SAFETY: the session is valid; the result is a constant or null.
        unsafe { text(ffi::wolfSSL_get_curve_name(self.session)) }
    }

    fn judge<T>(&self, code: c_int, done: impl FnOnce(usize) -> T) -> Result<Progress<T>, String> {
        if let Ok(length @ 1..) = usize::try_from(code) {
            return Ok(Progress::Done(done(length)));
        }
        // SAFETY: the session is valid; wolfSSL's sentence ends within the buffer.
        unsafe {
            let error = ffi::wolfSSL_get_error(self.session, code);
            match c_uint::try_from(error) {
                Ok(ffi::WOLFSSL_ERROR_WANT_READ | ffi::WOLFSSL_ERROR_WANT_WRITE) => Ok(Progress::Waiting),
                Ok(ffi::WOLFSSL_ERROR_ZERO_RETURN) => Ok(Progress::Closed),
                _ => {
                    let number = c_ulong::from(error.unsigned_abs());
                    Err(format!("{error}: {}", text(ffi::wolfSSL_ERR_reason_error_string(number))))
                }
            }
        }
    }
}

// SAFETY: wolfSSL's sessions belong to no thread; only one at a time may use one, which `&mut` sees to.
unsafe impl Send for Wolf {}

impl Drop for Wolf {
    fn drop(&mut self) {
        // SAFETY: both are valid, and nobody uses them afterwards.
        unsafe {
            ffi::wolfSSL_free(self.session);
            ffi::wolfSSL_CTX_free(self.context);
        }
    }
}

/// The constructor of wolfSSL for this role and these versions. wolfSSL frees what it makes.
fn method(setup: &Setup) -> *mut ffi::WOLFSSL_METHOD {
    // SAFETY: these take no arguments.
    unsafe {
        match (setup.role, setup.versions) {
            (Role::Client, Versions::Only13) => ffi::wolfDTLSv1_3_client_method(),
            (Role::Client, Versions::Only12) => ffi::wolfDTLSv1_2_client_method(),
            (Role::Client, Versions::Both) => ffi::wolfDTLS_client_method(),
            (Role::Server, Versions::Only13) => ffi::wolfDTLSv1_3_server_method(),
            (Role::Server, Versions::Only12) => ffi::wolfDTLSv1_2_server_method(),
            (Role::Server, Versions::Both) => ffi::wolfDTLS_server_method(),
        }
    }
}

fn success(code: c_int, what: &str) {
    assert_eq!(code, 1, "wolfSSL: {what}");
}

/// # Safety
/// `string` is null or ends with a zero byte.
unsafe fn text(string: *const c_char) -> String {
    if string.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(string) }.to_string_lossy().into_owned()
}

/// Copies the next datagram to `buffer`; what does not fit is lost, as with a socket.
unsafe extern "C" fn on_receive(
    _: *mut ffi::WOLFSSL,
    buffer: *mut c_char,
    room: c_int,
    wire: *mut c_void,
) -> c_int {
    // SAFETY: `wire` was set in `attach`, and wolfSSL's buffer has `room` bytes.
    let (wire, buffer) = unsafe {
        let room = usize::try_from(room).unwrap_or_default();
        (&mut *wire.cast::<Wire>(), slice::from_raw_parts_mut(buffer.cast::<u8>(), room))
    };
    let Some(datagram) = wire.incoming.pop_front() else {
        return ffi::IOerrors_WOLFSSL_CBIO_ERR_WANT_READ;
    };
    let length = datagram.len().min(buffer.len());
    buffer[..length].copy_from_slice(&datagram[..length]);
    c_int::try_from(length).expect("a datagram")
}

unsafe extern "C" fn on_send(
    _: *mut ffi::WOLFSSL,
    buffer: *mut c_char,
    length: c_int,
    wire: *mut c_void,
) -> c_int {
    // SAFETY: `wire` was set in `attach`, and wolfSSL's buffer has `length` bytes.
    let (wire, datagram) = unsafe {
        let length = usize::try_from(length).unwrap_or_default();
        (&mut *wire.cast::<Wire>(), slice::from_raw_parts(buffer.cast::<u8>(), length))
    };
    wire.outgoing.push_back(datagram.to_vec());
    length
}

unsafe extern "C" fn on_client_psk12(
    _: *mut ffi::WOLFSSL,
    _hint: *const c_char,
    identity: *mut c_char,
    identity_room: c_uint,
    key: *mut u8,
    key_room: c_uint,
) -> c_uint {
    // SAFETY: wolfSSL's buffers have as many bytes as it says; the identity ends with a zero byte, for which it has room.
    unsafe {
        fill(identity.cast(), identity_room, IDENTITY.as_bytes());
        fill(key, key_room, &KEY)
    }
}

unsafe extern "C" fn on_client_psk13(
    session: *mut ffi::WOLFSSL,
    hint: *const c_char,
    identity: *mut c_char,
    identity_room: c_uint,
    key: *mut u8,
    key_room: c_uint,
    suite: *mut *const c_char,
) -> c_uint {
    // SAFETY: as above; the name of the suite lives as long as the session.
    unsafe {
        *suite = suite_of(session);
        on_client_psk12(session, hint, identity, identity_room, key, key_room)
    }
}

unsafe extern "C" fn on_server_psk12(
    _: *mut ffi::WOLFSSL,
    identity: *const c_char,
    key: *mut u8,
    key_room: c_uint,
) -> c_uint {
    // SAFETY: the identity ends with a zero byte, and the buffer has `key_room` bytes.
    unsafe { if text(identity) == IDENTITY { fill(key, key_room, &KEY) } else { 0 } }
}

unsafe extern "C" fn on_server_psk13(
    session: *mut ffi::WOLFSSL,
    identity: *const c_char,
    key: *mut u8,
    key_room: c_uint,
    suite: *mut *const c_char,
) -> c_uint {
    // SAFETY: as above; the name of the suite lives as long as the session.
    unsafe {
        *suite = suite_of(session);
        on_server_psk12(session, identity, key, key_room)
    }
}

/// # Safety
/// The session is valid and has a wire.
unsafe fn suite_of(session: *mut ffi::WOLFSSL) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { (*ffi::wolfSSL_GetIOReadCtx(session).cast::<Wire>()).suite.as_ptr() }
}

/// Copies `bytes` and returns how many.
///
/// # Safety
/// `buffer` has `room` bytes.
unsafe fn fill(buffer: *mut u8, room: c_uint, bytes: &[u8]) -> c_uint {
    let length = c_uint::try_from(bytes.len()).expect("few bytes");
    assert!(length < room, "wolfSSL has no room");
    // SAFETY: it fits, and one zero byte more; both do not overlap.
    unsafe {
        ptr::copy_nonoverlapping(bytes.as_ptr(), buffer, bytes.len());
        *buffer.add(bytes.len()) = 0;
    }
    length
}

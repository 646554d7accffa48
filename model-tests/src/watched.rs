//! A connection with the monitor that watches it, for tests that drive it by hand.

use core::{
    fmt,
    ops::{Deref, DerefMut},
};

use dtls_core::{Connection, TraceEvent};
use monitors::{Monitor, Role};

/// Used like the connection itself. What has happened is gone through whenever it is used again, and when it is dropped.
#[derive(Clone)]
pub struct Watched {
    connection: Connection,
    monitor: Monitor,
}

impl Watched {
    /// Watches everything the connection does from now on.
    pub fn new(role: Role, mut connection: Connection) -> Self {
        // Nothing was kept so far, and from now on everything is.
        connection.take_trace();
        let monitor = Monitor::resumed(role, &connection);
        Self { connection, monitor }
    }

    /// Watches it further with the monitor that has watched it so far.
    pub(crate) const fn resume(connection: Connection, monitor: Monitor) -> Self {
        Self { connection, monitor }
    }

    /// Goes through what has happened since.
    ///
    /// # Panics
    /// With the id of the property that does not hold.
    #[track_caller]
    pub fn check(&mut self) {
        let Self { connection, monitor } = self;
        for event in connection.take_trace() {
            monitor.note(&event);
            if let (TraceEvent::Established, Some(negotiated)) = (event, connection.negotiated()) {
                monitor.note_negotiated(negotiated);
            }
        }
    }
}

impl Deref for Watched {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Watched {
    #[track_caller]
    fn deref_mut(&mut self) -> &mut Connection {
        self.check();
        &mut self.connection
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.check();
        }
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.connection.fmt(f)
    }
}

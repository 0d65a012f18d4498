//! Clock, shutdown, published values, TLS and streams: what the outside world looks like to the floors above.
//!
//! The door: [`clock::Clock`], [`published::Published`], [`shutdown::Shutdown`], [`listen::bind`], [`tls`],
//! [`stream::Stream`], [`throttle::Throttle`], [`workers::Workers`], [`http::serve_http`], and [`outgoing`] for requests of
//! our own.
//! This folder knows nothing of SQL, of principals, or of any database's protocol.

pub mod clock;
pub mod error;
pub mod http;
pub mod listen;
pub mod outgoing;
pub mod published;
pub mod shutdown;
mod socket;
pub mod stream;
pub mod throttle;
pub mod tls;
pub mod workers;

pub use clock::{Clock, ManualClock};
pub use error::NetError;
pub use http::{HttpTls, Peer, Stopping, serve_http};
pub use outgoing::{http_client, http_send};
pub use published::Published;
pub use shutdown::Shutdown;
pub use stream::{READ_BYTES, Stream};
pub use throttle::Throttle;
pub use tls::{ClientTls, Roots, ServerTls, ServerTlsFiles};
pub use workers::{WorkerThreads, Workers};

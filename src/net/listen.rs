//! Listening on an address.

use std::{io, net::SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

/// Listens on `address`. With `shares_port` another process of the same user, which asks for it as well, may listen there
/// at the same time: the system spreads new connections over both.
///
/// # Errors
/// Those of the system; `AddrInUse` when somebody else listens there.
pub fn bind(address: SocketAddr, shares_port: bool) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections of an earlier process that are still closing do not stand in the way.
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(shares_port)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Connections that wait to be accepted; the system may allow fewer.
const BACKLOG: u32 = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_is_shared_by_those_who_ask_for_it_alone() {
        let alone = bind("127.0.0.1:0".parse().unwrap(), false).unwrap();
        for shares_port in [false, true] {
            let taken = bind(alone.local_addr().unwrap(), shares_port).unwrap_err();
            assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        }
        let shared = bind("127.0.0.1:0".parse().unwrap(), true).unwrap();
        let address = shared.local_addr().unwrap();
        assert_eq!(bind(address, false).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        bind(address, true).unwrap();
    }
}

//! The console's way to the gate.
//!
//! What pages run goes over the wire, as from any other client: the two ends of a connection inside this process, of
//! which the data plane gets one, with the address that the browser has.

use std::{collections::BTreeMap, io, net::SocketAddr};

use tokio::net::{TcpListener, TcpStream};

use crate::{
    console::{Dial, TargetInfo},
    control::BoxFuture,
    model::ids::TargetName,
    net::Shutdown,
    session::Reception,
};

/// A reception for each target; nobody is received once the gateway stops.
pub(super) struct Receptions {
    /// By the target that they lead to.
    pub(super) of: BTreeMap<TargetName, (TargetInfo, Reception)>,
    pub(super) shutdown: Shutdown,
}

impl Dial for Receptions {
    fn targets(&self) -> Vec<TargetInfo> {
        self.of.values().map(|(info, _)| info.clone()).collect()
    }

    fn dial(&self, target: &TargetName, from: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>> {
        let open = self.of.get(target).filter(|_| !self.shutdown.has_begun());
        let reception = open.map(|(_, reception)| reception);
        Box::pin(async move {
            let reception = reception.ok_or(io::ErrorKind::NotFound)?;
            let (ours, theirs) = pair().await?;
            reception.receive(theirs, from);
            Ok(ours)
        })
    }
}

/// Both ends of one connection.
async fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let ours = TcpStream::connect(listener.local_addr()?).await?;
    let own = ours.local_addr()?;
    // Whoever else finds the port in this instant is left standing.
    loop {
        let (theirs, peer) = listener.accept().await?;
        if peer == own {
            return Ok((ours, theirs));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn what_one_end_says_the_other_hears() {
        let (mut ours, mut theirs) = pair().await.unwrap();
        ours.write_all(b"ready").await.unwrap();
        let mut heard = [0; 5];
        theirs.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"ready");
    }
}

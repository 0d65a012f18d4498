//! What stands before several gateways: it sends each new connection to one that says that it is ready.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};

use crate::support::replicas::ready;

/// Takes connections until it is dropped; those that were made go on.
#[derive(Debug)]
pub(super) struct Balancer {
    pub(super) port: u16,
    is_over: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct Backend {
    port: u16,
    is_ready: AtomicBool,
}

impl Balancer {
    /// Before gateways, of each its port for clients and that of its API.
    pub(super) async fn before(gateways: [(u16, u16); 2]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let is_over = Arc::new(AtomicBool::new(false));
        let backends = gateways.map(|(port, api_port)| {
            let backend = Arc::new(Backend { port, is_ready: AtomicBool::new(true) });
            let (watched, is_over) = (Arc::clone(&backend), Arc::clone(&is_over));
            thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    watched.is_ready.store(ready(api_port) == 200, Ordering::Relaxed);
                    thread::sleep(Duration::from_millis(50));
                }
            });
            backend
        });
        let next = AtomicUsize::new(0);
        let task = tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let backends = backends.clone();
                let first = next.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    for turn in 0..backends.len() {
                        let backend = &backends[(first + turn) % backends.len()];
                        if !backend.is_ready.load(Ordering::Relaxed) {
                            continue;
                        }
                        let address = SocketAddr::from(([127, 0, 0, 1], backend.port));
                        if let Ok(mut gateway) = TcpStream::connect(address).await {
                            // However it ends, both ends are closed.
                            let _ = copy_bidirectional(&mut client, &mut gateway).await;
                            return;
                        }
                    }
                });
            }
        });
        Self { port, is_over, task }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.task.abort();
    }
}

//! A TCP connection that can change over to the runtime of another thread.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    runtime::{Handle, Id},
};

/// A TCP connection, and the runtime that wakes who waits for it.
#[derive(Debug)]
pub(super) struct Socket {
    /// `None` once changing over has failed.
    tcp: Option<TcpStream>,
    runtime: Option<Id>,
}

impl Socket {
    /// Takes over a connection that was made inside the present runtime.
    pub(super) fn new(tcp: TcpStream) -> Self {
        Self { tcp: Some(tcp), runtime: present() }
    }

    /// The connection.
    ///
    /// # Errors
    /// `NotConnected` once changing over has failed.
    pub(super) fn tcp(&self) -> io::Result<&TcpStream> {
        self.tcp.as_ref().ok_or_else(gone)
    }

    fn tcp_mut(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.tcp.as_mut().map(Pin::new).ok_or_else(gone)
    }

    /// Whether the present runtime is the one that wakes who waits for it.
    pub(super) fn is_here(&self) -> bool {
        self.runtime == present()
    }

    /// Changes over to the present runtime. Who waited for it is not woken any more.
    ///
    /// # Errors
    /// When the system does not take it; it is closed then.
    pub(super) fn settle_here(&mut self) -> io::Result<()> {
        if self.is_here() {
            return Ok(());
        }
        let tcp = self.tcp.take().ok_or_else(gone)?;
        self.tcp = Some(TcpStream::from_std(tcp.into_std()?)?);
        self.runtime = present();
        Ok(())
    }
}

fn present() -> Option<Id> {
    Handle::try_current().ok().map(|runtime| runtime.id())
}

fn gone() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.get_mut().tcp_mut()?.poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().tcp_mut()?.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().tcp_mut()?.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().tcp_mut()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().tcp_mut()?.poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        runtime::Builder,
    };

    use super::*;

    #[test]
    fn a_connection_that_changed_over_outlives_the_runtime_it_was_made_in() {
        let runtime = || Builder::new_current_thread().enable_all().build().unwrap();
        let (first, second) = (runtime(), runtime());
        let (mut near, far) = first.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            (Socket::new(near), listener.accept().await.unwrap().0.into_std().unwrap())
        });
        second.block_on(async {
            assert!(!near.is_here());
            near.settle_here().unwrap();
            assert!(near.is_here());
        });
        drop(first);
        second.block_on(async move {
            let mut far = TcpStream::from_std(far).unwrap();
            far.write_all(b"hello").await.unwrap();
            let mut read = [0; 5];
            near.read_exact(&mut read).await.unwrap();
            assert_eq!(&read, b"hello");
        });
    }
}

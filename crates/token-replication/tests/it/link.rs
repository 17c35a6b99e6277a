//! A way to the server that can be cut: nothing passes then, and nobody is
//! told. Or it can be slow.

use core::net::SocketAddr;
use core::time::Duration;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(crate) struct Link {
    address: SocketAddr,
    open: Arc<watch::Sender<bool>>,
    delay: Arc<watch::Sender<Duration>>,
    _tasks: JoinSet<()>,
}

impl Link {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let open = Arc::new(watch::Sender::new(true));
        let mut tasks = JoinSet::new();
        let delay = Arc::new(watch::Sender::new(Duration::ZERO));
        let (state, slowness) = (Arc::clone(&open), Arc::clone(&delay));
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                connections.spawn(carry(near, port, state.subscribe(), slowness.subscribe()));
            }
        });
        Self {
            address,
            open,
            delay,
            _tasks: tasks,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// What is read from now on arrives so much later; all that passes meanwhile
    /// waits behind it.
    pub(crate) fn slow(&self, delay: Duration) {
        self.delay.send_replace(delay);
    }

    pub(crate) fn cut(&self) {
        self.open.send_replace(false);
    }

    /// Connections of before are broken then.
    pub(crate) fn heal(&self) {
        self.open.send_replace(true);
    }
}

async fn carry(
    mut near: TcpStream,
    port: u16,
    mut open: watch::Receiver<bool>,
    delay: watch::Receiver<Duration>,
) {
    let late = async || {
        let delay = *delay.borrow();
        tokio::time::sleep(delay).await;
    };
    // One that comes while it is cut hears nothing either.
    if wait(&mut open, true).await {
        return;
    }
    let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    let (mut out, mut back) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            biased;
            _ = wait(&mut open, false) => break,
            read = near.read(&mut out) => match read {
                Ok(n @ 1..) => {
                    late().await;
                    if far.write_all(&out[..n]).await.is_err() { return }
                }
                _ => return,
            },
            read = far.read(&mut back) => match read {
                Ok(n @ 1..) => {
                    late().await;
                    if near.write_all(&back[..n]).await.is_err() { return }
                }
                _ => return,
            },
        }
    }
    wait(&mut open, true).await;
}

/// Waits until it is open or cut; true when the link is gone.
async fn wait(open: &mut watch::Receiver<bool>, what: bool) -> bool {
    open.wait_for(|open| *open == what).await.is_err()
}

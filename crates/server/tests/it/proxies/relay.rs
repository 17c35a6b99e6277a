//! A way to Usher that can be broken: what a proxy meets when its authorizer is
//! down, slow or out of order.

use core::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// It goes on to Usher.
    Through,
    /// It is closed at once.
    Closed,
    /// It is read and never answered.
    Silent,
    /// It is answered with this.
    Answered(&'static str),
}

/// A listener before Usher.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    way: watch::Sender<Way>,
    serving: JoinHandle<()>,
}

impl Relay {
    pub(crate) async fn to(usher: SocketAddr) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let (way, chosen) = watch::channel(Way::Through);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                tokio::spawn(connection(stream, usher, chosen.clone()));
            }
        });
        Self {
            address,
            way,
            serving,
        }
    }

    /// Cuts every connection; further ones go this way.
    pub(crate) fn turn(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// Nobody listens any more: a connection is refused.
    pub(crate) async fn stop(self) {
        self.way.send_replace(Way::Closed);
        self.serving.abort();
        drop(self.serving.await);
    }
}

async fn connection(mut stream: TcpStream, usher: SocketAddr, mut chosen: watch::Receiver<Way>) {
    let way = *chosen.borrow_and_update();
    tokio::select! {
        () = go(way, &mut stream, usher) => {}
        // Another way, or no relay: either ends the connection.
        _ = chosen.changed() => {}
    }
}

async fn go(way: Way, stream: &mut TcpStream, usher: SocketAddr) {
    match way {
        Way::Through => {
            let mut onward = TcpStream::connect(usher).await.unwrap();
            drop(copy_bidirectional(stream, &mut onward).await);
        }
        Way::Closed => {}
        Way::Silent => drop(stream.read_to_end(&mut Vec::new()).await),
        Way::Answered(answer) => {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else {
                    return;
                };
                head.push(byte);
            }
            drop(stream.write_all(answer.as_bytes()).await);
        }
    }
}

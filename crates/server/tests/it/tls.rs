//! TLS on both listeners: who is let in, and certificates that change.

use core::net::SocketAddr;
use core::time::Duration;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use token_server::{Config, Server, StartError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};

use crate::harness::{NOW, TestClock};

const PATIENCE: Duration = Duration::from_secs(30);

/// An authority and what it signed, in files of a directory.
struct Authority {
    dir: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new(dir: &Path, name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(dir.join(format!("{name}.ca")), issuer.pem()).unwrap();
        Self {
            dir: dir.to_owned(),
            issuer,
        }
    }

    /// Writes `name.pem` and `name.key`, valid in these years.
    fn sign_for(&self, name: &str, years: [i32; 2]) {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = rcgen::date_time_ymd(years[0], 1, 1);
        params.not_after = rcgen::date_time_ymd(years[1], 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.dir.join(format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(self.dir.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    fn sign(&self, name: &str) {
        self.sign_for(name, [2020, 2120]);
    }

    /// The certificate in `name.pem`.
    fn leaf(&self, name: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.dir.join(format!("{name}.pem"))).unwrap()
    }
}

/// A configuration with these lines before what every test needs.
fn config(dir: &Path, lines: &str) -> Config {
    let file = dir.join("usher.toml");
    let (data, dir_text) = (dir.join("data"), dir.to_str().unwrap());
    let text = format!(
        "data_dir = {data:?}\nlisten = \"127.0.0.1:0\"\ninternal_listen = \"127.0.0.1:0\"\n{lines}"
    );
    std::fs::write(&file, text.replace("DIR", dir_text)).unwrap();
    Config::load(Some(&file), |_| None).unwrap()
}

const PUBLIC: &str = "tls_certificate = \"DIR/a.pem\"\ntls_key = \"DIR/a.key\"\n";
const INTERNAL: &str =
    "internal_tls_certificate = \"DIR/a.pem\"\ninternal_tls_key = \"DIR/a.key\"\n";

async fn start(config: Config) -> Server {
    Server::start_at(config, TestClock::at(NOW)).await.unwrap()
}

/// A client that trusts the authority `ca`.
struct Client {
    versions: Vec<&'static SupportedProtocolVersion>,
    roots: RootCertStore,
    identity: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>,
    protocols: Vec<Vec<u8>>,
}

impl Client {
    fn trusting(dir: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_file(dir.join("ca.ca")).unwrap();
        roots.add(authority).unwrap();
        Self {
            versions: vec![&version::TLS13],
            roots,
            identity: None,
            protocols: vec![b"http/1.1".to_vec()],
        }
    }

    fn showing(mut self, dir: &Path, name: &str) -> Self {
        let certificate = CertificateDer::from_pem_file(dir.join(format!("{name}.pem"))).unwrap();
        let key = PrivateKeyDer::from_pem_file(dir.join(format!("{name}.key"))).unwrap();
        self.identity = Some((certificate, key));
        self
    }

    async fn connect(&self, address: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&self.versions)
            .unwrap()
            .with_root_certificates(self.roots.clone());
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(vec![certificate.clone()], key.clone_key())
                .unwrap(),
        };
        config.alpn_protocols.clone_from(&self.protocols);
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
    }

    /// The status of `/healthz` on a connection of its own.
    async fn status(&self, address: SocketAddr) -> std::io::Result<String> {
        status(&mut self.connect(address).await?).await
    }
}

/// The status of `/healthz` on this connection.
async fn status(stream: &mut TlsStream<TcpStream>) -> std::io::Result<String> {
    let request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    stream.write_all(request).await?;
    let mut received = Vec::new();
    while !received.ends_with(b"{\"status\":\"ok\"}") {
        let mut part = [0; 1024];
        let read = stream.read(&mut part).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        received.extend_from_slice(&part[..read]);
    }
    let text = String::from_utf8(received).unwrap();
    Ok(text.split(' ').nth(1).unwrap().to_owned())
}

fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    let certificates = stream.get_ref().1.peer_certificates().unwrap();
    certificates[0].clone().into_owned()
}

#[tokio::test]
async fn both_listeners_speak_tls_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    Authority::new(dir, "ca").sign("a");
    let mut config = config(dir, &format!("{PUBLIC}{INTERNAL}"));
    // An address that others reach may be one, with TLS.
    config.internal_listen = "0.0.0.0:0".parse().unwrap();
    let server = start(config).await;
    assert!(server.public_url().starts_with("https://127.0.0.1:"));
    let internal = SocketAddr::new([127, 0, 0, 1].into(), server.internal_address().port());
    for address in [server.public_address(), internal] {
        for version in [&version::TLS13, &version::TLS12] {
            let client = Client {
                versions: vec![version],
                ..Client::trusting(dir)
            };
            assert_eq!(client.status(address).await.unwrap(), "200");
        }
        let mut client = Client::trusting(dir);
        client.protocols.insert(0, b"h2".to_vec());
        let stream = client.connect(address).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let mut plain = TcpStream::connect(address).await.unwrap();
        plain
            .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .await
            .unwrap();
        let mut received = Vec::new();
        drop(plain.read_to_end(&mut received).await);
        assert!(!received.starts_with(b"HTTP"));
    }
    server.shutdown().await;
}

#[tokio::test]
async fn new_handshakes_get_the_new_certificate_and_old_connections_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let authority = Authority::new(dir, "ca");
    authority.sign("a");
    let first = authority.leaf("a");
    let server = start(config(dir, PUBLIC)).await;
    let (address, client) = (server.public_address(), Client::trusting(dir));
    let mut old = client.connect(address).await.unwrap();
    assert_eq!(shown(&old), first);
    assert_eq!(status(&mut old).await.unwrap(), "200");
    // A certificate that is not the key's changes nothing.
    let whole = std::fs::read(dir.join("a.key")).unwrap();
    authority.sign("a");
    std::fs::write(dir.join("a.key"), &whole).unwrap();
    let refused = server.reload(config(dir, PUBLIC)).await.unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("is not that of the certificate"),
        "{refused}"
    );
    assert_eq!(shown(&client.connect(address).await.unwrap()), first);
    // Both are there.
    authority.sign("a");
    let second = authority.leaf("a");
    server.reload(config(dir, PUBLIC)).await.unwrap();
    assert_eq!(shown(&client.connect(address).await.unwrap()), second);
    assert_eq!(status(&mut old).await.unwrap(), "200");
    // Nobody says anything: the files are watched.
    authority.sign("a");
    let third = authority.leaf("a");
    let begun = Instant::now();
    while shown(&client.connect(address).await.unwrap()) != third {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(status(&mut old).await.unwrap(), "200");
    server.shutdown().await;
}

#[tokio::test]
async fn the_internal_listener_asks_for_certificates_of_its_authority() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    Authority::new(dir, "ca").sign("a");
    Authority::new(dir, "clients").sign("friend");
    Authority::new(dir, "others").sign("stranger");
    let bare = || Client::trusting(dir);
    for (required, nobody) in [
        ("", false),
        ("internal_client_certificate = \"optional\"\n", true),
    ] {
        let lines = format!("{INTERNAL}internal_client_ca = \"DIR/clients.ca\"\n{required}");
        let server = start(config(dir, &lines)).await;
        let address = server.internal_address();
        let friend = bare().showing(dir, "friend");
        assert_eq!(friend.status(address).await.unwrap(), "200");
        assert!(
            bare()
                .showing(dir, "stranger")
                .status(address)
                .await
                .is_err()
        );
        assert_eq!(bare().status(address).await.is_ok(), nobody);
        server.shutdown().await;
    }
}

#[tokio::test]
async fn a_handshake_that_stalls_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    Authority::new(dir, "ca").sign("a");
    let mut config = config(dir, PUBLIC);
    config.limits.handshake = Duration::from_millis(50);
    let server = start(config).await;
    let mut stream = TcpStream::connect(server.public_address()).await.unwrap();
    // The beginning of a handshake record.
    stream.write_all(&[22, 3, 1]).await.unwrap();
    let mut received = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut received)).await;
    assert!(closed.is_ok());
    server.shutdown().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let authority = Authority::new(dir, "ca");
    authority.sign("a");
    authority.sign("b");
    authority.sign_for("old", [2000, 2001]);
    authority.sign_for("coming", [2100, 2101]);
    std::fs::write(dir.join("text"), "canary\n").unwrap();
    std::fs::write(dir.join("torn"), "-----BEGIN CERTIFICATE-----\ncanary\n").unwrap();
    let rows = [
        ("none", "a.key", "cannot read DIR/none: "),
        ("a.pem", "none", "cannot read DIR/none: "),
        ("text", "a.key", "DIR/text holds no certificate"),
        ("a.key", "a.key", "DIR/a.key holds no certificate"),
        ("a.pem", "a.pem", "DIR/a.pem holds no private key"),
        ("torn", "a.key", "DIR/torn cannot be used: it is not PEM"),
        (
            "a.pem",
            "b.key",
            "the key in DIR/b.key is not that of the certificate in DIR/a.pem",
        ),
        (
            "old.pem",
            "old.key",
            "the certificate in DIR/old.pem has expired",
        ),
        (
            "coming.pem",
            "coming.key",
            "the certificate in DIR/coming.pem is not valid yet",
        ),
    ];
    for (certificate, key, expected) in rows {
        let lines = format!("tls_certificate = \"DIR/{certificate}\"\ntls_key = \"DIR/{key}\"\n");
        let config = config(dir, &lines);
        let refused = Server::start_at(config, TestClock::at(NOW))
            .await
            .unwrap_err();
        assert!(matches!(refused, StartError::Tls(_)));
        let told = refused.to_string();
        let expected = expected.replace("DIR", dir.to_str().unwrap());
        assert!(told.contains(&expected), "{told}");
        assert!(!told.contains("canary"), "{told}");
    }
}

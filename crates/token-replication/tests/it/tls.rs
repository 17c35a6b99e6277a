//! TLS to the log: by authorities of a file, and certificates that expire.

use std::fs;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use token_replication::{Options, StartError};

use crate::nats::Nats;
use crate::node::{Node, eventually, options};

/// An authority, and the directory where the server finds its certificate.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, dir }
    }

    /// A certificate of the server that is good until a year.
    fn certify(&self, until: i32) {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(self.path("server.pem"), certificate.pem()).unwrap();
        fs::write(self.path("server.key"), key.serialize_pem()).unwrap();
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    /// What the server is told.
    fn server(&self) -> String {
        format!(
            "tls {{ cert_file: {:?}, key_file: {:?} }}",
            self.path("server.pem"),
            self.path("server.key")
        )
    }
}

fn trusting(nats: &Nats, ca_file: &Path) -> Options {
    let mut options = options(&nats.url().replace("nats://", "tls://"));
    options.ca_file = Some(ca_file.to_owned());
    options
}

async fn start(options: Options) -> Result<Node, StartError> {
    Node::start_in(tempfile::tempdir().unwrap(), options).await
}

/// D06: TLS expired.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_expired_is_a_log_that_is_down() {
    let (authority, other) = (Authority::new(), Authority::new());
    authority.certify(2090);
    let ca_file = authority.path("ca.pem");
    let Some(mut nats) = Nats::start_tls(&authority.server(), &ca_file).await else {
        return;
    };
    let one = start(trusting(&nats, &ca_file)).await.unwrap();
    one.caught_up().await;
    one.make_keyset();
    one.revoke(0).await.unwrap();

    // Whose authority is another trusts nobody here.
    let stranger = start(trusting(&nats, &other.path("ca.pem"))).await.unwrap();
    assert!(!stranger.replication.status().connected);

    nats.kill(0);
    authority.certify(2021);
    nats.launch(0);
    one.revoke(1).await.unwrap_err();
    let late = start(trusting(&nats, &ca_file)).await.unwrap();
    assert!(!late.replication.is_caught_up() && !late.replication.status().connected);

    nats.kill(0);
    authority.certify(2090);
    nats.launch(0);
    late.caught_up().await;
    eventually("delivered after all", || late.denies(0) && late.denies(1)).await;
}

#[tokio::test]
async fn a_file_without_certificates_is_said_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty.pem");
    fs::write(&empty, "").unwrap();
    for (path, said) in [
        (empty, "holds no certificate"),
        (dir.path().join("none"), "No such file"),
    ] {
        let mut options = options("tls://127.0.0.1:1");
        options.ca_file = Some(path);
        let error = start(options).await.err().unwrap().to_string();
        assert!(
            error.contains(said) && error.contains("nats_ca_file"),
            "{error}"
        );
    }
}

//! Usher in front of the chat, with its rule file.

use core::net::SocketAddr;
use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;
use token_server::http::Request;
use token_server::{Caller, Config, Server};

const KEYSET: &str = "/v1/keysets/sub-c-chat";

/// A running Usher; it ends with the runtime.
pub(crate) struct Usher {
    server: Server,
    _directory: TempDir,
}

impl Usher {
    /// With the gateway before the chat at `upstream`.
    pub(crate) async fn before(upstream: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = directory.path().join("data");
        let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/chat.rules.toml");
        let file = directory.path().join("usher.toml");
        let text = format!(
            r#"
data_dir = {data_dir:?}
listen = "127.0.0.1:0"
internal_listen = "127.0.0.1:0"
upstream = "http://{upstream}"
rules = [{rules:?}]

[[keyset]]
name = "chat"
subscribe_key = "sub-c-chat"
publish_key = "pub-c-chat"
secret_key_env = "CHAT_SECRET_KEY"
"#
        );
        fs::write(&file, text).unwrap();
        let secret =
            |name: &str| (name == "CHAT_SECRET_KEY").then(|| "sec-c-chat-of-the-tests".to_owned());
        let config = Config::load(Some(&file), secret).unwrap();
        Self {
            server: Server::start(config).await.unwrap(),
            _directory: directory,
        }
    }

    pub(crate) fn gateway(&self) -> String {
        self.server.public_address().to_string()
    }

    pub(crate) const fn internal(&self) -> SocketAddr {
        self.server.internal_address()
    }

    async fn admin(&self, path: &str, body: &Value) -> Value {
        let request = Request::post(format!("{KEYSET}{path}"))
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(body.to_string().into())
            .unwrap();
        let answer = self.server.service().internal(Caller::InProcess, request);
        serde_json::from_slice(answer.await.body()).unwrap()
    }

    /// A token of `user` for the room `lobby`.
    pub(crate) async fn token(&self, user: &str, permissions: &[&str]) -> String {
        let channels = json!({"lobby": permissions});
        let permissions = json!({"resources": {"channels": channels}, "uuid": user});
        let body = json!({"ttl": 15, "permissions": permissions});
        let issued = self.admin("/tokens", &body).await;
        issued["token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn revoke(&self, token: &str) {
        let revoked = self.admin("/revocations", &json!({"token": token})).await;
        assert_eq!(revoked["kind"], "token", "{revoked}");
    }
}

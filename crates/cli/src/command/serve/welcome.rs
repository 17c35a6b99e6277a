//! What a first start prints: the keys, and what to paste next.

use core::net::SocketAddr;

use serde_json::json;
use token_server::{FirstKeyset, FirstStart};

use crate::output::LABEL;

pub(super) struct Welcome<'a> {
    pub(super) program: &'a str,
    pub(super) public: SocketAddr,
    /// Whether the public address speaks TLS.
    pub(super) encrypted: bool,
    /// The URL.
    pub(super) internal: &'a str,
    pub(super) keys: &'a FirstStart,
}

impl Welcome<'_> {
    pub(super) fn render(&self) -> String {
        let mut lines = vec![String::new(), heading("new keys, shown once")];
        let FirstStart {
            admin_key, keyset, ..
        } = self.keys;
        if let Some(keyset) = keyset {
            lines.push(format!("subscribe key  {}", keyset.subscribe_key));
            lines.push(format!("publish key    {}", keyset.publish_key));
            lines.push(format!("secret key     {}", keyset.secret_key.expose()));
        }
        if let Some(key) = admin_key {
            lines.push(format!("admin key      {}", key.expose()));
        }
        if let (Some(keyset), Some(admin_key)) = (keyset, admin_key) {
            self.command_line(keyset, admin_key.expose(), &mut lines);
            self.javascript(keyset, &mut lines);
            self.python(keyset, &mut lines);
        }
        lines.push(String::new());
        lines.join("\n")
    }

    /// The keys for programs: one line of JSON.
    pub(super) fn json(&self) -> String {
        let FirstStart {
            admin_key, keyset, ..
        } = self.keys;
        let keys = json!({
            "subscribe_key": keyset.as_ref().map(|keyset| keyset.subscribe_key.as_str()),
            "publish_key": keyset.as_ref().map(|keyset| keyset.publish_key.as_str()),
            "secret_key": keyset.as_ref().map(|keyset| keyset.secret_key.expose()),
            "admin_key": admin_key.as_ref().map(|key| key.expose()),
        });
        format!("{keys}\n")
    }

    fn command_line(&self, keyset: &FirstKeyset, admin_key: &str, lines: &mut Vec<String>) {
        let Self {
            program, internal, ..
        } = self;
        let subscribe_key = &keyset.subscribe_key;
        lines.extend([
            String::new(),
            heading("paste in another terminal: grant, inspect, check, revoke, check again"),
            format!("export USHER_SERVER={internal} USHER_ADMIN_KEY={admin_key}"),
            format!("TOKEN=$({program} grant --channel room-1=read,write --ttl 60 --token-only)"),
            format!("{program} inspect \"$TOKEN\""),
            format!("{program} check \"$TOKEN\" publish --channel room-1"),
            format!("{program} check \"$TOKEN\" publish --channel room-2"),
            format!("{program} revoke \"$TOKEN\""),
            format!("{program} check \"$TOKEN\" publish --channel room-1"),
            String::new(),
            heading("the same grant with curl"),
            format!("curl -s {internal}/v1/keysets/{subscribe_key}/tokens \\"),
            format!(
                "  -H 'Authorization: Bearer {admin_key}' -H 'Content-Type: application/json' \\"
            ),
            format!("  -d '{NATIVE_GRANT}'"),
        ]);
    }

    fn javascript(&self, keyset: &FirstKeyset, lines: &mut Vec<String>) {
        let FirstKeyset {
            subscribe_key,
            publish_key,
            secret_key,
            ..
        } = keyset;
        let secret_key = secret_key.expose();
        lines.extend([
            String::new(),
            heading("with the JavaScript SDK: npm install pubnub; node grant.mjs"),
            "import PubNub from 'pubnub';".to_owned(),
            format!(
                "const pubnub = new PubNub({{ userId: 'server', origin: '{}', ssl: {},",
                self.public, self.encrypted
            ),
            format!("  subscribeKey: '{subscribe_key}',"),
            format!("  publishKey: '{publish_key}',"),
            format!("  secretKey: '{secret_key}' }});"),
            "console.log(await pubnub.grantToken({ ttl: 60,".to_owned(),
            "  resources: { channels: { 'room-1': { read: true, write: true } } } }));".to_owned(),
        ]);
    }

    fn python(&self, keyset: &FirstKeyset, lines: &mut Vec<String>) {
        let FirstKeyset {
            subscribe_key,
            publish_key,
            secret_key,
            ..
        } = keyset;
        lines.extend([
            String::new(),
            heading("with the Python SDK: pip install pubnub; python grant.py"),
            "from pubnub.models.consumer.v3.channel import Channel".to_owned(),
            "from pubnub.pnconfiguration import PNConfiguration".to_owned(),
            "from pubnub.pubnub import PubNub".to_owned(),
            "config = PNConfiguration()".to_owned(),
            format!(
                "config.origin, config.ssl, config.user_id = '{}', {}, 'server'",
                self.public,
                if self.encrypted { "True" } else { "False" }
            ),
            format!("config.subscribe_key = '{subscribe_key}'"),
            format!("config.publish_key = '{publish_key}'"),
            format!("config.secret_key = '{}'", secret_key.expose()),
            "grant = PubNub(config).grant_token().ttl(60)".to_owned(),
            "grant = grant.channels([Channel.id('room-1').read().write()])".to_owned(),
            "print(grant.sync().result.get_token())".to_owned(),
        ]);
    }
}

/// The body of the native grant that is shown.
const NATIVE_GRANT: &str =
    r#"{"ttl":60,"permissions":{"resources":{"channels":{"room-1":["read","write"]}}}}"#;

fn heading(text: &str) -> String {
    format!("{LABEL}# {text}{LABEL:#}")
}

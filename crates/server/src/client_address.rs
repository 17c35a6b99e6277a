//! Where a request really came from, behind proxies.

use core::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};

/// The [`client_address`] of a request, beside it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the client, for logs and limits: the right-most address that no trusted
/// hop stands at.
///
/// Each proxy appends the peer that it saw to `X-Forwarded-For`, so the list
/// can be believed from its right end, and only as far as trusted proxies
/// wrote it. Whatever a client puts there itself stands further left.
pub(crate) fn client_address(
    peer: IpAddr,
    headers: &HeaderMap,
    trusts: impl Fn(IpAddr) -> bool,
) -> IpAddr {
    let lists = headers.get_all(FORWARDED_FOR).iter().rev();
    let hops = lists.flat_map(|list| list.to_str().unwrap_or("-").rsplit(','));
    let mut client = peer;
    for hop in hops {
        let Some(before) = trusts(client).then(|| address(hop.trim())).flatten() else {
            break;
        };
        client = before;
    }
    client
}

/// An address, also with a port.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse().ok().map(|socket: SocketAddr| socket.ip());
    text.parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// The client that is named, when 127.0.0.1 and 10.x.x.x are trusted.
    fn named(peer: &str, lists: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append(
                FORWARDED_FOR,
                HeaderValue::from_bytes(list.as_bytes()).unwrap(),
            );
        }
        let trusts = |hop: IpAddr| hop.is_loopback() || hop.to_string().starts_with("10.");
        client_address(peer.parse().unwrap(), &headers, trusts).to_string()
    }

    /// Attack F06.
    #[test]
    fn only_what_a_trusted_hop_appended_names_the_client() {
        let rows: &[(&str, &[&str], &str)] = &[
            ("127.0.0.1", &[], "127.0.0.1"),
            ("127.0.0.1", &["203.0.113.7"], "203.0.113.7"),
            // The client wrote the left one.
            ("127.0.0.1", &["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
            ("127.0.0.1", &["198.51.100.1", "203.0.113.7"], "203.0.113.7"),
            ("127.0.0.1", &["10.0.0.1, 203.0.113.7"], "203.0.113.7"),
            // Two proxies of ours.
            (
                "127.0.0.1",
                &["198.51.100.1, 203.0.113.7, 10.0.0.1"],
                "203.0.113.7",
            ),
            (
                "127.0.0.1",
                &["203.0.113.7, 10.0.0.1", "10.0.0.2"],
                "203.0.113.7",
            ),
            ("127.0.0.1", &["10.0.0.1,10.0.0.2"], "10.0.0.1"),
            // A peer that is not trusted says nothing.
            ("203.0.113.9", &["127.0.0.1"], "203.0.113.9"),
            ("203.0.113.9", &["10.0.0.1, 203.0.113.7"], "203.0.113.9"),
            // What is no address ends the list.
            ("127.0.0.1", &["203.0.113.7, unknown"], "127.0.0.1"),
            ("127.0.0.1", &["203.0.113.7, \u{e9}"], "127.0.0.1"),
            ("127.0.0.1", &["203.0.113.7", ""], "127.0.0.1"),
            ("127.0.0.1", &["203.0.113.7:4711"], "203.0.113.7"),
            ("::1", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("::1", &["2001:db8::1"], "2001:db8::1"),
        ];
        for (peer, lists, client) in rows {
            assert_eq!(named(peer, lists), *client, "{peer} {lists:?}");
        }
    }
}

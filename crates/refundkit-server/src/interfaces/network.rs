//! Where a request comes from in the network: the other end of its connection, or who a proxy says it is, when that proxy's word is
//! believed.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
    sync::Arc,
};

use axum::{
    extract::FromRequestParts,
    http::{Extensions, HeaderMap, request::Parts},
};
use ipnet::IpNet;

use crate::{app::App, limits};

/// The other end of a connection: put on each of its requests by the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// Where a request comes from, for handlers: [`client`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client(pub IpAddr);

impl FromRequestParts<Arc<App>> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        Ok(Self(client(&app.trusted_proxies, &parts.extensions, &parts.headers)))
    }
}

/// The bits of an IPv6 address that name a network: who has one address of it has them all.
const NETWORK_BITS: u32 = 64;
/// The bits of the largest network that is given to one customer: it has many of those.
const WIDE_NETWORK_BITS: u32 = 48;
/// In which proxies write from whom they have a request, each behind those before it.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The proxies whose word about addresses is believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl FromStr for TrustedProxies {
    type Err = String;

    /// Reads addresses and networks with commas between: `10.0.0.0/8, 192.0.2.7`.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let nets = parts.map(|part| {
            let net = part.parse::<IpNet>().ok();
            net.or_else(|| part.parse::<IpAddr>().ok().map(|address| IpNet::from(address.to_canonical())))
                .ok_or_else(|| format!("`{part}` is neither an address nor a network such as 10.0.0.0/8"))
        });
        let nets: Vec<_> = nets.collect::<Result<_, _>>()?;
        if nets.len() > limits::TRUSTED_PROXIES_MAX {
            return Err(format!("expected at most {} addresses and networks", limits::TRUSTED_PROXIES_MAX));
        }
        Ok(Self(nets))
    }
}

impl TrustedProxies {
    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|net| net.contains(&address))
    }
}

/// Where a request comes from. Its connection says so; and as long as who says it is a trusted proxy, the proxy's word counts
/// instead, which stands at the end of the header: whatever was in it before may be anybody's invention.
pub fn client(trusted: &TrustedProxies, extensions: &Extensions, headers: &HeaderMap) -> IpAddr {
    let peer = extensions.get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0);
    let mut client = peer.to_canonical();
    let lines: Vec<&str> = headers.get_all(FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok()).collect();
    let hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
    for hop in hops.take(limits::FORWARDED_HOPS_MAX) {
        if !trusted.trusts(client) {
            break;
        }
        let Ok(before) = hop.trim().parse::<IpAddr>() else { break };
        client = before.to_canonical();
    }
    client
}

/// What tries are counted by: the address, or the network of an IPv6 address.
pub fn place(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => network(address, NETWORK_BITS).into(),
    }
}

/// The large network of an IPv6 address, by which tries are counted as well.
pub fn wide_place(address: IpAddr) -> Option<IpAddr> {
    match address.to_canonical() {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => Some(network(address, WIDE_NETWORK_BITS).into()),
    }
}

/// The first bits of an address.
fn network(address: Ipv6Addr, bits: u32) -> Ipv6Addr {
    let rest = Ipv6Addr::BITS.saturating_sub(bits);
    Ipv6Addr::from(u128::from(address) >> rest << rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client_of(trusted: &str, peer: &str, lines: &[&str]) -> String {
        let (mut extensions, mut headers) = (Extensions::new(), HeaderMap::new());
        extensions.insert(Peer(peer.parse().unwrap()));
        for line in lines {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        client(&trusted.parse().unwrap(), &extensions, &headers).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_and_only_what_it_says_itself() {
        for (trusted, peer, lines, client) in [
            ("", "192.0.2.1", &["203.0.113.9"][..], "192.0.2.1"),
            ("10.0.0.0/8", "192.0.2.1", &["203.0.113.9"], "192.0.2.1"),
            ("10.0.0.0/8", "10.1.2.3", &["203.0.113.9"], "203.0.113.9"),
            ("10.0.0.0/8", "10.1.2.3", &["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.0/8", "10.1.2.3", &["1.1.1.1, 203.0.113.9, 10.9.9.9"], "203.0.113.9"),
            ("10.0.0.0/8", "10.1.2.3", &["1.1.1.1", "203.0.113.9,10.9.9.9"], "203.0.113.9"),
            ("10.0.0.0/8", "10.1.2.3", &["203.0.113.9, nonsense"], "10.1.2.3"),
            ("10.0.0.0/8", "10.1.2.3", &[], "10.1.2.3"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", &["2001:db8::1"], "2001:db8::1"),
            ("127.0.0.1, ::1", "::1", &["10.0.0.4, 127.0.0.1"], "10.0.0.4"),
        ] {
            assert_eq!(client_of(trusted, peer, lines), client, "{trusted} {peer} {lines:?}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused_by_name() {
        let refused = "10.0.0.0/8, proxy.local".parse::<TrustedProxies>().unwrap_err();
        assert!(refused.contains("proxy.local"), "{refused}");
        assert!("10.0.0.0/33".parse::<TrustedProxies>().is_err());
    }
}

//! Which address a client has. The connection's other end, unless that is a proxy of ours: then the
//! rightmost address of `X-Forwarded-For` that is none. What stands further left anyone can have written.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies in front of the gateway.
#[derive(Debug)]
pub(crate) struct Proxies(Vec<Network>);

#[derive(Debug)]
struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    /// An address, or an address and a prefix length.
    fn read(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(longest);
        (prefix <= longest).then_some(Self { address, prefix })
    }

    fn contains(&self, address: IpAddr) -> bool {
        let (own, other, longest) = match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (u128::from(own.to_bits()), u128::from(other.to_bits()), 32)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits(), other.to_bits(), 128),
            _ => return false,
        };
        // A shift by all bits is none.
        let shift = longest - self.prefix;
        own.checked_shr(shift) == other.checked_shr(shift)
    }
}

impl Proxies {
    /// A list of addresses and networks (`10.0.0.0/8`).
    ///
    /// # Errors
    /// Names the entry that is neither.
    pub(crate) fn new(list: &[String]) -> Result<Self, String> {
        let read = |text: &String| {
            Network::read(text).ok_or_else(|| {
                format!("http.trusted_proxies: '{text}' is not an address or a network such as 10.0.0.0/8")
            })
        };
        list.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// The client's address: the connection's other end, or whom a proxy of ours names.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        self.behind(peer.to_canonical(), headers)
    }

    fn behind(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut last = peer;
        let values = headers.get_all(&FORWARDED_FOR);
        let values: Vec<&str> = values
            .iter()
            .map(|v| v.to_str().unwrap_or_default())
            .collect();
        let mut hops = values.iter().rev().flat_map(|value| value.rsplit(','));
        while self.trusts(last) {
            // What a proxy of ours did not write as an address ends the trail at that proxy.
            match hops.next().and_then(address) {
                Some(address) => last = address,
                None => break,
            }
        }
        last
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

/// An address, with a port or without.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address: Option<IpAddr> = bare.unwrap_or(text).parse().ok();
    address
        .or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()))
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_proxies_of_ours_say_for_whom_they_ask() {
        let proxies = ["127.0.0.1", "10.0.0.0/8", "fd00::/8"].map(str::to_owned);
        let proxies = Proxies::new(&proxies).unwrap();
        for (peer, forwarded, client) in [
            ("203.0.113.9", &["198.51.100.1"][..], "203.0.113.9"),
            ("127.0.0.1", &[], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("127.0.0.1", &["6.6.6.6, 198.51.100.1"], "198.51.100.1"),
            (
                "127.0.0.1",
                &["6.6.6.6", "198.51.100.1, 10.1.2.3"],
                "198.51.100.1",
            ),
            ("127.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("10.9.9.9", &["[2001:db8::1]:4711, fd12::1"], "2001:db8::1"),
            ("10.9.9.9", &["2001:db8::1"], "2001:db8::1"),
            ("10.9.9.9", &["::ffff:198.51.100.1"], "198.51.100.1"),
            ("127.0.0.1", &["198.51.100.1, unknown"], "127.0.0.1"),
            (
                "127.0.0.1",
                &["198.51.100.1, unknown, 10.0.0.1"],
                "10.0.0.1",
            ),
            ("127.0.0.1", &["10.0.0.1, 10.0.0.2"], "10.0.0.1"),
            ("127.0.0.1", &[""], "127.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append(FORWARDED_FOR, HeaderValue::from_static(value));
            }
            let found = proxies.behind(peer.parse().unwrap(), &headers);
            assert_eq!(found.to_string(), client, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn a_network_is_an_address_and_at_most_its_bits() {
        for bad in [
            "",
            "x",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "10.0.0/8",
        ] {
            assert!(Proxies::new(&[bad.to_owned()]).is_err(), "{bad}");
        }
        let all = Proxies::new(&["0.0.0.0/0".to_owned()]).unwrap();
        assert!(all.trusts("203.0.113.9".parse().unwrap()));
        assert!(!all.trusts("::1".parse().unwrap()));
        let some = Proxies::new(&["192.0.2.128/25".to_owned()]).unwrap();
        assert!(some.trusts("192.0.2.129".parse().unwrap()));
        assert!(!some.trusts("192.0.2.127".parse().unwrap()));
    }
}

//! Which addresses may be spoken to, so that nobody reaches through the gateway what they could not reach themselves.
//!
//! Source: IANA IPv4 and IPv6 Special-Purpose Address Registries.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Of no machine that calls could be meant for: link-local (where clouds keep their credentials), multicast, reserved.
    Never,
    /// Of this machine or a private network.
    Private,
    /// Of the public network.
    Public,
}

/// What `address` is; one of IPv4 that is written as IPv6 is what it is as IPv4.
pub(super) fn standing(address: IpAddr) -> Standing {
    match address.to_canonical() {
        IpAddr::V4(address) => v4(address),
        IpAddr::V6(address) => v6(address),
    }
}

fn v4(address: Ipv4Addr) -> Standing {
    match address.octets() {
        [10 | 127, ..] | [192, 168, ..] => Standing::Private,
        [172, second, ..] if (16..32).contains(&second) => Standing::Private,
        // Carriers' networks (RFC 6598), which clouds use for their own.
        [100, second, ..] if (64..128).contains(&second) => Standing::Private,
        [0 | 224..=255, ..]
        | [169, 254, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _] => Standing::Never,
        _ => Standing::Public,
    }
}

fn v6(address: Ipv6Addr) -> Standing {
    // Where a cloud's machines ask for their credentials, in the midst of a private range.
    if address == AWS_METADATA {
        return Standing::Never;
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Standing::Private,
        [0xfc00..=0xfdff, ..] => Standing::Private,
        // Protocols' own, documentation, and what carries an address of IPv4 inside (Teredo, 6to4).
        [0x2001, 0..=0x01ff | 0x0db8, ..] | [0x2002, ..] | [0x3fff, 0..=0x0fff, ..] => Standing::Never,
        [0x2000..=0x3fff, ..] => Standing::Public,
        _ => Standing::Never,
    }
}

const AWS_METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_has_its_standing_from_its_first_address_to_its_last() {
        for (expected, addresses) in [
            (
                Standing::Private,
                "10.0.0.0 10.255.255.255 127.0.0.1 127.255.255.255 172.16.0.0 172.31.255.255 192.168.0.0 \
                 192.168.255.255 100.64.0.0 100.127.255.255 ::1 fc00:: fdff:ffff::1 ::ffff:127.0.0.1 ::ffff:10.1.2.3",
            ),
            (
                Standing::Never,
                "0.0.0.0 0.255.255.255 169.254.0.0 169.254.169.254 169.254.255.255 192.0.0.8 192.0.2.1 192.88.99.1 \
                 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.255 240.0.0.1 \
                 255.255.255.255 :: fe80::1 febf::1 fec0::1 ff02::1 fd00:ec2::254 64:ff9b::7f00:1 64:ff9b:1::1 \
                 100::1 2001::1 2001:1ff::1 2001:db8::1 2002:7f00:1::1 3fff::1 3fff:fff::1 ::ffff:169.254.169.254 \
                 ::127.0.0.1 4000::1",
            ),
            (
                Standing::Public,
                "1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1 169.253.255.255 \
                 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255 192.169.0.0 198.17.255.255 \
                 198.20.0.0 223.255.255.255 2001:200::1 2001:4860:4860::8888 2606:4700::1 3ffe::1 ::ffff:8.8.8.8",
            ),
        ] {
            for address in addresses.split_whitespace() {
                assert_eq!(standing(address.parse().unwrap()), expected, "{address}");
            }
        }
    }
}

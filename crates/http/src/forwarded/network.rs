use std::{fmt, net::IpAddr, str::FromStr};

/// A network of addresses: `10.0.0.0/8`, `fd00::/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// The text is not a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseNetworkError {
    /// It is not an address with the length of a prefix.
    #[error("expected an address and the length of its prefix, as 10.0.0.0/8 or fd00::/8")]
    Malformed,
    /// Bits are set that do not belong to the prefix: there is a mistake in one of the two.
    #[error("the address has bits behind the prefix")]
    BitsBehindPrefix,
}

impl Network {
    /// Whether the address is one of the network. An IPv4 address that is written as IPv6 is as good
    /// as the address that it stands for.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => {
                shared(bits(self.address) ^ bits(address.to_canonical()), self.prefix)
            }
            _ => false,
        }
    }
}

/// The address, with its first bit first.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Whether the first bits, so many, are the same.
fn shared(difference: u128, prefix: u8) -> bool {
    difference.leading_zeros() >= u32::from(prefix)
}

impl FromStr for Network {
    type Err = ParseNetworkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| ParseNetworkError::Malformed)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let decimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let prefix = match prefix {
            None => Some(longest),
            Some(text) if decimal(text) => text.parse().ok().filter(|prefix| *prefix <= longest),
            Some(_) => None,
        };
        let prefix = prefix.ok_or(ParseNetworkError::Malformed)?;
        // Such addresses are compared as the IPv4 addresses that they stand for.
        if address.to_canonical() != address {
            return Err(ParseNetworkError::Malformed);
        }
        let rest = bits(address).checked_shl(u32::from(prefix)).unwrap_or(0);
        if rest != 0 {
            return Err(ParseNetworkError::BitsBehindPrefix);
        }
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_what_begins_alike() {
        for (network, address, expected) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "203.0.113.9", false),
            ("127.0.0.1/32", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("192.0.2.128/25", "192.0.2.127", false),
            ("2001:db8::/33", "2001:db8:7fff::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false),
            ("::1/128", "::1", true),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), expected, "{network} {address}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "/",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.0/-1",
            "10.0.0.0/8/8",
            "10.0.0/8",
            "fd00::/129",
            "example.com/8",
            "::ffff:10.0.0.0/104",
        ] {
            assert_eq!(text.parse::<Network>(), Err(ParseNetworkError::Malformed), "{text}");
        }
        for text in ["10.0.0.1/8", "fd00::1/64", "0.0.0.1/0"] {
            assert_eq!(text.parse::<Network>(), Err(ParseNetworkError::BitsBehindPrefix), "{text}");
        }
    }

    #[test]
    fn a_network_is_printed_as_it_is_read() {
        for text in ["10.0.0.0/8", "fd00::/8", "127.0.0.1/32", "0.0.0.0/0"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
    }
}

//! Where a service is to be looked for, as it stands in the configuration.

use std::fmt;
use std::str::FromStr;

use crate::endpoint::{EndpointId, Target, Targets, ordered};

/// Where the instances of a service are known.
///
/// | form | meaning |
/// |---|---|
/// | `http://host:port[ weight], …` | these, and no others |
/// | `dns://host:port` | every IPv4 address of the host, or every IPv6 one if it has no other |
/// | `srv://_http._tcp.name` | the targets of the SRV records, with priorities and weights |
/// | `kubernetes://namespace/service:portname` | the ready endpoints of the service |
/// | `consul://service` | the instances whose checks pass |
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// A list that does not change.
    Static(Targets),
    /// Addresses of a host name.
    Dns {
        /// The name.
        host: String,
        /// The port of every instance.
        port: u16,
    },
    /// SRV records (RFC 2782).
    Srv {
        /// `_service._protocol.name`.
        name: String,
    },
    /// EndpointSlices of a Kubernetes service.
    Kubernetes {
        /// The service's namespace.
        namespace: String,
        /// The service's name.
        service: String,
        /// The name of its port; empty for the only port, which has none.
        port: String,
    },
    /// A service in Consul's catalogue.
    Consul {
        /// The service's name.
        service: String,
    },
}

/// What is wrong with an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The part before `://` is unknown or missing.
    #[error("'{0}' must begin with http://, dns://, srv://, kubernetes:// or consul://")]
    Scheme(String),
    /// Not a host and a port.
    #[error("'{0}' must be a host and a port from 1 to 65535, as in {1}://host:8080")]
    HostPort(String, &'static str),
    /// Not a weight.
    #[error("the weight '{0}' must be a number from 1 to 1000")]
    Weight(String),
    /// The same instance is listed more than once.
    #[error("'{0}' is listed twice")]
    Twice(String),
    /// Not the name of SRV records.
    #[error("'{0}' must name a service and a protocol, as in srv://_http._tcp.name.internal")]
    SrvName(String),
    /// Not a service of Kubernetes.
    #[error("'{0}' must be namespace/service:portname, of lower-case letters, digits and '-'")]
    KubernetesName(String),
    /// Not a service of Consul.
    #[error("'{0}' must be the name of a service, of letters, digits, '-', '_' and '.'")]
    ConsulName(String),
}

impl fmt::Display for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static(targets) => {
                let ids = targets.iter().map(|target| format!("http://{}", target.id));
                f.write_str(&ids.collect::<Vec<_>>().join(", "))
            }
            Self::Dns { host, port } => write!(f, "dns://{host}:{port}"),
            Self::Srv { name } => write!(f, "srv://{name}"),
            Self::Kubernetes {
                namespace,
                service,
                port,
            } => write!(f, "kubernetes://{namespace}/{service}:{port}"),
            Self::Consul { service } => write!(f, "consul://{service}"),
        }
    }
}

impl FromStr for Discovery {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(AddressError::Scheme(text.to_owned()));
        };
        match scheme {
            "http" => listed(text),
            "dns" => {
                let (host, port) = host_port(rest, "dns")?;
                Ok(Self::Dns {
                    host: host.to_owned(),
                    port,
                })
            }
            "srv" => srv(rest),
            "kubernetes" => kubernetes(rest),
            "consul" => consul(rest),
            _ => Err(AddressError::Scheme(text.to_owned())),
        }
    }
}

fn listed(text: &str) -> Result<Discovery, AddressError> {
    let mut targets: Vec<Target> = Vec::new();
    for entry in text.split(',').map(str::trim) {
        let (url, weight) = match entry.split_once(char::is_whitespace) {
            Some((url, weight)) => (url, weight.trim()),
            None => (entry, "1"),
        };
        let place = url.strip_prefix("http://").unwrap_or(url);
        let (host, port) = host_port(place.strip_suffix('/').unwrap_or(place), "http")?;
        let bad = || AddressError::HostPort(url.to_owned(), "http");
        let id = EndpointId::new(host, port).ok_or_else(bad)?;
        if targets.iter().any(|target| target.id == id) {
            return Err(AddressError::Twice(id.to_string()));
        }
        let mut target = Target::plain(id);
        target.weight = match weight.parse() {
            Ok(weight @ 1..=1_000) => weight,
            _ => return Err(AddressError::Weight(weight.to_owned())),
        };
        targets.push(target);
    }
    Ok(Discovery::Static(ordered(targets)))
}

fn host_port<'t>(text: &'t str, scheme: &'static str) -> Result<(&'t str, u16), AddressError> {
    let bad = || AddressError::HostPort(text.to_owned(), scheme);
    let (host, port) = text.rsplit_once(':').ok_or_else(bad)?;
    let host = match host.strip_prefix('[') {
        Some(host) => host.strip_suffix(']').ok_or_else(bad)?,
        None if host.contains(':') => return Err(bad()),
        None => host,
    };
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    let port: u16 = port.parse().map_err(|_| bad())?;
    if !digits || port == 0 || EndpointId::new(host, port).is_none() {
        return Err(bad());
    }
    Ok((host, port))
}

fn srv(name: &str) -> Result<Discovery, AddressError> {
    let mut labels = name.split('.');
    let marked = |label: Option<&str>| label.is_some_and(|l| l.len() > 1 && l.starts_with('_'));
    let good = marked(labels.next())
        && marked(labels.next())
        && labels.next().is_some_and(|label| !label.is_empty())
        && only(name, "_-.");
    if !good {
        return Err(AddressError::SrvName(name.to_owned()));
    }
    Ok(Discovery::Srv {
        name: name.to_owned(),
    })
}

fn kubernetes(text: &str) -> Result<Discovery, AddressError> {
    let bad = || AddressError::KubernetesName(text.to_owned());
    let (namespace, rest) = text.split_once('/').ok_or_else(bad)?;
    let (service, port) = rest.split_once(':').ok_or_else(bad)?;
    let label = |name: &str| {
        !name.is_empty() && only(name, "-") && !name.bytes().any(|byte| byte.is_ascii_uppercase())
    };
    if !(label(namespace) && label(service) && (port.is_empty() || label(port))) {
        return Err(bad());
    }
    Ok(Discovery::Kubernetes {
        namespace: namespace.to_owned(),
        service: service.to_owned(),
        port: port.to_owned(),
    })
}

fn consul(service: &str) -> Result<Discovery, AddressError> {
    if service.is_empty() || !only(service, "-_.") {
        return Err(AddressError::ConsulName(service.to_owned()));
    }
    Ok(Discovery::Consul {
        service: service.to_owned(),
    })
}

/// Whether the text has ASCII letters, digits and these signs only: what goes into a path as it is.
fn only(text: &str, signs: &str) -> bool {
    text.chars()
        .all(|sign| sign.is_ascii_alphanumeric() || signs.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_address_is_understood() {
        let Discovery::Static(list) = "http://a:80, b:81 3,http://[::1]:82/".parse().unwrap()
        else {
            panic!("not a list");
        };
        let list: Vec<(String, u32)> = list
            .iter()
            .map(|target| (target.id.to_string(), target.weight))
            .collect();
        let entry = |id: &str, weight| (id.to_owned(), weight);
        assert_eq!(
            list,
            [entry("[::1]:82", 1), entry("a:80", 1), entry("b:81", 3)]
        );
        for text in [
            "dns://flights.internal:8011",
            "srv://_http._tcp.flights.internal",
            "kubernetes://travel/flights:http",
            "kubernetes://travel/flights:",
            "consul://flight_service",
        ] {
            assert!(text.parse::<Discovery>().is_ok(), "{text}");
        }
    }

    #[test]
    fn a_wrong_address_is_refused_with_what_is_wrong_with_it() {
        for (text, says) in [
            ("", "must begin with http://"),
            ("127.0.0.1:80", "must begin with http://"),
            ("https://a:1", "must begin with http://"),
            ("http://", "a host and a port"),
            ("http://a", "a host and a port"),
            ("http://a:0", "a host and a port"),
            ("http://a:+1", "a host and a port"),
            ("http://a:65536", "a host and a port"),
            ("http://a:1/x", "a host and a port"),
            ("http://a@b:1", "a host and a port"),
            ("http://a:1,", "a host and a port"),
            ("http://::1:80", "a host and a port"),
            ("http://a:1 0", "the weight '0'"),
            ("http://a:1 heavy", "the weight 'heavy'"),
            ("http://a:1,http://A:1", "is listed twice"),
            ("dns://a", "dns://host:8080"),
            ("srv://flights.internal", "a service and a protocol"),
            ("srv://_http._tcp", "a service and a protocol"),
            ("srv://_http._tcp.a b", "a service and a protocol"),
            ("kubernetes://flights", "namespace/service:portname"),
            ("kubernetes://a/b", "namespace/service:portname"),
            ("kubernetes://a/../b:http", "namespace/service:portname"),
            ("kubernetes://a/B:http", "namespace/service:portname"),
            ("consul://", "the name of a service"),
            ("consul://a/b?c", "the name of a service"),
        ] {
            let error = text.parse::<Discovery>().unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}

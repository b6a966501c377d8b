//! The front door: routes by the catalogue, authenticates, proxies.

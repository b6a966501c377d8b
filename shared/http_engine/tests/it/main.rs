//! The listener, spoken to in bytes.

#[cfg(test)]
mod drain;
#[cfg(test)]
mod echo;
#[cfg(test)]
mod floods;
#[cfg(test)]
mod frames;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod measure;
#[cfg(test)]
mod probe;
#[cfg(test)]
mod probe_requests;
#[cfg(test)]
mod random;
#[cfg(test)]
mod raw;
#[cfg(test)]
mod slow;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod switch;
#[cfg(test)]
mod tls;

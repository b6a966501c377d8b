//! HTTP/2 frames as they pass (RFC 9113 §4.1): enough to count and to time them, nothing more.

/// Kinds of frames (RFC 9113 §6).
pub(crate) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const RST_STREAM: u8 = 3;
    pub(crate) const SETTINGS: u8 = 4;
    pub(crate) const PING: u8 = 6;
    pub(crate) const GOAWAY: u8 = 7;
    pub(crate) const WINDOW_UPDATE: u8 = 8;
    pub(crate) const CONTINUATION: u8 = 9;
}

const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A frame's own header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) length: u32,
    pub(crate) kind: u8,
    flags: u8,
    /// 0: the connection.
    pub(crate) stream: u32,
}

impl Head {
    fn read(text: &[u8]) -> Option<Self> {
        let [a, b, c, kind, flags, s0, s1, s2, s3] = *<&[u8; 9]>::try_from(text).ok()?;
        Some(Self {
            length: u32::from_be_bytes([0, a, b, c]),
            kind,
            flags,
            // The first bit is reserved.
            stream: u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]),
        })
    }

    pub(crate) fn ends_stream(self) -> bool {
        matches!(self.kind, kind::DATA | kind::HEADERS) && self.flags & END_STREAM != 0
    }

    pub(crate) fn ends_headers(self) -> bool {
        matches!(self.kind, kind::HEADERS | kind::CONTINUATION) && self.flags & END_HEADERS != 0
    }

    pub(crate) fn is_ack(self) -> bool {
        matches!(self.kind, kind::SETTINGS | kind::PING) && self.flags & ACK != 0
    }

    /// How long the entries are that its payload is read in; 0 where nothing of it matters.
    fn entry(self) -> usize {
        match self.kind {
            kind::SETTINGS => 6,
            kind::WINDOW_UPDATE => 4,
            _ => 0,
        }
    }
}

/// What is seen of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Its header is there.
    Begun(Head),
    /// So much of its payload passed.
    Payload(Head, u32),
    /// A setting and its value.
    Setting(u16, u32),
    /// The window of a stream, or of the connection, is so much wider.
    Wider(u32, u32),
    /// It is over.
    Ended(Head),
}

/// Takes a stream of bytes apart, however it arrives.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    held: Vec<u8>,
    frame: Option<(Head, u32)>,
}

impl Frames {
    /// What comes next in the bytes, which are taken off. `None` when they are used up.
    pub(crate) fn next(&mut self, bytes: &mut &[u8]) -> Option<Seen> {
        loop {
            let Some((head, left)) = &mut self.frame else {
                if bytes.is_empty() || !fill(&mut self.held, bytes, 9) {
                    return None;
                }
                let head = Head::read(&self.held)?;
                self.held.clear();
                self.frame = Some((head, head.length));
                return Some(Seen::Begun(head));
            };
            let head = *head;
            if *left == 0 {
                self.frame = None;
                self.held.clear();
                return Some(Seen::Ended(head));
            }
            if bytes.is_empty() {
                return None;
            }
            let most = usize::try_from(*left).unwrap_or(usize::MAX);
            if head.entry() == 0 {
                let (passed, rest) = bytes.split_at_checked(most).unwrap_or((bytes, &[]));
                *bytes = rest;
                let passed = u32::try_from(passed.len()).unwrap_or(u32::MAX);
                *left = left.saturating_sub(passed);
                return Some(Seen::Payload(head, passed));
            }
            let before = bytes.len();
            let (mut within, rest) = bytes.split_at_checked(most).unwrap_or((bytes, &[]));
            let whole = fill(&mut self.held, &mut within, head.entry());
            let used = before - rest.len() - within.len();
            *bytes = bytes.get(used..).unwrap_or_default();
            *left = left.saturating_sub(u32::try_from(used).unwrap_or(u32::MAX));
            if !whole {
                continue;
            }
            let seen = match *self.held.as_slice() {
                [a, b, v0, v1, v2, v3] => Seen::Setting(
                    u16::from_be_bytes([a, b]),
                    u32::from_be_bytes([v0, v1, v2, v3]),
                ),
                [v0, v1, v2, v3] => {
                    Seen::Wider(head.stream, u32::from_be_bytes([v0 & 0x7f, v1, v2, v3]))
                }
                _ => continue,
            };
            self.held.clear();
            return Some(seen);
        }
    }

    /// Whether no frame has begun that is not over.
    pub(crate) fn is_between(&self) -> bool {
        self.held.is_empty() && self.frame.is_none_or(|(_, left)| left == 0)
    }

    /// How much may pass without beginning another frame; 0 between frames.
    pub(crate) fn rest(&self) -> usize {
        match self.frame {
            Some((_, left)) => usize::try_from(left).unwrap_or(usize::MAX),
            None if self.held.is_empty() => 0,
            None => 9 - self.held.len().min(9),
        }
    }

    /// Whether a frame other than DATA has begun and is not over.
    pub(crate) fn is_within_control(&self) -> bool {
        match self.frame {
            Some((head, left)) => head.kind != kind::DATA && left > 0,
            None => !self.held.is_empty(),
        }
    }
}

/// Moves bytes until so many are held. Whether they are.
fn fill(held: &mut Vec<u8>, bytes: &mut &[u8], whole: usize) -> bool {
    let wanted = whole.saturating_sub(held.len());
    let (taken, rest) = bytes.split_at_checked(wanted).unwrap_or((bytes, &[]));
    held.extend_from_slice(taken);
    *bytes = rest;
    held.len() >= whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_the_same_however_they_arrive() {
        let text: &[u8] = &[
            0, 0, 12, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 7, 0, 1, 0, 0, 1, 0, // SETTINGS
            0, 0, 0, 4, 1, 0, 0, 0, 0, // its ACK
            0, 0, 4, 8, 0, 0x80, 0, 0, 3, 0x80, 0, 0, 9, // WINDOW_UPDATE, reserved bits set
            0, 0, 2, 1, 5, 0, 0, 0, 5, 1, 2, // HEADERS
            0, 0, 3, 0, 1, 0, 0, 0, 5, 1, 2, 3, // DATA
        ];
        for step in 1..=text.len() {
            let (mut frames, mut seen) = (Frames::default(), Vec::new());
            let mut payload = 0;
            for mut piece in text.chunks(step) {
                while let Some(next) = frames.next(&mut piece) {
                    match next {
                        Seen::Payload(_, length) => payload += length,
                        next => seen.push(next),
                    }
                }
                assert!(piece.is_empty());
            }
            assert!(frames.is_between() && frames.rest() == 0);
            assert_eq!(payload, 5);
            assert!(
                matches!(seen[1], Seen::Setting(4, 7)),
                "in pieces of {step}"
            );
            assert!(matches!(seen[2], Seen::Setting(1, 256)));
            assert!(matches!(seen[4], Seen::Begun(head) if head.is_ack()));
            assert!(matches!(seen[7], Seen::Wider(3, 9)));
            assert!(
                matches!(seen[9], Seen::Begun(head) if head.ends_headers() && head.ends_stream())
            );
            assert!(matches!(seen[12], Seen::Ended(head) if head.kind == kind::DATA));
        }
    }
}

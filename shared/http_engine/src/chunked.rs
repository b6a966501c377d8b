//! The chunked transfer coding (RFC 9112 §7.1), read strictly. Every reading that another program might
//! not share is refused: that is what request smuggling is made of.

use bytes::{Buf as _, Bytes, BytesMut};

/// The most that chunk extensions and the trailer section of one body may have in bytes. Nobody needs
/// them; unbounded they are work that no limit of the body's size counts.
const MOST_ASIDE: usize = 4 * 1024;
/// A chunk's size may have so many digits; more cannot be a size of anything.
const MOST_DIGITS: usize = 15;

const TOO_LONG: Malformed = Malformed("chunk extensions or trailers are too long");

/// A body that is not what RFC 9112 says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// What comes out of the decoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Some of the body.
    Data(Bytes),
    /// The body and its trailer section are over.
    End,
    /// More must be read first.
    Short,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Size,
    Data(u64),
    /// The CRLF behind a chunk.
    Seam,
    Trailer,
    End,
}

/// Takes a chunked body apart.
#[derive(Clone, Debug)]
pub(crate) struct Decoder {
    at: At,
    aside: usize,
}

impl Decoder {
    pub(crate) fn new() -> Self {
        Self {
            at: At::Size,
            aside: 0,
        }
    }

    /// The next piece of what is in the buffer, which is taken out of it.
    pub(crate) fn next(&mut self, buffer: &mut BytesMut) -> Result<Piece, Malformed> {
        loop {
            match self.at {
                At::Size => {
                    let Some(line) = self.line(buffer)? else {
                        return Ok(Piece::Short);
                    };
                    let (size, extensions) = size(&line)?;
                    self.count(extensions)?;
                    self.at = match size {
                        0 => At::Trailer,
                        size => At::Data(size),
                    };
                }
                At::Data(left) => {
                    if buffer.is_empty() {
                        return Ok(Piece::Short);
                    }
                    let most = usize::try_from(left).unwrap_or(usize::MAX);
                    let data = take(buffer, most);
                    let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
                    self.at = match left.saturating_sub(length) {
                        0 => At::Seam,
                        left => At::Data(left),
                    };
                    return Ok(Piece::Data(data));
                }
                At::Seam => {
                    let seam = buffer.get(..2.min(buffer.len())).unwrap_or_default();
                    if !b"\r\n".starts_with(seam) {
                        return Err(Malformed("a chunk does not end where it says"));
                    }
                    if seam.len() < 2 {
                        return Ok(Piece::Short);
                    }
                    buffer.advance(2);
                    self.at = At::Size;
                }
                At::Trailer => {
                    let Some(line) = self.line(buffer)? else {
                        return Ok(Piece::Short);
                    };
                    self.count(line.len())?;
                    if line.is_empty() {
                        self.at = At::End;
                    } else if !is_field(&line) {
                        return Err(Malformed("the trailer section is not of fields"));
                    }
                }
                At::End => return Ok(Piece::End),
            }
        }
    }

    /// Extensions and trailers are counted together: there may be any number of them.
    fn count(&mut self, bytes: usize) -> Result<(), Malformed> {
        self.aside += bytes;
        if self.aside > MOST_ASIDE {
            return Err(TOO_LONG);
        }
        Ok(())
    }

    /// A line without its CRLF.
    fn line(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, Malformed> {
        let Some(end) = memchr::memchr(b'\n', buffer) else {
            // Its end must come soon, whether or not it has arrived.
            if self.aside + buffer.len() > MOST_ASIDE {
                return Err(TOO_LONG);
            }
            let odd = buffer.iter().position(|byte| *byte == b'\r');
            if odd.is_some_and(|at| at + 1 < buffer.len()) {
                return Err(Malformed("a line ends in CR alone"));
            }
            return Ok(None);
        };
        let mut line = buffer.split_to(end + 1).freeze();
        if !line.ends_with(b"\r\n") {
            return Err(Malformed("a line ends in LF alone"));
        }
        line.truncate(end.saturating_sub(1));
        if line.contains(&b'\r') {
            return Err(Malformed("a CR stands within a line"));
        }
        Ok(Some(line))
    }
}

/// At most so many bytes from the front of the buffer.
pub(crate) fn take(buffer: &mut BytesMut, most: usize) -> Bytes {
    if buffer.len() <= most {
        std::mem::take(buffer).freeze()
    } else {
        buffer.split_to(most).freeze()
    }
}

/// `chunk-size [ chunk-ext ]`: the size, and the length of the extensions.
fn size(line: &[u8]) -> Result<(u64, usize), Malformed> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit());
    let digits = digits.count();
    let (size, extensions) = line.split_at_checked(digits).unwrap_or_default();
    if digits == 0 || digits > MOST_DIGITS {
        return Err(Malformed(
            "a chunk's size is no number of hexadecimal digits",
        ));
    }
    if !extensions.is_empty() && !are_extensions(extensions) {
        return Err(Malformed("what follows a chunk's size is no extension"));
    }
    let text = std::str::from_utf8(size).unwrap_or_default();
    let size = u64::from_str_radix(text, 16);
    size.map(|size| (size, extensions.len()))
        .map_err(|_| Malformed("a chunk's size is too large"))
}

/// `*( ";" chunk-ext-name [ "=" chunk-ext-val ] )`. White space around them, which RFC 9112 lets
/// recipients skip, is refused.
fn are_extensions(mut rest: &[u8]) -> bool {
    while !rest.is_empty() {
        let Some(after) = rest.strip_prefix(b";") else {
            return false;
        };
        let Some(after) = token(after) else {
            return false;
        };
        rest = match after.strip_prefix(b"=") {
            None => after,
            Some(value) => match token(value).or_else(|| quoted(value)) {
                Some(after) => after,
                None => return false,
            },
        };
    }
    true
}

/// What follows a token.
fn token(text: &[u8]) -> Option<&[u8]> {
    let length = text.iter().take_while(|byte| is_token(**byte)).count();
    (length > 0).then(|| text.get(length..)).flatten()
}

/// What follows a quoted string.
fn quoted(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text.strip_prefix(b"\"")?;
    loop {
        match rest {
            [b'"', after @ ..] => return Some(after),
            [b'\\', b'\t' | b' '..=b'~', after @ ..] | [b'\t' | b' '..=b'~', after @ ..] => {
                rest = after;
            }
            _ => return None,
        }
    }
}

/// RFC 9110 §5.6.2.
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_field(line: &[u8]) -> bool {
    let value_is = |byte: &u8| matches!(*byte, b'\t' | b' '..=b'~' | 0x80..);
    match token(line) {
        Some([b':', value @ ..]) => value.iter().all(value_is),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body, fed in pieces of some length; `None` when it is not over.
    fn decode(text: &[u8], step: usize) -> Result<Option<Vec<u8>>, Malformed> {
        let (mut decoder, mut buffer, mut body) = (Decoder::new(), BytesMut::new(), Vec::new());
        for piece in text.chunks(step) {
            buffer.extend_from_slice(piece);
            loop {
                match decoder.next(&mut buffer)? {
                    Piece::Data(data) => body.extend_from_slice(&data),
                    Piece::End => return Ok(Some(body)),
                    Piece::Short => break,
                }
            }
        }
        Ok(None)
    }

    #[test]
    fn a_body_is_the_same_however_it_arrives() {
        let text =
            b"5;a=1;b=\"x \\\" y\"\r\nhello\r\nB\r\n world, you\r\n0;end\r\nX-Sum: 1\r\n\r\n";
        for step in 1..=text.len() {
            let body = decode(text, step).unwrap().unwrap();
            assert_eq!(body, b"hello world, you", "in pieces of {step}");
        }
    }

    #[test]
    fn what_two_programs_could_read_differently_is_refused() {
        let long = format!("5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(MOST_ASIDE + 1));
        let trailers = format!("0\r\n{}\r\n", "X: 1\r\n".repeat(2000));
        for text in [
            "\r\n",
            "+5\r\nhello\r\n0\r\n\r\n",
            "-1\r\n",
            "0x5\r\nhello\r\n0\r\n\r\n",
            "5_\r\nhello\r\n0\r\n\r\n",
            " 5\r\nhello\r\n",
            "5 \r\nhello\r\n",
            "5\nhello\r\n0\r\n\r\n",
            "5\rhello\r\n",
            "5\r\nhelloX\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "5\r\nhello0\r\n\r\n",
            "5;\r\nhello\r\n",
            "5;a=\r\nhello\r\n",
            "5;a b\r\nhello\r\n",
            "5;a\rb\r\nhello\r\n",
            "5;a\0\r\nhello\r\n",
            "5;a=\"x\r\nhello\r\n",
            "FFFFFFFFFFFFFFFF0\r\nhello\r\n",
            "0\r\n\n",
            "0\r\nX : 1\r\n\r\n",
            "0\r\n X: 1\r\n\r\n",
            "0\r\nX\r\n\r\n",
            "0\r\nX: \0\r\n\r\n",
            long.as_str(),
            trailers.as_str(),
        ] {
            assert!(decode(text.as_bytes(), text.len()).is_err(), "{text:?}");
            assert!(decode(text.as_bytes(), 1).is_err(), "{text:?} byte by byte");
        }
    }

    #[test]
    fn a_body_that_breaks_off_is_not_over() {
        for text in ["5\r\nhello\r\n", "5\r\nhel", "5", "0\r\n", "0\r\nX: 1\r\n"] {
            assert_eq!(decode(text.as_bytes(), 1), Ok(None), "{text:?}");
        }
    }
}

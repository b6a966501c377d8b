//! The canonical path: decoded once, refused where two readers could differ, and from then on the only
//! form that is routed, authorised and forwarded. Most holes of gateways are a gateway and a service
//! that read one path in two ways (Traefik CVE-2026-48020, -40912).

use std::borrow::Cow;

use http::Uri;

/// The path could be read in more than one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ambiguous;

/// The canonical form of a request target's path: unreserved characters plain, others as `%XX` in
/// upper case (RFC 3986 §6.2.2), segments neither empty nor made of dots.
pub(crate) fn canonical(uri: &Uri) -> Result<Cow<'_, str>, Ambiguous> {
    let raw = uri.path();
    if is_canonical(raw) {
        return Ok(Cow::Borrowed(raw));
    }
    let Some(rest) = raw.strip_prefix('/') else {
        // `*` of OPTIONS and the authority of CONNECT name no path at all.
        return Err(Ambiguous);
    };
    let mut path = String::with_capacity(raw.len());
    if rest.is_empty() {
        return Ok(Cow::Borrowed("/"));
    }
    for segment in rest.split('/') {
        path.push('/');
        push_segment(segment, &mut path)?;
    }
    Ok(Cow::Owned(path))
}

/// Whether a path is in that form for certain: most are.
fn is_canonical(path: &str) -> bool {
    let mut last = b' ';
    let plain = path.bytes().all(|byte| {
        // An empty segment, or one that begins with a dot, is looked at closely.
        let fits = match byte {
            b'/' => last != b'/',
            b'.' => last != b'/',
            _ => is_plain(byte),
        };
        last = byte;
        fits
    });
    plain && path.starts_with('/') && (last != b'/' || path.len() == 1)
}

fn push_segment(segment: &str, path: &mut String) -> Result<(), Ambiguous> {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let high = hex_digit(bytes.next())?;
                let low = hex_digit(bytes.next())?;
                let byte = high << 4 | low;
                // A decoded delimiter would be one to whoever decodes before splitting, and a decoded
                // percent sign would be another byte to whoever decodes twice.
                if matches!(byte, b'/' | b'\\' | b'%' | b';' | b'?' | b'#') {
                    return Err(Ambiguous);
                }
                byte
            }
            byte if is_plain(byte) => byte,
            // Not a character of a path (RFC 3986 §3.3), or a parameter's `;`, which some strip.
            _ => return Err(Ambiguous),
        });
    }
    let text = str::from_utf8(&decoded).map_err(|_| Ambiguous)?;
    let dots = matches!(text, "" | "." | "..");
    if dots || text.chars().any(|c| c.is_control() || is_look_alike(c)) {
        return Err(Ambiguous);
    }
    for byte in decoded {
        if is_plain(byte) {
            path.push(char::from(byte));
        } else {
            path.push('%');
            for nibble in [byte >> 4, byte & 15] {
                let digit = char::from_digit(nibble.into(), 16).ok_or(Ambiguous)?;
                path.push(digit.to_ascii_uppercase());
            }
        }
    }
    Ok(())
}

fn hex_digit(byte: Option<u8>) -> Result<u8, Ambiguous> {
    byte.and_then(|byte| char::from(byte).to_digit(16))
        .and_then(|digit| u8::try_from(digit).ok())
        .ok_or(Ambiguous)
}

/// Unreserved characters, and the delimiters that mean nothing inside a segment.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte)
}

/// Characters that compatibility normalisation (NFKC) turns into dots or slashes.
fn is_look_alike(c: char) -> bool {
    matches!(
        c,
        '\u{2024}'
            ..='\u{2026}'
                | '\u{2215}'
                | '\u{2044}'
                | '\u{29F5}'
                | '\u{FE52}'
                | '\u{FE68}'
                | '\u{FF05}'
                | '\u{FF0E}'
                | '\u{FF0F}'
                | '\u{FF1B}'
                | '\u{FF3C}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(target: &str) -> Result<String, Ambiguous> {
        canonical(&target.parse().map_err(|_| Ambiguous)?).map(Cow::into_owned)
    }

    #[test]
    fn encodings_of_one_path_become_one_text() {
        for (target, path) in [
            ("/", "/"),
            ("/api/v1", "/api/v1"),
            ("/%61pi/v%31", "/api/v1"),
            ("/a%2dz%2Dz", "/a-z-z"),
            ("/a%20b", "/a%20b"),
            ("/%c3%a9", "/%C3%A9"),
            ("/a?x=/../%2f", "/a"),
            ("/a:b@c", "/a:b@c"),
            ("/.well-known/x", "/.well-known/x"),
            ("/a%3ab", "/a:b"),
            ("http://h/a%62", "/ab"),
        ] {
            assert_eq!(read(target).as_deref(), Ok(path), "{target}");
        }
    }

    #[test]
    fn canonical_paths_stay_as_they_are() {
        for target in ["/a%20b/%C3%A9", "/x~y!$&'()*+,=:@", "/%E2%82%AC"] {
            let once = read(target).unwrap();
            assert_eq!(read(&once), Ok(once.clone()));
            assert_eq!(once, target);
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for target in [
            "*",
            "//",
            "/a//b",
            "/a/",
            "/.",
            "/..",
            "/a/./b",
            "/a/../b",
            "/%2e",
            "/%2E%2e/a",
            "/.%2e",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a%5Cb",
            "/a%00",
            "/a%0d%0ab",
            "/a%7f",
            "/a%252fb",
            "/a%25",
            "/a;b",
            "/a;b=c/d",
            "/a%3bb",
            "/a%3fb",
            "/a%23b",
            "/a%",
            "/a%4",
            "/a%zz",
            "/a%u002f",
            "/%c0%af",
            "/%c0%ae%c0%ae/a",
            "/%e0%80%af",
            "/%ff",
            "/%ed%a0%80",
            "/a\"b",
            "/a%c2%80",
            "/a%ef%bc%8fb",
            "/%ef%bc%8e%ef%bc%8e/a",
            "/%e2%80%a5/a",
            "/a%e2%88%95b",
        ] {
            assert_eq!(read(target), Err(Ambiguous), "{target}");
        }
    }
}

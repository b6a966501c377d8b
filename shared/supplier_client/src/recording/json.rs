//! Changes values inside JSON text and leaves every other byte as it is: number formats, order, spaces,
//! repeated members. What is broken or cut off is walked as far as it makes sense, since a body that
//! nobody can parse is the very thing that a bug report is about.

/// Deeper bodies are not walked.
const MAX_DEPTH: usize = 256;

/// A piece of JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// A member's name, decoded.
    Name(&'a str),
    /// A string, decoded.
    Text(&'a str),
    /// A number as written, or text outside quotes.
    Bare(&'a str),
}

/// Decides about a piece: its name (that of the nearest member), the members around it from the
/// outermost, and the piece. What it gives is put in place of the piece.
pub(super) type Change<'c> = dyn FnMut(&str, &[&str], Piece<'_>) -> Option<String> + 'c;

struct Level {
    object: bool,
    /// The member under way.
    name: String,
    /// Whether the next string is a member's name.
    naming: bool,
}

/// The text with its pieces changed; none if it is nested too deeply.
pub(super) fn rewrite(text: &str, change: &mut Change<'_>) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut levels: Vec<Level> = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_length(rest),
            '{' | '[' | '}' | ']' | ',' | ':' => 1,
            _ if first.is_whitespace() => first.len_utf8(),
            _ => rest
                .find(|c: char| c.is_whitespace() || "\"{}[],:".contains(c))
                .unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(length);
        rest = after;
        match first {
            '{' | '[' if levels.len() >= MAX_DEPTH => return None,
            '{' | '[' => levels.push(Level {
                object: first == '{',
                name: String::new(),
                naming: first == '{',
            }),
            '}' | ']' => drop(levels.pop()),
            ',' | ':' => {
                if let Some(level) = levels.last_mut() {
                    level.naming = level.object && first == ',';
                }
            }
            '"' => {
                string(token, &mut levels, change, &mut out);
                continue;
            }
            _ if first.is_whitespace() => {}
            _ => {
                if let Some(changed) = ask(&levels, Piece::Bare(token), change) {
                    out.push_str(&changed);
                    continue;
                }
            }
        }
        out.push_str(token);
    }
    Some(out)
}

/// How far a string reaches, its quotes included; to the end of the text if it is cut off.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn string(token: &str, levels: &mut [Level], change: &mut Change<'_>, out: &mut String) {
    let decoded = serde_json::from_str::<String>(token);
    let complete = decoded.is_ok() || (token.len() > 1 && token.ends_with('"'));
    let inner = token.strip_prefix('"').unwrap_or(token);
    let inner = if complete {
        inner.strip_suffix('"').unwrap_or(inner)
    } else {
        inner
    };
    let text = decoded.unwrap_or_else(|_| inner.to_owned());
    let naming = complete && levels.last().is_some_and(|level| level.naming);
    let piece = if naming {
        Piece::Name(&text)
    } else {
        Piece::Text(&text)
    };
    match ask(levels, piece, change).and_then(|changed| serde_json::to_string(&changed).ok()) {
        None => out.push_str(token),
        Some(quoted) if complete => out.push_str(&quoted),
        Some(quoted) => out.push_str(quoted.strip_suffix('"').unwrap_or(&quoted)),
    }
    if naming && let Some(level) = levels.last_mut() {
        level.name = text;
    }
}

fn ask(levels: &[Level], piece: Piece<'_>, change: &mut Change<'_>) -> Option<String> {
    let mut names: Vec<&str> = levels
        .iter()
        .filter(|level| level.object)
        .map(|level| level.name.as_str())
        .collect();
    let name = names.pop().unwrap_or_default();
    change(name, &names, piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> (String, Vec<String>) {
        let mut seen = Vec::new();
        let out = rewrite(text, &mut |name, around, piece| {
            seen.push(format!("{}/{name} {piece:?}", around.join("/")));
            (piece == Piece::Text("x") || piece == Piece::Bare("7")).then(|| "\"y".to_owned())
        });
        (out.unwrap(), seen)
    }

    #[test]
    fn only_what_is_changed_changes() {
        let text = "{ \"a\" : 1.10,\"b\":[ \"x\", 1e400 ],\"a\":\"\\u00fc\\/\"}\n{\"c\":{\"d\":7}}";
        let (out, seen) = seen(text);
        let expected = text.replace("\"x\"", "\"\\\"y\"").replace('7', "\"y");
        assert_eq!(out, expected);
        assert!(seen.contains(&"/b Text(\"x\")".to_owned()), "{seen:?}");
        assert!(seen.contains(&"/a Text(\"ü/\")".to_owned()), "{seen:?}");
        assert!(seen.contains(&"c/d Bare(\"7\")".to_owned()), "{seen:?}");
    }

    #[test]
    fn broken_text_is_walked_and_kept() {
        for text in [
            "",
            "\"",
            "{\"a\":\"Ad",
            "{\"a\":\"Ad\\",
            "]]}}{\"a\"",
            "{\"a\":nul",
            "<html>{\"ü",
            "{\"a\" \"b\" {,,:",
            "\"line\nbreak\"",
        ] {
            assert_eq!(seen(text).0, text);
        }
        assert_eq!(seen("{\"a\":\"x").0, "{\"a\":\"\\\"y");
        assert_eq!(rewrite(&"[".repeat(1_000_000), &mut |_, _, _| None), None);
    }
}

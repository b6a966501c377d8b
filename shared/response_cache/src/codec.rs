//! The form of a stored answer on Redis: a version, a checksum, then fields with their lengths. What
//! cannot be read, for whatever reason, is a miss.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::freshness::Freshness;
use crate::key::Key;
use crate::moment::Moment;
use crate::stored::{Labels, Stored};
use crate::vary::Selector;

const VERSION: u8 = 1;
const ANSWER: u8 = 0;
const VARIES: u8 = 1;

/// How much of the purges an answer has seen when it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Another one begins whenever Redis has lost its data.
    pub(crate) epoch: String,
    /// The last purge in the epoch.
    pub(crate) number: u64,
}

/// What lies under a key of Redis.
#[derive(Debug)]
pub(crate) enum Value {
    /// An answer. It bears its own key, for two may have one digest.
    Answer {
        key: Key,
        mark: Mark,
        stored: Arc<Stored>,
    },
    /// The fields that the answers for this key vary by.
    Varies(Vec<HeaderName>),
}

pub(crate) fn encode_answer(key: &Key, mark: &Mark, stored: &Stored) -> Option<Bytes> {
    let freshness = &stored.freshness;
    let mut out = BytesMut::with_capacity(stored.bytes());
    out.put_u8(ANSWER);
    put(&mut out, mark.epoch.as_bytes())?;
    out.put_u64(mark.number);
    put(&mut out, key.target().as_bytes())?;
    put(&mut out, key.caller().as_bytes())?;
    out.put_u16(stored.status.as_u16());
    out.put_i64(freshness.born.0);
    out.put_i64(freshness.lifetime);
    out.put_i64(freshness.stale_while_revalidate);
    out.put_i64(freshness.stale_if_error);
    out.put_u8(u8::from(freshness.always_validate) | (u8::from(freshness.never_stale) << 1));
    put_fields(&mut out, &stored.headers)?;
    put_fields(&mut out, &stored.labels.hidden)?;
    put_count(&mut out, stored.labels.selectors.len())?;
    for selector in &stored.labels.selectors {
        put(&mut out, selector.name.as_str().as_bytes())?;
        out.put_u8(u8::from(selector.value.is_some()));
        put(
            &mut out,
            selector.value.as_deref().unwrap_or_default().as_bytes(),
        )?;
    }
    put_count(&mut out, stored.labels.tags.len())?;
    for tag in &stored.labels.tags {
        put(&mut out, tag.as_bytes())?;
    }
    put(&mut out, &stored.body)?;
    Some(sealed(&out))
}

pub(crate) fn encode_varies(selectors: &[Selector]) -> Option<Bytes> {
    let mut out = BytesMut::new();
    out.put_u8(VARIES);
    put_count(&mut out, selectors.len())?;
    for selector in selectors {
        put(&mut out, selector.name.as_str().as_bytes())?;
    }
    Some(sealed(&out))
}

/// `seen`: the purges of this process that the answer has seen.
pub(crate) fn decode(mut input: Bytes, seen: u64) -> Option<Value> {
    let version = input.try_get_u8().ok()?;
    let checksum = input.try_get_u32().ok()?;
    if version != VERSION || checksum != crc32fast::hash(&input) {
        return None;
    }
    let value = match input.try_get_u8().ok()? {
        ANSWER => answer(&mut input, seen)?,
        VARIES => Value::Varies(
            (0..input.try_get_u32().ok()?)
                .map(|_| name(&mut input))
                .collect::<Option<_>>()?,
        ),
        _ => return None,
    };
    input.is_empty().then_some(value)
}

fn answer(input: &mut Bytes, seen: u64) -> Option<Value> {
    let mark = Mark {
        epoch: text(input)?,
        number: input.try_get_u64().ok()?,
    };
    let key = Key::from_parts(text(input)?.into(), text(input)?.into());
    let status = StatusCode::from_u16(input.try_get_u16().ok()?).ok()?;
    let born = Moment(input.try_get_i64().ok()?);
    let lifetime = input.try_get_i64().ok()?;
    let stale_while_revalidate = input.try_get_i64().ok()?;
    let stale_if_error = input.try_get_i64().ok()?;
    let flags = input.try_get_u8().ok()?;
    let freshness = Freshness {
        born,
        lifetime,
        stale_while_revalidate,
        stale_if_error,
        always_validate: flags & 1 != 0,
        never_stale: flags & 2 != 0,
    };
    let headers = fields(input)?;
    let hidden = fields(input)?;
    let mut labels = Labels {
        hidden,
        ..Labels::default()
    };
    for _ in 0..input.try_get_u32().ok()? {
        let name = name(input)?;
        let is_there = input.try_get_u8().ok()? == 1;
        let value = text(input)?;
        labels.selectors.push(Selector {
            name,
            value: is_there.then(|| value.into()),
        });
    }
    for _ in 0..input.try_get_u32().ok()? {
        labels.tags.push(text(input)?.into());
    }
    let body = take(input)?;
    let stored = Arc::new(Stored::new(status, headers, body, freshness, labels, seen));
    Some(Value::Answer { key, mark, stored })
}

fn sealed(content: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(content.len() + 5);
    out.put_u8(VERSION);
    out.put_u32(crc32fast::hash(content));
    out.put_slice(content);
    out.freeze()
}

fn put_count(out: &mut BytesMut, count: usize) -> Option<()> {
    out.put_u32(u32::try_from(count).ok()?);
    Some(())
}

fn put(out: &mut BytesMut, bytes: &[u8]) -> Option<()> {
    put_count(out, bytes.len())?;
    out.put_slice(bytes);
    Some(())
}

fn put_fields(out: &mut BytesMut, fields: &HeaderMap) -> Option<()> {
    put_count(out, fields.len())?;
    for (name, value) in fields {
        put(out, name.as_str().as_bytes())?;
        put(out, value.as_bytes())?;
    }
    Some(())
}

fn take(input: &mut Bytes) -> Option<Bytes> {
    let length = usize::try_from(input.try_get_u32().ok()?).ok()?;
    (length <= input.len()).then(|| input.split_to(length))
}

fn text(input: &mut Bytes) -> Option<String> {
    String::from_utf8(take(input)?.into()).ok()
}

fn name(input: &mut Bytes) -> Option<HeaderName> {
    HeaderName::from_bytes(&take(input)?).ok()
}

fn fields(input: &mut Bytes) -> Option<HeaderMap> {
    let mut fields = HeaderMap::new();
    for _ in 0..input.try_get_u32().ok()? {
        let name = name(input)?;
        let value = HeaderValue::from_bytes(&take(input)?).ok()?;
        fields.try_append(name, value).ok()?;
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded() -> Bytes {
        let mut headers = HeaderMap::new();
        headers.append("x-a", HeaderValue::from_bytes(b"1\xfc").unwrap());
        headers.append("x-a", "2".parse().unwrap());
        let selector = |name, value: Option<&str>| Selector {
            name: HeaderName::from_static(name),
            value: value.map(Into::into),
        };
        let labels = Labels {
            selectors: vec![selector("accept", Some("x")), selector("origin", None)],
            tags: vec!["t".into()],
            hidden: headers.clone(),
        };
        let freshness = Freshness {
            born: Moment(7),
            lifetime: 8,
            stale_while_revalidate: 9,
            stale_if_error: 10,
            always_validate: false,
            never_stale: true,
        };
        let stored = Stored::new(StatusCode::OK, headers, "body".into(), freshness, labels, 0);
        let mark = Mark {
            epoch: "e".into(),
            number: 3,
        };
        let key = Key::from_parts("/a?b".into(), "me".into());
        encode_answer(&key, &mark, &stored).unwrap()
    }

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let Some(Value::Answer { key, mark, stored }) = decode(encoded(), 5) else {
            panic!("not read");
        };
        assert_eq!((key.target(), key.caller()), ("/a?b", "me"));
        assert_eq!((mark.epoch.as_str(), mark.number, stored.seen), ("e", 3, 5));
        assert_eq!(encode_answer(&key, &mark, &stored).unwrap(), encoded());
        assert_eq!(stored.headers.get_all("x-a").iter().count(), 2);
    }

    #[test]
    fn what_is_damaged_in_any_byte_is_a_miss() {
        let good = encoded();
        for position in 0..good.len() {
            let mut bad = good.to_vec();
            bad[position] ^= 0x20;
            assert!(decode(bad.into(), 0).is_none(), "byte {position}");
            assert!(decode(good.slice(..position), 0).is_none());
        }
    }

    #[test]
    fn a_length_that_lies_under_a_right_checksum_is_a_miss_too() {
        let good = encoded();
        for position in 5..good.len() {
            let mut content = good.slice(5..).to_vec();
            content[position - 5] = 0xff;
            // Must not panic, nor take memory for what is not there.
            let _ = decode(sealed(&content), 0);
        }
        assert!(decode(sealed(&[VARIES, 0xff, 0xff, 0xff, 0xff]), 0).is_none());
    }
}

//! Secondary keys: the request's fields that an answer was chosen by (RFC 9111 §4.1).

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::directives::split_list;

/// A field that an answer varies by, and what the request had there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selector {
    pub(crate) name: HeaderName,
    /// Normalised; `None` when the request had no such field.
    pub(crate) value: Option<Box<str>>,
}

/// What a response varies by: `None` for `*`, or for a field that is not allowed or cannot be read.
pub(crate) fn selectors(
    response: &HeaderMap,
    request: &HeaderMap,
    allowed: Option<&[HeaderName]>,
) -> Option<Vec<Selector>> {
    let mut found: Vec<Selector> = Vec::new();
    for line in response.get_all(header::VARY) {
        for member in line.to_str().ok()?.split(',') {
            let member = member.trim();
            if member.is_empty() {
                continue;
            }
            // "*" is a token, but must not be taken for a field of that name.
            if member == "*" {
                return None;
            }
            let name = HeaderName::try_from(member).ok()?;
            if allowed.is_some_and(|allowed| !allowed.contains(&name)) {
                return None;
            }
            if found.iter().all(|selector| selector.name != name) {
                let value = normalised(request, &name);
                found.push(Selector { name, value });
            }
        }
    }
    Some(found)
}

/// Whether a request chooses the same answer. One in the language that the request wants most is what the
/// origin would choose, whatever else the request would take (RFC 9111 §4.1).
pub(crate) fn selects(selectors: &[Selector], response: &HeaderMap, request: &HeaderMap) -> bool {
    selectors.iter().all(|selector| {
        if selector.name == header::ACCEPT_LANGUAGE
            && let Some(language) = response.get(header::CONTENT_LANGUAGE)
            && is_wanted_most(&text_of(language), request)
        {
            return true;
        }
        let mut lines = request.get_all(&selector.name).iter();
        match (lines.next(), selector.value.as_deref()) {
            (None, None) => true,
            (None, Some(_)) | (Some(_), None) => false,
            (Some(line), Some(value)) => {
                (lines.next().is_none() && line.to_str().is_ok_and(|line| line == value))
                    || normalised(request, &selector.name).as_deref() == Some(value)
            }
        }
    })
}

/// Whether the language, and it alone, has the greatest weight.
fn is_wanted_most(language: &str, request: &HeaderMap) -> bool {
    let Some(wanted) = normalised(request, &header::ACCEPT_LANGUAGE) else {
        return false;
    };
    let weighed = wanted.split(',').map(|member| {
        let (range, weight) = member.split_once(";q=").unwrap_or((member, "1"));
        Some((range, weight.parse::<f32>().ok()?))
    });
    let Some(weighed) = weighed.collect::<Option<Vec<_>>>() else {
        return false;
    };
    let own = weighed
        .iter()
        .find(|(range, _)| range.eq_ignore_ascii_case(language));
    own.is_some_and(|(own, greatest)| {
        *greatest > 0.0
            && weighed
                .iter()
                .all(|(range, weight)| range == own || weight < greatest)
    })
}

/// Lines are joined and spaces around commas dropped, which no field may tell apart (RFC 9110 §5.3);
/// of languages neither case nor, at equal weight, order counts (RFC 4647 §2).
pub(crate) fn normalised(request: &HeaderMap, name: &HeaderName) -> Option<Box<str>> {
    let mut lines = request.get_all(name).iter().peekable();
    lines.peek()?;
    let mut joined = String::new();
    for line in lines {
        let text = text_of(line);
        for member in split_list(&text) {
            if !joined.is_empty() {
                joined.push(',');
            }
            joined.push_str(member);
        }
    }
    if *name == header::ACCEPT_LANGUAGE {
        joined.make_ascii_lowercase();
        joined.retain(|letter| letter != ' ');
        let mut languages: Vec<&str> = joined.split(',').collect();
        languages.sort_unstable();
        joined = languages.join(",");
    }
    Some(joined.into())
}

/// A value as text, one letter for each byte: what is not ASCII still tells values apart.
pub(crate) fn text_of(value: &HeaderValue) -> String {
    value.as_bytes().iter().copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn same(name: &'static str, one: &[&str], other: &[&str]) -> bool {
        let of = |values: &[&str]| fields(&values.iter().map(|&v| (name, v)).collect::<Vec<_>>());
        let chosen = selectors(&fields(&[("vary", name)]), &of(one), None).unwrap();
        selects(&chosen, &HeaderMap::new(), &of(other))
    }

    #[test]
    fn what_means_the_same_selects_the_same() {
        assert!(same("foo", &["1, 2"], &["1", "2"]));
        assert!(same("foo", &["1,2"], &[" 1,  2 "]));
        assert!(same("foo", &[], &[]));
        assert!(same("accept-language", &["en, de"], &["De ,  eN"]));
        assert!(same(
            "accept-language",
            &["de;q=0.5, en"],
            &["en,de; q=0.5"]
        ));
    }

    #[test]
    fn what_differs_selects_another() {
        assert!(!same("foo", &["1"], &["2"]));
        assert!(!same("foo", &["1"], &[]));
        assert!(!same("foo", &[], &["1"]));
        assert!(!same("foo", &[""], &[]));
        assert!(!same("foo", &["a"], &["A"]));
        assert!(!same("foo", &["\u{fc}"], &["\u{e4}"]));
        assert!(!same("foo", &["\u{fc}"], &["\u{c3}\u{bc}"]));
        assert!(!same("foo", &["\"a, b\""], &["\"a,b\""]));
        assert!(!same(
            "accept-language",
            &["de;q=0.5, en"],
            &["de, en;q=0.5"]
        ));
    }

    #[test]
    fn a_star_selects_nothing_wherever_it_stands() {
        for vary in ["*", "*, *", ", *", "*, foo", "foo, *"] {
            assert!(selectors(&fields(&[("vary", vary)]), &HeaderMap::new(), None).is_none());
        }
        let lines = fields(&[("vary", ""), ("vary", "*")]);
        assert!(selectors(&lines, &HeaderMap::new(), None).is_none());
    }

    #[test]
    fn an_answer_that_varies_by_what_is_not_allowed_is_not_kept() {
        let response = fields(&[("vary", "accept, origin")]);
        let allowed = [header::ACCEPT];
        assert!(selectors(&response, &HeaderMap::new(), Some(&allowed)).is_none());
    }

    #[test]
    fn an_answer_in_the_language_that_is_wanted_most_is_the_right_one() {
        let asked = fields(&[("accept-language", "en, de")]);
        let chosen = selectors(&fields(&[("vary", "accept-language")]), &asked, None).unwrap();
        let german = fields(&[("content-language", "de")]);
        for (wanted, expected) in [
            ("fr;q=0.5, de;q=1.0", true),
            ("DE", true),
            ("fr, de", false),
            ("fr, de;q=0.9", false),
            ("de-AT, fr;q=0.5", false),
            ("de;q=0", false),
            ("de;q=x", false),
            ("de;q=NaN", false),
        ] {
            let request = fields(&[("accept-language", wanted)]);
            assert_eq!(selects(&chosen, &german, &request), expected, "{wanted}");
        }
        assert!(!selects(&chosen, &german, &HeaderMap::new()));
    }
}

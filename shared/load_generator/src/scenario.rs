//! What is sent: flows of named steps, from a few URLs or from a scenario file.

use std::collections::BTreeMap;

use http::{HeaderName, Method};
use serde::Deserialize;
use travel_types::jiff::civil::Date;

use crate::expect::Expect;
use crate::template::{Names, Place, Template};

/// A wrong option or a wrong line of the scenario file, in a sentence that names it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InputError(pub String);

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Name or address, without the brackets of IPv6.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Host and port as the `Host` header has them.
    pub(crate) authority: String,
}

/// What one request is made of.
pub(crate) struct Step {
    /// Among all steps of the scenario.
    pub(crate) number: usize,
    pub(crate) origin: usize,
    pub(crate) method: Method,
    pub(crate) target: Template,
    pub(crate) headers: Vec<(HeaderName, Template)>,
    pub(crate) body: Template,
    /// The HTTP/1.1 head without its end, so that one pass writes it.
    pub(crate) head: Template,
    pub(crate) expect: Expect,
    /// Number of the name, and JSON pointer (RFC 6901) into the answer.
    pub(crate) capture: Vec<(usize, String)>,
}

/// Steps that follow each other, on one connection.
pub(crate) struct Flow {
    pub(crate) weight: u32,
    pub(crate) steps: Vec<Step>,
}

/// The mix of flows that is sent, checked.
pub struct Scenario {
    pub(crate) origins: Vec<Origin>,
    pub(crate) flows: Vec<Flow>,
    pub(crate) step_names: Vec<String>,
    /// The most values that a flow captures.
    pub(crate) names: usize,
}

impl std::fmt::Debug for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scenario({:?})", self.step_names)
    }
}

/// What the command line says about the requests.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    /// Absolute URLs. With a scenario file: one, to which the file's paths are added.
    pub urls: Vec<String>,
    /// Method; without it `GET`, or `POST` when there is a body.
    pub method: Option<String>,
    /// Lines of the form `Name: value`.
    pub headers: Vec<String>,
    /// The body, a template.
    pub body: Option<String>,
    /// Allowed statuses, such as `200,404` or `2xx`; without it, all below 400.
    pub expect: Option<String>,
    /// The text of a scenario file.
    pub scenario: Option<String>,
    /// Whether there are bearer tokens, which are then sent with every request.
    pub has_tokens: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScenarioFile {
    flow: Vec<FlowEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FlowEntry {
    #[serde(default = "one")]
    weight: u32,
    step: Vec<StepEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepEntry {
    name: String,
    method: Option<String>,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    expect: Option<String>,
    #[serde(default)]
    capture: BTreeMap<String, String>,
}

fn one() -> u32 {
    1
}

/// Checks what is to be sent. `today` is what `{date}` stands for.
///
/// # Errors
/// [`InputError`] names the option or the step that is wrong.
pub fn build(requests: &Requests, today: Date) -> Result<Scenario, InputError> {
    let mut builder = Builder {
        requests,
        today,
        scenario: Scenario {
            origins: Vec::new(),
            flows: Vec::new(),
            step_names: Vec::new(),
            names: 0,
        },
    };
    match &requests.scenario {
        Some(text) => builder.file(text)?,
        None => builder.urls()?,
    }
    Ok(builder.scenario)
}

struct Builder<'a> {
    requests: &'a Requests,
    today: Date,
    scenario: Scenario,
}

impl Builder<'_> {
    fn urls(&mut self) -> Result<(), InputError> {
        if self.requests.urls.is_empty() {
            return Err(wrong(
                "URL",
                "one is needed, such as http://127.0.0.1:8080/",
            ));
        }
        for url in &self.requests.urls {
            let entry = StepEntry {
                name: url.clone(),
                method: self.requests.method.clone(),
                url: url.clone(),
                headers: BTreeMap::new(),
                body: self.requests.body.clone(),
                expect: None,
                capture: BTreeMap::new(),
            };
            let step = self.step(&entry, None, &mut Vec::new(), "URL")?;
            self.scenario.flows.push(Flow {
                weight: 1,
                steps: vec![step],
            });
        }
        Ok(())
    }

    fn file(&mut self, text: &str) -> Result<(), InputError> {
        let file: ScenarioFile =
            toml::from_str(text).map_err(|error| wrong("--scenario", error.message()))?;
        for (given, option) in [
            (self.requests.method.is_some(), "--method"),
            (self.requests.body.is_some(), "--body"),
        ] {
            if given {
                return Err(wrong(option, "the scenario's steps have their own"));
            }
        }
        let base = match self.requests.urls.as_slice() {
            [] => None,
            [base] => Some(base.as_str()),
            _ => return Err(wrong("URL", "with --scenario, give one at most")),
        };
        for entry in &file.flow {
            let mut captured = Vec::new();
            let mut steps = Vec::new();
            for step in &entry.step {
                let place = format!("--scenario: step '{}'", step.name);
                steps.push(self.step(step, base, &mut captured, &place)?);
            }
            if steps.is_empty() {
                return Err(wrong("--scenario", "a flow has no step"));
            }
            self.scenario.names = self.scenario.names.max(captured.len());
            self.scenario.flows.push(Flow {
                weight: entry.weight,
                steps,
            });
        }
        if self.scenario.flows.iter().all(|flow| flow.weight == 0) {
            return Err(wrong("--scenario", "no flow has a weight"));
        }
        Ok(())
    }

    fn step(
        &mut self,
        entry: &StepEntry,
        base: Option<&str>,
        captured: &mut Vec<String>,
        place: &str,
    ) -> Result<Step, InputError> {
        let names = Names {
            today: self.today,
            captured,
            has_tokens: self.requests.has_tokens,
        };
        let (origin, target) = split_url(&entry.url, base).map_err(|e| wrong(place, &e))?;
        let target =
            Template::parse(&target, Place::Target, &names).map_err(|e| wrong(place, &e))?;
        let body = entry.body.as_deref().unwrap_or_default();
        let body = Template::parse(body, Place::Plain, &names).map_err(|e| wrong(place, &e))?;
        let method = match (&entry.method, body.is_empty()) {
            (Some(method), _) => Method::from_bytes(method.as_bytes())
                .map_err(|_| wrong("--method", &format!("'{method}' is no method")))?,
            (None, true) => Method::GET,
            (None, false) => Method::POST,
        };
        let headers = self.headers(entry, &names, place)?;
        let expect = match entry.expect.as_ref().or(self.requests.expect.as_ref()) {
            None => Expect::default(),
            Some(text) => text.parse().map_err(|e: String| wrong("--expect", &e))?,
        };
        let head = head(&method, &target, &origin, &headers);
        let origin = match self
            .scenario
            .origins
            .iter()
            .position(|known| *known == origin)
        {
            Some(known) => known,
            None => {
                self.scenario.origins.push(origin);
                self.scenario.origins.len() - 1
            }
        };
        let mut capture = Vec::new();
        for (name, pointer) in &entry.capture {
            if !pointer.is_empty() && !pointer.starts_with('/') {
                let told = format!("capture {name}: '{pointer}' must begin with '/' (RFC 6901)");
                return Err(wrong(place, &told));
            }
            let number = captured.iter().position(|known| known == name);
            capture.push((number.unwrap_or(captured.len()), pointer.clone()));
            if number.is_none() {
                captured.push(name.clone());
            }
        }
        let number = self.scenario.step_names.len();
        self.scenario.step_names.push(entry.name.clone());
        Ok(Step {
            number,
            origin,
            method,
            target,
            headers,
            body,
            head,
            expect,
            capture,
        })
    }

    fn headers(
        &self,
        entry: &StepEntry,
        names: &Names<'_>,
        place: &str,
    ) -> Result<Vec<(HeaderName, Template)>, InputError> {
        let mut headers: Vec<(HeaderName, Template)> = Vec::new();
        for (name, value) in &entry.headers {
            headers.push(header(name, value, names).map_err(|e| wrong(place, &e))?);
        }
        for line in &self.requests.headers {
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| wrong("--header", "write it as 'Name: value'"))?;
            let header =
                header(name.trim(), value.trim(), names).map_err(|e| wrong("--header", &e))?;
            // The step's own header wins.
            if !entry.headers.keys().any(|own| header.0 == own.as_str()) {
                headers.push(header);
            }
        }
        if names.has_tokens
            && !headers
                .iter()
                .any(|(name, _)| name == http::header::AUTHORIZATION)
        {
            let mut bearer = Template::default();
            bearer.text(b"Bearer ");
            bearer.token();
            headers.push((http::header::AUTHORIZATION, bearer));
        }
        Ok(headers)
    }
}

fn wrong(place: &str, told: &str) -> InputError {
    InputError(format!("{place}: {told}"))
}

fn header(name: &str, value: &str, names: &Names<'_>) -> Result<(HeaderName, Template), String> {
    let parsed = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("'{name}' is no name of a header"))?;
    if parsed == http::header::CONTENT_LENGTH || parsed == http::header::TRANSFER_ENCODING {
        return Err(format!("{parsed} follows from the body"));
    }
    if value.chars().any(|c| c.is_control() && c != '\t') {
        return Err(format!("the value of {name} has a control character"));
    }
    Ok((parsed, Template::parse(value, Place::Plain, names)?))
}

/// The origin, and the request target as it was written: `{…}` must stay as it is.
fn split_url(url: &str, base: Option<&str>) -> Result<(Origin, String), String> {
    let whole = match base {
        Some(base) if url.starts_with('/') => format!("{}{url}", base.trim_end_matches('/')),
        None if url.starts_with('/') => {
            return Err(format!(
                "'{url}' needs a base: give a URL after the options"
            ));
        }
        _ => url.to_owned(),
    };
    let rest = match whole.split_once("://") {
        Some(("http", rest)) => rest,
        Some(("https", _)) => {
            return Err(format!(
                "'{whole}': TLS is not spoken; measure behind the TLS listener"
            ));
        }
        _ => return Err(format!("'{whole}' does not begin with http://")),
    };
    let (authority, target) = match rest.find(['/', '?', '#']) {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    let parsed = url::Url::parse(&format!("http://{authority}/"))
        .map_err(|error| format!("'{whole}': {error}"))?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("a user in the URL is not sent; use --header 'Authorization: …'".to_owned());
    }
    let target = target.split('#').next().unwrap_or_default();
    let target = match target.starts_with('/') {
        true => target.to_owned(),
        false => format!("/{target}"),
    };
    // Braces are those of variables.
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`|".contains(&byte);
    if !target.bytes().all(plain) {
        return Err(format!(
            "'{target}' has characters that must be percent-encoded"
        ));
    }
    let host = parsed.host_str().unwrap_or_default();
    let origin = Origin {
        host: host.trim_matches(['[', ']']).to_owned(),
        port: parsed.port().unwrap_or(80),
        authority: match parsed.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        },
    };
    Ok((origin, target))
}

fn head(
    method: &Method,
    target: &Template,
    origin: &Origin,
    headers: &[(HeaderName, Template)],
) -> Template {
    let mut head = Template::default();
    head.text(method.as_str().as_bytes());
    head.text(b" ");
    head.append(target);
    head.text(b" HTTP/1.1\r\n");
    if !headers.iter().any(|(name, _)| name == http::header::HOST) {
        head.text(format!("host: {}\r\n", origin.authority).as_bytes());
    }
    for (name, value) in headers {
        head.text(name.as_str().as_bytes());
        head.text(b": ");
        head.append(value);
        head.text(b"\r\n");
    }
    head
}

#[cfg(test)]
#[path = "scenario_tests.rs"]
mod tests;

//! The requests of the vectors: those that are written down, and those that are described.

use serde_json::Value;

/// The requests of a test, one after the other; what depends on an answer is not among them.
pub(crate) fn requests(test: &Value, host: &str) -> Vec<Vec<u8>> {
    let id = test["id"].as_str().unwrap();
    if let Some(made) = made(id, host) {
        return made;
    }
    let payloads = test["payloads"].as_array();
    let payloads = payloads.unwrap_or_else(|| panic!("{id} has no request"));
    payloads
        .iter()
        .map(|payload| bytes(&payload.as_str().unwrap().replace("{HOST}", host)))
        .collect()
}

/// A character is a byte.
fn bytes(text: &str) -> Vec<u8> {
    text.chars()
        .map(|character| u8::try_from(u32::from(character)).unwrap())
        .collect()
}

fn made(id: &str, host: &str) -> Option<Vec<Vec<u8>>> {
    let get = |target: &str, fields: &str| {
        format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n").into_bytes()
    };
    let long = |length: usize| "A".repeat(length);
    let one = |request: Vec<u8>| Some(vec![request]);
    match id {
        "COMP-LONG-URL-OK" => one(get(&format!("/{}", long(7900)), "")),
        "MAL-LONG-URL" => one(get(&format!("/{}", long(100_000)), "")),
        "MAL-LONG-HEADER-VALUE" => one(get("/", &format!("X-Big: {}\r\n", long(100_000)))),
        "MAL-LONG-HEADER-NAME" => one(get("/", &format!("{}: value\r\n", long(100_000)))),
        "MAL-LONG-METHOD" => {
            one(format!("{} / HTTP/1.1\r\nHost: {host}\r\n\r\n", long(100_000)).into_bytes())
        }
        "MAL-MANY-HEADERS" => {
            let fields: String = (0..10_000).map(|n| format!("X-H-{n}: value\r\n")).collect();
            one(get("/", &fields))
        }
        "MAL-EMPTY-REQUEST" => one(Vec::new()),
        "MAL-CHUNK-EXT-64K" => one(format!(
            "POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n\
             5;ext={}\r\nhello\r\n0\r\n\r\n",
            long(65_536)
        )
        .into_bytes()),
        "COOK-OVERSIZED" => one(get("/echo", &format!("Cookie: big={}\r\n", long(65_536)))),
        "COOK-MANY-PAIRS" => {
            let pairs: Vec<String> = (0..1000).map(|n| format!("k{n}=v{n}")).collect();
            one(get("/echo", &format!("Cookie: {}\r\n", pairs.join("; "))))
        }
        "MAL-NON-ASCII-HEADER-NAME" => one(get("/", "X-T\u{eb}st: value\r\n")),
        "MAL-NON-ASCII-URL" => one(get("/caf\u{e9}", "")),
        "MAL-URL-OVERLONG-UTF8" => {
            let mut request = b"GET /\xc0\xaf HTTP/1.1\r\nHost: ".to_vec();
            request.extend_from_slice(format!("{host}\r\n\r\n").as_bytes());
            one(request)
        }
        "SMUG-GET-CL-PREFIX-DESYNC" => {
            let prefix = "GET /smuggled HTTP/1.1\r\nX-Rest: ";
            let fields = format!("Content-Length: {}\r\n", prefix.len());
            let mut first = get("/", &fields);
            first.extend_from_slice(prefix.as_bytes());
            Some(vec![first, get("/", "")])
        }
        _ => smuggled(id, host).map(|request| vec![request]),
    }
}

/// A request within the body of another.
fn smuggled(id: &str, host: &str) -> Option<Vec<u8>> {
    let within = |method: &str| format!("{method} / HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let after_end = |method: &str| format!("0\r\n\r\n{}", within(method));
    let (body, fields): (String, Box<dyn Fn(usize) -> String>) = match id {
        "SMUG-TECL-SMUGGLED-GET" => {
            let inner = within("GET");
            let size = format!("{:x}", inner.len());
            let length = size.len() + 2;
            let fields = format!("Transfer-Encoding: chunked\r\nContent-Length: {length}");
            (
                format!("{size}\r\n{inner}\r\n0\r\n\r\n"),
                Box::new(move |_| fields.clone()),
            )
        }
        "SMUG-DUPLICATE-CL-SMUGGLED-GET" => (
            format!("hello{}", within("GET")),
            Box::new(|length| format!("Content-Length: 5\r\nContent-Length: {length}")),
        ),
        "SMUG-TE-DUPLICATE-HEADERS-SMUGGLED-GET" => (
            after_end("GET"),
            Box::new(|length| {
                format!(
                    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\
                     Content-Length: {length}"
                )
            }),
        ),
        _ => {
            let (method, length, coding) = match id.strip_prefix("SMUG-CLTE-SMUGGLED-")? {
                "GET" => ("GET", "N", " chunked"),
                "HEAD" => ("HEAD", "N", " chunked"),
                "GET-CL-PLUS" => ("GET", "+N", " chunked"),
                "GET-CL-NON-NUMERIC" => ("GET", "Nabc", " chunked"),
                "GET-TE-OBS-FOLD" => ("GET", "N", "\r\n chunked"),
                "GET-TE-TRAILING-SPACE" => ("GET", "N", " chunked "),
                "GET-TE-LEADING-COMMA" => ("GET", "N", " , chunked"),
                "GET-TE-CASE-MISMATCH" => ("GET", "N", " Chunked"),
                _ => return None,
            };
            let fields = move |body: usize| {
                let length = length.replace('N', &body.to_string());
                format!("Content-Length: {length}\r\nTransfer-Encoding:{coding}")
            };
            (after_end(method), Box::new(fields))
        }
    };
    let fields = fields(body.len());
    Some(format!("POST / HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n\r\n{body}").into_bytes())
}
